/**
 * Goal: copies get what is in the journal, and one that hangs, fails or is not there costs the journal nothing and is
 * counted. Method: receivers of the test's own, on 127.0.0.1 and below a directory of its own.
 */
import t from 'tap';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { chain, genesis } from '../../src/audit/chain.ts';
import { JournalCopies, type JournalCopy } from '../../src/audit/copies.ts';
import { serverRecord } from '../../src/audit/record.ts';
import { Witness } from '../../src/audit/witness.ts';
import { auditCopyCloseMs, auditStdoutBytesMax, auditSyslogQueueMax } from '../../src/limits.ts';
import { StdoutCopy } from '../../src/observe/stdout-copy.ts';
import { SyslogCopy, syslogTarget, type SyslogTarget } from '../../src/observe/syslog-copy.ts';
import { copiedLine, startSyslogServer } from '../support/syslog-server.ts';

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

const quiet = (): void => undefined;

async function until(isSo: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000 && !isSo(); waitedMs += 10) await pause(10);
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
  await copy.settled();
  copy.close();
  t.strictSame(
    messages.map((message) => head.exec(message)?.[1]),
    ['110', '108', '107'],
  );
  t.strictSame(
    messages.map((message) => `${copiedLine(message)}\n`),
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
    const server = await startSyslogServer(t, at);
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
    const again = await startSyslogServer(t, typeof server.at === 'string' ? server.at : server.at.port);
    await until(() => again.messages.length === 1);
    await copy.settled();
    copy.close();
    t.strictSame(
      server.messages.map((message) => `${copiedLine(message)}\n`),
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
  const said: object[] = [];
  const copies = new JournalCopies({ info: quiet, error: quiet, warn: (fields) => void said.push(fields) });
  copies.configure([copy]);
  const began = performance.now();
  copies.configure([]);
  copies.push(['not for it\n']);
  await copies.close();
  t.ok(performance.now() - began < 8000);
  t.strictSame(copies.lost, [{ copy: 'syslog', lost: auditSyslogQueueMax + 7 }]);
  t.strictSame(said, [{ copy: 'syslog', lost: auditSyslogQueueMax + 7 }]);
});

/** A standard output, and its reader: each step takes one piece. */
function slowOutput(): {
  output: Pick<NodeJS.WriteStream, 'writable' | 'write'>;
  written: string[];
  step: () => void;
} {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  const write = (text: string, done: (error?: Error | null) => void): boolean => {
    waiting.push(() => {
      written.push(text);
      done();
    });
    return false;
  };
  const output = { writable: true, write } as unknown as NodeJS.WriteStream;
  return { output, written, step: () => waiting.shift()?.() };
}

t.test('standard output that is read slowly, and then not at all', async (t) => {
  const { output, written, step } = slowOutput();
  const copy = new StdoutCopy(output);
  const lines = Array.from({ length: 30 }, (_, number) => `${number}${'é'.repeat(500)}\n`);
  copy.push(lines);
  const isSettled = copy.settled().then(() => true);
  await pause(10);
  step();
  await pause(10);
  t.equal(written.length, 1);
  t.ok(Buffer.byteLength(written[0] ?? '') <= 4096, 'what a pipe takes whole');
  t.match(written[0], /\n$/);
  for (let count = 0; count < 30; count += 1) {
    step();
    await pause(1);
  }
  t.ok(await isSettled);
  t.equal(written.join(''), lines.join(''), 'each line once, in its order');
  copy.push([`${'x'.repeat(auditStdoutBytesMax - 3)}\n`, 'b\n', 'c\n']);
  t.equal(copy.lost, 1, 'as much as fits waits');
  copy.close();
  t.equal(copy.lost, 3, 'and is counted when it is given up');
});

t.test('standard output that is closed', async (t) => {
  const copy = new StdoutCopy({ writable: false, write: () => t.fail('it can not be written') });
  copy.push(['a\n', 'b\n']);
  await copy.settled();
  t.equal(copy.lost, 2);
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
  await byFile.settled();
  byFile.push([lineOf('no head')]);
  await byFile.settled();
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
  await byHttp.settled();
  t.strictSame(bodies, [`POST ${expected}`]);
  t.equal(byHttp.lost, 0);
  status = 500;
  byHttp.push([line]);
  await byHttp.settled();
  t.equal(byHttp.lost, 1);

  const none = new Witness(join(t.testdir(), 'none', 'heads'));
  for (let count = 0; count < 5; count += 1) none.push([line]);
  await none.settled();
  t.ok(none.lost >= 4 && none.lost <= 5, `${none.lost}`);
});

t.test('losses are said once in a while, and stay counted', async (t) => {
  const said: object[] = [];
  const copies = new JournalCopies({ info: quiet, error: quiet, warn: (fields) => void said.push(fields) });
  const losing = (target: string): JournalCopy => {
    const copy = {
      name: 'losing',
      target,
      lost: 0,
      push: () => void (copy.lost += 1),
      settled: () => Promise.resolve(),
      close: () => undefined,
    };
    return copy;
  };
  copies.configure([losing('a')]);
  for (let count = 0; count < 10; count += 1) copies.push(['x\n']);
  t.strictSame(said, [{ copy: 'losing', lost: 1 }]);
  copies.configure([losing('b')]);
  copies.push(['x\n']);
  t.strictSame(copies.lost, [{ copy: 'losing', lost: 11 }]);
  await copies.close();
  t.match(said.at(-1), { lost: 11 });
});

t.test('a reload leaves a copy alone that stays', async (t) => {
  const said: object[] = [];
  const copies = new JournalCopies({ info: quiet, error: quiet, warn: (fields) => void said.push(fields) });
  const path = join(mkdtempSync(join(tmpdir(), 'scpd-log-')), 'log.sock');
  t.teardown(() => rmSync(dirname(path), { recursive: true, force: true }));
  const down = (): SyslogCopy => new SyslogCopy({ kind: 'unix', path });
  copies.configure([down()]);
  copies.push(['first\n']);
  copies.configure([down()]);
  copies.push(['second\n']);
  await pause(auditCopyCloseMs + 200);
  const server = await startSyslogServer(t, path);
  await until(() => server.messages.length === 2);
  t.match(server.messages, [/first$/, /second$/], 'what waited goes on waiting, before what came later');
  await copies.close();
  t.strictSame(copies.lost, [{ copy: 'syslog', lost: 0 }]);
  t.strictSame(said, []);
});
