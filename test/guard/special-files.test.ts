/**
 * Goal: FIFOs, sockets and devices are never opened: every verb answers at once, whatever the client asks. Method: real ones
 * in a root, all of `Files`, SFTP's requests and the commands; whoever waits for the other end of a FIFO runs out of time.
 */
import t from 'tap';
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Files, UploadOptions } from '../../src/guard/files.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { copyTree } from '../../src/session/command-tree.ts';
import { runSftp } from '../../src/session/sftp.ts';
import { create, GuardedBox, rename } from '../support/guarded-box.ts';
import { MemoryChannel } from '../support/memory-channel.ts';
import { ScpClient } from '../support/scp-client.ts';
import { noFlags, SftpPeer, type Question } from '../support/sftp-wire.ts';
import { codeOf } from '../support/throws.ts';

const waitMsMax = 5000;

/** What a verb answers; a hang is an answer of its own. */
async function answer(what: string, act: () => Promise<unknown>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`hung: ${what}`), waitMsMax);
  });
  return await Promise.race([codeOf(act), late]).finally(() => clearTimeout(timer));
}

/** Makes one of each that this user may make, and links to them; a device needs root. */
async function makeSpecial(box: GuardedBox, ended: (act: () => void) => void): Promise<string[]> {
  const path = (name: string): string => join(box.root, 'in', name);
  mkdirSync(join(box.root, 'in'));
  execFileSync('mkfifo', [path('fifo')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path('socket'), resolve));
  ended(() => server.close());
  const hasDevice = spawnSync('mknod', [path('device'), 'c', '1', '5'], { stdio: 'ignore' }).status === 0;
  const names = ['fifo', 'socket', ...(hasDevice ? ['device'] : [])];
  for (const name of names) symlinkSync(name, path(`to-${name}`));
  return names.flatMap((name) => [name, `to-${name}`]);
}

const upload =
  (options: Partial<UploadOptions>) =>
  (files: Files, path: string): Promise<unknown> =>
    files.upload(virtualPath(path), { ...create, ...options });

const notRegular = 'NOT_A_REGULAR_FILE';
/** What it answers for the thing, and for a link to it. */
const verbs: readonly [
  name: string,
  act: (files: Files, path: string) => Promise<unknown>,
  itself: string,
  link?: string,
][] = [
  ['stat', (files, path) => files.stat(virtualPath(path), { follow: true }), 'no error'],
  ['lstat', (files, path) => files.stat(virtualPath(path), { follow: false }), 'no error'],
  ['download', (files, path) => files.download(virtualPath(path)), notRegular],
  ['replace', upload({}), notRegular],
  ['modify', upload({ existing: 'modify' }), notRegular],
  ['modify what is there', upload({ existing: 'modify', missing: 'refuse' }), notRegular],
  ['append', upload({ existing: 'modify', append: true }), notRegular],
  ['create anew', upload({ existing: 'refuse' }), notRegular],
  ['hash', (files, path) => files.hash(virtualPath(path), { algorithm: 'md5' }), notRegular],
  ['list', (files, path) => files.list(virtualPath(path)), 'NOT_A_DIRECTORY'],
  ['below it', (files, path) => files.stat(virtualPath(`${path}/x`), { follow: true }), 'NOT_A_DIRECTORY'],
  ['mkdir', (files, path) => files.makeDirectory(virtualPath(path), 0o755), 'ALREADY_EXISTS'],
  ['rmdir', (files, path) => files.removeDirectory(virtualPath(path)), 'NOT_A_DIRECTORY'],
  [
    'mode',
    (files, path) => files.setAttributes(virtualPath(path), { mode: 0 }, { follow: true }),
    notRegular,
  ],
  [
    'times',
    (files, path) => files.setAttributes(virtualPath(path), { modifiedSeconds: 1 }, { follow: true }),
    notRegular,
  ],
  [
    'size',
    (files, path) => files.setAttributes(virtualPath(path), { sizeBytes: 0 }, { follow: true }),
    notRegular,
  ],
  ['readlink', (files, path) => files.readLink(virtualPath(path)), 'NOT_A_LINK', 'no error'],
  ['hard link', (files, path) => files.makeHardLink(virtualPath(path), virtualPath('/hard')), notRegular],
  ['link', (files, path) => files.makeLink(virtualPath(path), 'x'), 'ALREADY_EXISTS'],
  ['space', (files, path) => files.space(virtualPath(path)), 'no error'],
  [
    'cp',
    (files, path) => copyTree(files, virtualPath(path), { to: virtualPath('/copy'), recursive: true }),
    notRegular,
  ],
  [
    'rename there and back',
    (files, path) => rename(files, path, '/x').then(() => rename(files, '/x', path)),
    'no error',
  ],
];

t.test('every verb', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  const names = await makeSpecial(box, (act) => t.teardown(act));
  const files = box.session({ preset: 'full' });
  const before = names.map((name) => lstatSync(join(box.root, 'in', name)).mode);
  for (const [verb, act, itself, link = itself] of verbs) {
    for (const name of names) {
      const expected = name.startsWith('to-') ? link : itself;
      t.equal(await answer(verb, () => act(files, `/in/${name}`)), expected, `${verb}: ${name}`);
    }
  }
  t.strictSame(
    names.map((name) => lstatSync(join(box.root, 'in', name)).mode),
    before,
  );
  t.strictSame(
    readdirSync(box.root).filter((name) => name !== '.scpd'),
    ['in'],
    'nothing was made of them',
  );
  for (const name of names.toReversed())
    t.equal(
      await answer('remove', () => files.remove(virtualPath(`/in/${name}`))),
      'no error',
      `remove ${name}`,
    );
});

t.test('SFTP requests', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  const names = await makeSpecial(box, (act) => t.teardown(act));
  const channel = new MemoryChannel();
  const exit = runSftp(channel, box.session({ preset: 'full' }), { userName: 'alice' });
  const peer = new SftpPeer(channel);
  await peer.start();
  const attributes = {};
  for (const name of names) {
    const path = `/in/${name}`;
    const questions: readonly Question[] = [
      { kind: 'open', path, flags: { ...noFlags, read: true }, attributes },
      { kind: 'open', path, flags: { ...noFlags, write: true }, attributes },
      {
        kind: 'open',
        path,
        flags: { ...noFlags, read: true, write: true, create: true, truncate: true },
        attributes,
      },
      { kind: 'open', path, flags: { ...noFlags, write: true, create: true, exclusive: true }, attributes },
      { kind: 'opendir', path },
      { kind: 'setstat', path, attributes: { permissions: 0o600 } },
      { kind: 'check-file-name', path, algorithms: ['md5'], offset: 0, lengthBytes: 0, blockBytes: 0 },
    ];
    for (const question of questions) {
      const said = await answer(question.kind, async () => {
        const reply = await peer.ask(question);
        if (reply.kind !== 'status') throw new Error(`${question.kind} was answered with ${reply.kind}`);
        if (!/not a regular file|Not a directory/.test(reply.words)) throw new Error(reply.words);
      });
      t.equal(said, 'no error', `${question.kind} ${name}`);
    }
  }
  channel.end();
  t.equal(await exit, 0);
});

t.test('commands and scp', async (t) => {
  const box = new GuardedBox(t, t.testdir({}));
  const names = await makeSpecial(box, (act) => t.teardown(act));
  for (const name of names) {
    for (const command of [
      `md5sum in/${name}`,
      `ls in/${name}/`,
      `mkdir -p in/${name}/x`,
      `scp -f in/${name}`,
    ]) {
      const client = new ScpClient(
        { kind: 'exec', command: Buffer.from(command) },
        box.session({ preset: 'full' }),
        { errorsAnyTime: true },
      );
      client.channel.feed('\0');
      client.channel.end();
      const said = await answer(command, async () => {
        const { status, rest } = await client.finish();
        const told = `${client.channel.errorLines.join()}${rest}`;
        if (status === 0 || status === undefined || !/not a regular file|Not a directory/i.test(told))
          throw new Error(`${status}: ${told}`);
      });
      t.equal(said, 'no error', command);
    }
  }
});
