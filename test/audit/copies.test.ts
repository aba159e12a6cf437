/**
 * Goal: copies get what is in the journal, and one that hangs, fails or is not there costs the journal nothing and is
 * counted. Method: receivers of the test's own, on 127.0.0.1 and below a directory of its own.
 */
import t, { type Test } from 'tap';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chain, genesis } from '../../src/audit/chain.ts';
import { JournalCopies, type JournalCopy } from '../../src/audit/copies.ts';
import { serverRecord } from '../../src/audit/record.ts';
import { Witness } from '../../src/audit/witness.ts';
import { auditStdoutBytesMax, auditSyslogQueueMax } from '../../src/limits.ts';
import { StdoutCopy } from '../../src/observe/stdout-copy.ts';
import { SyslogCopy, syslogTarget, type SyslogTarget } from '../../src/observe/syslog-copy.ts';

const lineOf = (path: string, outcome: 'done' | 'refused' | 'failed' = 'done'): string =>
  chain(
    serverRecord({
      operation: 'worker',
      outcome,
      path,
      ...(outcome === 'done' ? {} : { error: 'INTERNAL' }),
    }),
    genesis,
  ).line;

async function until(isSo: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000 && !isSo(); waitedMs += 10) await pause(10);
}

/** Frames with their octets counted, as they come. */
async function streamServer(
  t: Test,
  at: string | number,
): Promise<{
  readonly at: AddressInfo | string;
  readonly messages: string[];
  readonly sockets: Socket[];
  stop: () => Promise<void>;
}> {
  const [messages, sockets]: [string[], Socket[]] = [[], []];
  const server = createServer((socket) => {
    sockets.push(socket);
    let rest = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (;;) {
        const space = rest.indexOf(0x20);
        const length = Number(rest.toString('latin1', 0, space));
        if (space === -1 || rest.length < space + 1 + length) return;
        messages.push(rest.toString('utf8', space + 1, space + 1 + length));
        rest = rest.subarray(space + 1 + length);
      }
    });
  });
  await new Promise<void>((resolve) =>
    typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve),
  );
  const stop = async (): Promise<void> => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  };
  t.teardown(stop);
  return { at: server.address() as AddressInfo | string, messages, sockets, stop };
}

const head = /^<(110|108|107)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ scpd \d+ audit - \{/;

t.test('syslog targets', async (t) => {
  for (const [text, target] of [
    ['udp://127.0.0.1:514', { kind: 'udp', host: '127.0.0.1', port: 514 }],
    ['tcp://[::1]:601', { kind: 'tcp', host: '::1', port: 601 }],
    ['unix:/run/log', { kind: 'unix', path: '/run/log' }],
    ['udp://127.0.0.1:0', undefined],
    ['udp://127.0.0.1:65536', undefined],
    ['udp://127.0.0.1', undefined],
    ['http://127.0.0.1:514', undefined],
    ['unix:log', undefined],
  ] as const)
    t.strictSame(syslogTarget(text), target, text);
});

t.test('syslog by UDP', async (t) => {
  const messages: string[] = [];
  const server = createSocket('udp4', (bytes) => messages.push(bytes.toString('utf8')));
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const copy = new SyslogCopy({ kind: 'udp', host: '127.0.0.1', port: server.address().port });
  const lines = [lineOf('é'), lineOf('b', 'refused'), lineOf('c', 'failed'), lineOf('x'.repeat(70_000))];
  copy.push([...lines.slice(0, 3), `{"outcome":"done","path":"${'x'.repeat(70_000)}"}\n`]);
  await until(() => messages.length === 3);
  await copy.close();
  t.strictSame(
    messages.map((message) => head.exec(message)?.[1]),
    ['110', '108', '107'],
  );
  t.strictSame(
    messages.map((message) => `${message.slice(message.indexOf('{'))}\n`),
    lines.slice(0, 3),
  );
  t.equal(copy.lost, 1, 'what no datagram holds');
});

const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));

t.test('syslog by TCP and by a Unix socket: nothing is lost by a restart', async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'scpd-log-')); // a socket's path is short
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  for (const at of [0, join(place, 'log.sock')]) {
    const server = await streamServer(t, at);
    const target: SyslogTarget =
      typeof server.at === 'string'
        ? { kind: 'unix', path: server.at }
        : { kind: 'tcp', host: '127.0.0.1', port: server.at.port };
    const copy = new SyslogCopy(target);
    const lines = Array.from({ length: 100 }, (_, number) => lineOf(String(number)));
    copy.push(lines);
    await until(() => server.messages.length === 100);
    await server.stop();
    await pause(50);
    copy.push([lineOf('while it is down')]);
    await pause(50);
    const again = await streamServer(t, typeof server.at === 'string' ? server.at : server.at.port);
    await until(() => again.messages.length === 1);
    await copy.close();
    t.strictSame(
      server.messages.map((message) => `${message.slice(message.indexOf('{'))}\n`),
      lines,
    );
    t.match(again.messages[0], /while it is down/);
    t.equal(copy.lost, 0);
  }
  t.strictSame(warnings, [], 'nothing piles up at the socket');
});

t.test('a syslog that is not there: bounded, counted, and over soon', async (t) => {
  const copy = new SyslogCopy({ kind: 'unix', path: join(t.testdir(), 'none') });
  copy.push(Array.from({ length: auditSyslogQueueMax + 7 }, () => 'x\n'));
  t.equal(copy.lost, 7);
  const began = performance.now();
  await copy.close();
  t.ok(performance.now() - began < 8000);
  t.equal(copy.lost, auditSyslogQueueMax + 7);
});

t.test('standard output that nobody reads', async (t) => {
  const written: string[] = [];
  let writableLength = 0;
  const output = {
    writable: true,
    get writableLength() {
      return writableLength;
    },
    write: (line: string) => written.push(line),
  };
  const copy = new StdoutCopy(output as unknown as NodeJS.WriteStream);
  copy.push(['a\n']);
  writableLength = auditStdoutBytesMax + 1;
  copy.push(['b\n']);
  t.strictSame(written, ['a\n']);
  t.equal(copy.lost, 1);
});

const checkpoint = (): string =>
  chain(serverRecord({ operation: 'checkpoint', outcome: 'done', path: null }), genesis).line;

t.test('a witness: a file, a server, and none', async (t) => {
  const file = join(t.testdir(), 'heads');
  const line = checkpoint();
  const { seq, hash, time } = JSON.parse(line) as { seq: number; hash: string; time: string };
  const expected = `${seq}:${hash} ${time}\n`;
  const byFile = new Witness(file);
  byFile.push([lineOf('a'), line, lineOf('b')]);
  await byFile.close();
  byFile.push([lineOf('no head')]);
  await byFile.close();
  t.equal(readFileSync(file, 'utf8'), expected);

  const bodies: string[] = [];
  let status = 204;
  const server = createHttpServer((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      bodies.push(`${request.method} ${body}`);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const byHttp = new Witness(`http://127.0.0.1:${(server.address() as AddressInfo).port}/heads`);
  byHttp.push([line]);
  await byHttp.close();
  t.strictSame(bodies, [`POST ${expected}`]);
  t.equal(byHttp.lost, 0);
  status = 500;
  byHttp.push([line]);
  await byHttp.close();
  t.equal(byHttp.lost, 1);

  const none = new Witness(join(t.testdir(), 'none', 'heads'));
  for (let count = 0; count < 5; count += 1) none.push([line]);
  await none.close();
  t.ok(none.lost >= 4 && none.lost <= 5, `${none.lost}`);
});

t.test('losses are said once in a while, and stay counted', async (t) => {
  const said: object[] = [];
  const quiet = (): void => undefined;
  const copies = new JournalCopies({ info: quiet, error: quiet, warn: (fields) => void said.push(fields) });
  const losing = (): JournalCopy => {
    const copy = {
      name: 'losing',
      lost: 0,
      push: () => void (copy.lost += 1),
      close: () => Promise.resolve(),
    };
    return copy;
  };
  copies.configure([losing()]);
  for (let count = 0; count < 10; count += 1) copies.push(['x\n']);
  t.strictSame(said, [{ copy: 'losing', lost: 1 }]);
  copies.configure([losing()]);
  copies.push(['x\n']);
  t.strictSame(copies.lost, [{ copy: 'losing', lost: 11 }]);
  await copies.close();
  t.match(said.at(-1), { lost: 11 });
});
