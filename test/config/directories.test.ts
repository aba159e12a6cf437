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
});
