/** Goal: real clients can deliver into a box that they can't look into, also where a name is taken, and learn nothing. */
import t, { type Test } from 'tap';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing, run, type Finished } from '../support/clients.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

interface Desk {
  readonly server: TestServer;
  /** Where the client's files are. */
  readonly place: string;
  readonly box: string;
}

/** A user who may add files to /in, where "taken" is somebody else's, and nothing more. */
async function setDesk(t: Test, onConflict: 'refuse' | 'rename'): Promise<Desk> {
  const place = mkdtempSync(join(tmpdir(), 'scpd-box-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const rules = [{ path: '/in/**', preset: 'drop-box' }];
  // The preset that the server's support gives to everybody would be the last rule.
  const server = await startServer(t, { users: { acme: { rules, preset: undefined, onConflict } } });
  const box = server.stored('in', 'acme');
  mkdirSync(box);
  writeFileSync(join(box, 'taken'), 'theirs');
  writeFileSync(join(place, 'file'), 'content');
  return { server, place, box };
}

async function rclone({ server, place }: Desk, parameters: readonly string[]): Promise<Finished> {
  const environment = {
    RCLONE_CONFIG_BOX_TYPE: 'sftp',
    RCLONE_CONFIG_BOX_HOST: '127.0.0.1',
    RCLONE_CONFIG_BOX_PORT: String(server.port),
    RCLONE_CONFIG_BOX_USER: 'acme',
    RCLONE_CONFIG_BOX_KEY_FILE: join(server.place, 'keys/demo/id_ed25519'),
    RCLONE_CONFIG_BOX_KNOWN_HOSTS_FILE: join(server.place, 'keys/demo/known_hosts'),
    RCLONE_CONFIG_BOX_SHELL_TYPE: 'none',
  };
  return await run('rclone', [...parameters, '--retries', '1', '--config', join(place, 'none')], {
    environment,
  });
}

t.test('sftp: upload, times, temporary name and rename, in the same and in another session', async (t) => {
  const desk = await setDesk(t, 'refuse');
  const { server, place, box } = desk;
  const sent = await server.sftp(
    `cd in\nput -p ${join(place, 'file')} file.filepart\nrename file.filepart file\nls -l file\n`,
    'acme',
  );
  t.notOk(sent.stderr.includes('rename'), sent.stderr);
  t.equal(readFileSync(join(box, 'file'), 'utf8'), 'content');
  const later = await server.sftp('rename in/file in/final\nchmod 600 in/final\n', 'acme');
  t.equal(later.status, 0, later.stderr);
  t.strictSame(readdirSync(box).sort(), ['final', 'taken']);
  for (const path of ['in/taken', 'in/none']) {
    const looked = await server.sftp(`rm ${path}\n`, 'acme');
    t.not(looked.status, 0);
    t.match(looked.stderr, /No such file|not found/, path);
  }
  t.not((await server.sftp('ls in\n', 'acme')).status, 0);
  t.not((await server.sftp('mkdir out\n', 'acme')).status, 0, 'nothing outside of the box');
});

for (const protocol of ['scp', 'sftp'] as const) {
  t.test(`scp by ${protocol}: a name that is taken`, async (t) => {
    const refusing = await setDesk(t, 'refuse');
    const parameters = [join(refusing.place, 'file'), remote('in/taken', 'acme')];
    const refused = await refusing.server.scp(protocol, parameters);
    t.not(refused.status, 0);
    t.match(refused.stderr, /Permission denied/);
    t.equal(readFileSync(join(refusing.box, 'taken'), 'utf8'), 'theirs');

    const { server, place, box } = await setDesk(t, 'rename');
    const sent = await server.scp(protocol, ['-p', join(place, 'file'), remote('in/taken', 'acme')]);
    t.equal(sent.status, 0, sent.stderr);
    t.equal(readFileSync(join(box, 'taken'), 'utf8'), 'theirs');
    t.equal(readFileSync(join(box, 'taken.1'), 'utf8'), 'content');
    t.match(
      server.records().findLast(({ operation }) => operation === 'upload'),
      {
        path: '/in/taken',
        stored: '/in/taken.1',
      },
    );
  });
}

t.test('rclone', { skip: missing('rclone') }, async (t) => {
  const desk = await setDesk(t, 'rename');
  for (const name of ['new', 'taken']) {
    const sent = await rclone(desk, ['copyto', join(desk.place, 'file'), `box:in/${name}`]);
    t.equal(sent.status, 0, `${name}: ${sent.stderr}`);
  }
  t.equal(readFileSync(join(desk.box, 'new'), 'utf8'), 'content');
  t.equal(readFileSync(join(desk.box, 'taken'), 'utf8'), 'theirs');
  t.equal(readFileSync(join(desk.box, 'taken.1'), 'utf8'), 'content');
  t.notOk(existsSync(join(desk.box, 'taken.2')));
});

t.test('outside of its networks a user is nobody', async (t) => {
  const server = await startServer(t, {
    users: { office: { networks: ['192.0.2.0/24'] }, here: { networks: ['127.0.0.0/8'] } },
  });
  const elsewhere = await server.sftp('ls\n', 'office');
  const unknown = await server.sftp('ls\n', 'nobody');
  t.not(elsewhere.status, 0);
  t.equal(elsewhere.stderr.replaceAll('office', 'nobody'), unknown.stderr, 'in the same words');
  t.equal((await server.sftp('ls\n', 'here')).status, 0);
});
