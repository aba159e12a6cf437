/**
 * Goal: a client that floods the server with requests and does not read its answers, and a disk that does not move, leave the
 * server's memory where it was. Both with figures, because "bounded" may be a gigabyte.
 */
import t from 'tap';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Channel } from '../../src/session/channel.ts';
import { runSftp } from '../../src/session/sftp.ts';
import { missing } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { startServer } from '../support/server.ts';
import { encodeRequest, noFlags } from '../support/sftp-wire.ts';

const mib = 1024 * 1024;

function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

t.test('a client that never reads', { skip: missing('ssh') }, async (t) => {
  const server = await startServer(t);
  const sizeBytes = 64 * mib;
  writeRandom(server.stored('large'), sizeBytes);
  await server.sftp('ls\n');
  const beforeBytes = residentBytes(server.pid);
  const parameters = ['-p', String(server.port), ...server.sshOptions, '-s', 'demo@127.0.0.1', 'sftp'];
  const child = spawn('ssh', parameters, { stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined);
  // Node reads a pipe as soon as it is looked at: the handle is read from the first bytes, and nothing after them.
  child.stdin.write(
    Buffer.concat([
      encodeRequest({ kind: 'init', version: 3 }),
      encodeRequest({
        kind: 'open',
        id: 1,
        path: 'large',
        flags: { ...noFlags, read: true },
        attributes: {},
      }),
    ]),
  );
  const handle = await new Promise<string>((resolve) => {
    let received = Buffer.alloc(0);
    child.stdout.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const start = 4 + received.readUInt32BE();
      if (received.length >= start + 21) {
        child.stdout.pause();
        resolve(received.subarray(start + 13, start + 21).toString('latin1'));
      }
    });
  });
  // 20,000 times 255 KiB: 5 GiB of answers.
  const reads = Array.from({ length: 20_000 }, (_, index) =>
    encodeRequest({
      kind: 'read',
      id: index + 2,
      handle,
      offset: (index * 261_120) % sizeBytes,
      lengthBytes: 261_120,
    }),
  );
  child.stdin.write(Buffer.concat(reads));
  let most = beforeBytes;
  for (let count = 0; count < 30; count += 1) {
    await sleep(100);
    most = Math.max(most, residentBytes(server.pid));
  }
  t.comment(`before ${Math.round(beforeBytes / mib)} MiB, at most ${Math.round(most / mib)} MiB`);
  t.ok(most - beforeBytes < 64 * mib, `${Math.round((most - beforeBytes) / mib)} MiB more than before`);
  const other = await server.sftp('ls\n');
  t.equal(other.status, 0, 'and others are served');
});

t.test('a disk that does not move', async (t) => {
  const files = new MemoryFiles();
  const upload = files.upload.bind(files);
  files.upload = async (...parameters) => {
    const opened = await upload(...parameters);
    opened.write = () => new Promise<void>(() => undefined);
    return opened;
  };
  let takenBytes = 0;
  let opened = (_handle: string): void => undefined;
  const handleOpened = new Promise<string>((resolve) => (opened = resolve));
  async function* flood(): AsyncGenerator<Buffer> {
    yield encodeRequest({ kind: 'init', version: 3 });
    yield encodeRequest({
      kind: 'open',
      id: 1,
      path: 'f',
      flags: { ...noFlags, write: true, create: true },
      attributes: {},
    });
    const handle = await handleOpened;
    // A client with 10 GiB to send, in the pieces in which SSH brings them.
    for (let id = 2; takenBytes < 10_240 * mib; id += 1) {
      const data = Buffer.alloc(32_000, id);
      takenBytes += data.length;
      yield encodeRequest({ kind: 'write', id, handle, offset: id * data.length, data });
    }
  }
  const channel: Channel = {
    input: Object.assign(flood(), { hasArrived: true }),
    gone: new AbortController().signal,
    write: async (bytes) => {
      if (bytes[4] === 102) opened(bytes.subarray(13).toString('latin1'));
    },
    writeError: async () => undefined,
    finish: async () => undefined,
  };
  const beforeBytes = process.memoryUsage().rss;
  void runSftp(channel, files, { userName: 'alice' });
  await sleep(1500);
  const moreBytes = process.memoryUsage().rss - beforeBytes;
  t.comment(`taken ${Math.round(takenBytes / mib)} MiB, memory ${Math.round(moreBytes / mib)} MiB more`);
  t.ok(takenBytes < 8 * mib, `${takenBytes} bytes were taken from the client`);
  t.ok(moreBytes < 64 * mib, `${moreBytes} bytes more than before`);
});
