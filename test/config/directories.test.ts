import t from 'tap';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { runCli } from '../support/cli.ts';
import { makePlace, soundSettings, type Place, type Settings } from '../support/config-place.ts';

/** The problems of a sound configuration after one change. */
async function after(place: Place, change: (settings: Settings) => void): Promise<string> {
  const settings = soundSettings();
  change(settings);
  return (await place.problems(settings)).map((line) => line.replace(/^\S+ /, '')).join('\n');
}

t.test('roots may be shared, but not lie inside one another', async (t) => {
  const place = makePlace(t);
  mkdirSync(place.path('data/alice/inner'));
  symlinkSync(place.path('data/alice/inner'), place.path('data/link'));
  const share = (settings: Settings): void => {
    Object.assign(settings.users['bob'] ?? {}, { root: '../data/alice/' });
  };
  t.equal(await after(place, share), '');
  const inner =
    "users.bob.root: expected a directory outside of other roots, got one inside data/alice, the root of users.alice: each would see the other's uploads in progress";
  for (const root of ['../data/alice/inner', '../data/link', '../data/bob/../alice/inner']) {
    t.equal(await after(place, (settings) => Object.assign(settings.users['bob'] ?? {}, { root })), inner);
  }
  // A name that merely starts alike is another directory.
  mkdirSync(place.path('data/alice2'));
  t.equal(
    await after(place, (settings) => Object.assign(settings.users['bob'] ?? {}, { root: '../data/alice2' })),
    '',
  );
});

t.test('no root holds what scpd lives by', async (t) => {
  const place = makePlace(t);
  const apart = "expected a directory apart from scpd's own files, got one";
  const alice = (root: string) => (settings: Settings) =>
    Object.assign(settings.users['alice'] ?? {}, { root });
  const risk = 'clients could read or replace it';
  t.match(
    await after(place, alice('.')),
    `users.alice.root: ${apart} that holds the configuration config/scpd.json; ${risk}`,
  );
  t.match(
    await after(place, alice('../keys')),
    `users.alice.root: ${apart} that holds the host key keys/ed25519; ${risk}`,
  );
  t.match(await after(place, alice('../audit')), `users.alice.root: ${apart} that holds the audit directory`);
  mkdirSync(place.path('audit/in'));
  t.match(await after(place, alice('../audit/in')), `users.alice.root: ${apart} inside the audit directory`);

  // A link to a key is as good as the key: who can replace it decides which key is used.
  symlinkSync(place.path('keys/alice'), place.path('data/alice/keys'));
  const linked = await after(place, (settings) => {
    Object.assign(settings.users['bob'] ?? {}, { authorizedKeys: '../data/alice/keys' });
  });
  t.match(linked, `users.alice.root: ${apart} that holds the authorized_keys file data/alice/keys; ${risk}`);

  // An audit directory that does not exist yet counts as well.
  const future = await after(place, (settings) => (settings.audit.dir = '../data/alice/log/audit'));
  t.match(future, `users.alice.root: ${apart} that holds the audit directory data/alice/log/audit; ${risk}`);
});

t.test('the audit directory exists or can be made', async (t) => {
  const place = makePlace(t);
  t.equal(await after(place, (settings) => (settings.audit.dir = '../new/below')), '');
  t.equal(
    await after(place, (settings) => (settings.audit.dir = '../keys/alice/below')),
    `audit.dir: expected a directory that scpd can write, got keys/alice/below, where a part of the path is not a directory`,
  );
});

const witness = (file: string) => (settings: Settings) => Object.assign(settings.audit, { witness: file });

t.test('a witness is a file that is there, or one that can be made in a directory that is', async (t) => {
  const place = makePlace(t);
  mkdirSync(place.path('heads'));
  place.write('heads/old', '');
  symlinkSync(place.path('heads/old'), place.path('heads/link'));
  symlinkSync(place.path('heads/gone'), place.path('heads/dangling'));
  execFileSync('mkfifo', [place.path('heads/pipe')]);
  for (const file of ['../heads/new', '../heads/old', '../heads/link', 'https://[::1]:8080/heads?a=b'])
    t.equal(await after(place, witness(file)), '', file);
  for (const [file, problem] of [
    ['../heads', 'expected a file, got a directory at heads'],
    ['../heads/pipe', 'expected a file, got something other than a file at heads/pipe'],
    ['../heads/old/new', 'expected a file, got heads/old/new, where a part of the path is not a directory'],
    ['../heads/dangling', 'expected a file, got a link that leads to none at heads/dangling'],
    [
      '../none/heads',
      `expected a file in a directory that is there, got no directory at none; make it with: mkdir -p ${place.path('none')}`,
    ],
    ['HTTP//witness/heads', /^audit.witness: expected a file in a directory that is there, got no directory/],
    [
      'https://[witness]/',
      'expected a URL such as "https://witness.example.com/scpd", got "https://[witness]/"',
    ],
    [
      'https://scpd:secret@witness.example.com/',
      'expected a URL without a user and a password, which can not be sent, got one with them; a secret path does the same',
    ],
  ] as const) {
    const said = await after(place, witness(file));
    if (typeof problem === 'string')
      t.equal(said, `audit.witness: ${problem.replace(`${place.directory}/`, '')}`);
    else t.match(said, problem);
  }
  const settings = soundSettings();
  witness('../none/heads')(settings);
  t.match(
    await place.problems(settings),
    [/^config\/scpd\.json:\d+:\d+ audit\.witness: /],
    'and where it stands',
  );
});

t.test('a witness is no other file of scpd', async (t) => {
  const place = makePlace(t);
  place.write('catalog.db', '');
  symlinkSync(place.path('keys/alice'), place.path('keys/link'));
  const after1 = async (file: string): Promise<string> =>
    await after(place, (settings) => {
      witness(file)(settings);
      settings['catalog'] = { url: 'sqlite:../catalog.db' };
      settings['control'] = { socket: '../run/scpd.sock' };
    });
  mkdirSync(place.path('run'));
  for (const [file, other] of [
    ['scpd.json', 'the configuration config/scpd.json'],
    ['../keys/ed25519', 'the host key keys/ed25519'],
    ['../keys/link', 'the authorized_keys file keys/alice'],
    ['../catalog.db', 'the catalog catalog.db'],
    ['../catalog.db-wal', 'a part of the catalog catalog.db'],
    ['../run/scpd.sock', 'the control socket run/scpd.sock'],
  ] as const)
    t.equal(await after1(file), `audit.witness: expected a file of its own, got ${other}`, file);
  for (const file of ['../audit/audit.jsonl', '../audit/heads', '../audit'])
    t.equal(
      await after1(file),
      `audit.witness: expected a file outside of the audit directory, got ${file.slice(3)}; whoever makes the journal anew would take its witness along`,
    );
});

t.test('no root holds a witness or the socket of syslog', async (t) => {
  const place = makePlace(t);
  const apart = "users.alice.root: expected a directory apart from scpd's own files, got one that holds";
  const risk = 'clients could read or replace it';
  place.write('data/alice/old', '');
  symlinkSync(place.path('data/alice/old'), place.path('link'));
  for (const [file, held] of [
    ['../data/alice/new', 'data/alice/new'],
    ['../data/alice/old', 'data/alice/old'],
    ['../link', 'link'],
  ] as const)
    t.equal(await after(place, witness(file)), `${apart} the witness ${held}; ${risk}`);
  const syslog = (settings: Settings): void => {
    Object.assign(settings.audit, { syslog: `unix:${place.path('data/alice/log.sock')}` });
  };
  t.equal(await after(place, syslog), `${apart} the syslog socket data/alice/log.sock; ${risk}`);
  t.equal(await after(place, (settings) => Object.assign(settings.audit, { syslog: 'udp://data:514' })), '');
});

/** Root may do everything; where the tests run as root, what it may not do is tried as nobody. */
const userId = process.getuid?.() === 0 ? 65534 : undefined;

t.test('permissions', async (t) => {
  const place = makePlace(t);
  const settings = soundSettings();
  place.write('config/scpd.json', JSON.stringify(settings));
  if (userId !== undefined) execFileSync('chown', ['-R', `${userId}:${userId}`, place.directory]);
  const check = async (): Promise<string> => {
    const { exitCode, stderr } = await runCli(['check'], place.directory, { userId });
    t.equal(exitCode, stderr === '' ? 0 : 1);
    return stderr;
  };
  t.equal(await check(), '');
  chmodSync(place.path('data/bob'), 0o500);
  t.equal(await check(), '', 'a reader needs no right to write');
  chmodSync(place.path('data/bob'), 0o300);
  t.match(await check(), 'users.bob.root: expected a directory that scpd can read, got');
  chmodSync(place.path('data/bob'), 0o700);
  chmodSync(place.path('data/alice'), 0o500);
  t.match(
    await check(),
    'users.alice.root: expected a directory that scpd can read and write, got data/alice, which scpd has no permission to use',
  );
  chmodSync(place.path('data/alice'), 0o700);
  chmodSync(place.path('keys/ecdsa'), 0o000);
  t.match(await check(), 'hostKeys[1]: expected a private key, got keys/ecdsa, which scpd has no permission');
  chmodSync(place.path('audit'), 0o500);
  t.match(await check(), 'audit.dir: expected a directory that scpd can write, got');

  chmodSync(place.path('keys/ecdsa'), 0o600);
  chmodSync(place.path('audit'), 0o700);
  witness('../heads/witness')(settings);
  place.write('config/scpd.json', JSON.stringify(settings));
  mkdirSync(place.path('heads'), 0o555);
  t.match(
    await check(),
    'audit.witness: expected a file that scpd can make, got heads, which scpd has no permission to use',
  );
  place.write('heads/witness', '', 0o444);
  t.match(
    await check(),
    'audit.witness: expected a file that scpd can write, got heads/witness, which scpd has no permission to use',
  );
  chmodSync(place.path('heads/witness'), 0o666);
  t.equal(await check(), '', 'it need not be made');
});
