/**
 * Goal: work for a client that is gone stops. Each row begins something that would take hours over a sparse file of
 * 1 TiB; the client is killed, and at once (give or take a busy machine) the server holds nothing of it open and its CPU is idle.
 */
import t, { type Test } from 'tap';
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, statSync, ftruncateSync, writeSync } from 'node:fs';
import type { WrittenRecord } from '../../src/audit/record.ts';
import type { OpenFlags } from '../../src/protocol/sftp/file-requests.ts';
import { missing } from '../support/clients.ts';
import { cpuMs, openBeneath } from '../support/process-table.ts';
import { startServer, type TestServer } from '../support/server.ts';
import { encodeRequest, noFlags, type Question } from '../support/sftp-wire.ts';

const skip = missing('ssh');
const hugeBytes = 2 ** 40;

/** A client that is killed; `bytes` is what it sends first. */
function startClient(
  t: Test,
  server: TestServer,
  parameters: readonly string[],
  bytes: Buffer = Buffer.alloc(0),
): ChildProcess {
  const client = spawn(
    'ssh',
    ['-p', String(server.port), ...server.sshOptions, 'demo@127.0.0.1', ...parameters],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  t.teardown(() => client.kill('SIGKILL'));
  client.stdin?.write(bytes);
  return client;
}

/** Requests in one go, as bytes. The handle that an OPEN is answered with is not known yet: nothing here needs one. */
function packets(...questions: readonly Question[]): Buffer {
  return Buffer.concat([
    encodeRequest({ kind: 'init', version: 3 }),
    ...questions.map((question, index) => encodeRequest({ ...question, id: index + 1 })),
  ]);
}

function makeHuge(path: string): void {
  const descriptor = openSync(path, 'w');
  ftruncateSync(descriptor, hugeBytes);
  writeSync(descriptor, 'end', hugeBytes - 3);
  closeSync(descriptor);
}

async function until(what: string, holds: () => boolean, msMax: number): Promise<void> {
  const deadline = Date.now() + msMax;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function killAndWatch(t: Test, server: TestServer, client: ChildProcess): Promise<void> {
  const root = server.stored('');
  const isAtWork = (): boolean => openBeneath(server.pid, root).some((path) => path !== root.slice(0, -1));
  await until('the work has begun', isAtWork, 10_000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.ok(isAtWork(), 'it goes on while the client is there');
  client.kill('SIGKILL');
  await until('nothing is open', () => !isAtWork(), 2000);
  const before = cpuMs(server.pid);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.ok(cpuMs(server.pid) - before < 200, `idle: ${cpuMs(server.pid) - before} ms of CPU in a second`);
}

const checkFile = {
  kind: 'check-file-name',
  path: '/huge',
  algorithms: ['sha256'],
  offset: 0,
  lengthBytes: 0,
} as const;

const readers: readonly [name: string, parameters: readonly string[], bytes?: Buffer][] = [
  ['md5sum', ['md5sum', 'huge']],
  ['cp in the shell of WinSCP', [], Buffer.from('echo begin ; cp -r huge copy\n')],
  ['check-file-name', ['-s', 'sftp'], packets({ ...checkFile, blockBytes: 0 })],
  ['check-file-name by blocks', ['-s', 'sftp'], packets({ ...checkFile, blockBytes: 2 ** 30 })],
];

t.test('reading: the client is killed', { skip }, async (t) => {
  const server = await startServer(t);
  makeHuge(server.stored('huge'));
  for (const [name, parameters, bytes] of readers) {
    t.comment(name);
    await killAndWatch(t, server, startClient(t, server, parameters, bytes));
    t.notOk(existsSync(server.stored('copy')));
    t.strictSame(server.staged(), []);
  }
});

/** Answers carry the handle; what is to be done with it is sent then. */
async function withHandle(
  client: ChildProcess,
  question: Question,
  next: (handle: string) => readonly Question[],
): Promise<void> {
  const { stdin, stdout } = client;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  let received = Buffer.alloc(0);
  const handle = new Promise<string>((resolve) => {
    stdout.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const versionEnd = received.length < 4 ? Infinity : 4 + received.readUInt32BE();
      if (received.length < versionEnd + 13) return;
      const length = received.readUInt32BE(versionEnd + 9);
      if (received.length >= versionEnd + 13 + length)
        resolve(received.toString('latin1', versionEnd + 13, versionEnd + 13 + length));
    });
  });
  stdin.write(packets(question));
  const questions = next(await handle);
  stdin.write(Buffer.concat(questions.map((one, index) => encodeRequest({ ...one, id: index + 2 }))));
}

const isEnd = ({ operation, phase }: WrittenRecord): boolean => operation === 'upload' && phase === 'end';

t.test('CLOSE of an upload: the client is killed', { skip }, async (t) => {
  const server = await startServer(t);
  let begun = 0;
  const end = async (flags: OpenFlags, offset: number): Promise<void> => {
    const client = startClient(t, server, ['-s', 'sftp']);
    const opening = { kind: 'open', path: '/huge', attributes: {}, flags } as const;
    await withHandle(client, opening, (handle) => [
      { kind: 'write', handle, offset, data: Buffer.from('end') },
      { kind: 'close', handle },
    ]);
    await killAndWatch(t, server, client);
    t.strictSame(server.staged(), []);
    // The connection is lost before the session ends, so the end of the upload is not the last record.
    const ends = (): WrittenRecord[] => server.records().filter((one) => isEnd(one));
    begun += 1;
    await until('its record', () => ends().length === begun, 5000);
    t.match(ends().at(-1), { verdict: 'aborted', error: 'CONNECTION_LOST' });
  };
  await end({ ...noFlags, write: true, create: true, truncate: true }, hugeBytes - 3);
  t.notOk(existsSync(server.stored('huge')), 'hashing: what was not published before is not published after');
  makeHuge(server.stored('huge'));
  const { ino } = statSync(server.stored('huge'));
  await end({ ...noFlags, write: true }, 0);
  t.match(statSync(server.stored('huge')), { ino, size: hugeBytes }, 'copying: the old file is whole');
});
