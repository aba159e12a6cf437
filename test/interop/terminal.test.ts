/** Goal: what a person sees and does at a terminal: the progress meter, Ctrl-C, the question about an unknown host key. */
import t, { type Test } from 'tap';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';
import { openTerminal, terminalMissing } from '../support/terminal.ts';

const skip = missing('scp') || terminalMissing;
const waitMsMax = 30_000;

function makePlace(t: Test): string {
  const place = mkdtempSync(join(tmpdir(), 'scpd-terminal-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

function scp(server: TestServer, protocol: 'scp' | 'sftp', parameters: readonly string[]): string[] {
  return [protocol === 'scp' ? '-O' : '-s', '-P', String(server.port), ...server.sshOptions, ...parameters];
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += 50) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain for ${what}`);
}

for (const protocol of ['scp', 'sftp'] as const) {
  t.test(`the progress meter appears (${protocol})`, { skip }, async (t) => {
    const server = await startServer(t);
    const file = join(makePlace(t), 'some-file');
    writeRandom(file, 5_000_000);
    const terminal = await openTerminal(t, 'scp', scp(server, protocol, [file, remote('some-file')]));
    t.equal(await terminal.status, 0);
    t.match(terminal.shown, /some-file +100% +4883KB/);
  });

  t.test(`Ctrl-C in the middle leaves the old file whole (${protocol})`, { skip }, async (t) => {
    const server = await startServer(t);
    const file = join(makePlace(t), 'new');
    writeRandom(file, 20_000_000);
    writeFileSync(server.stored('kept'), 'the old content');
    // 16 Mbit/s: ten seconds, of which this takes as many as it needs to see it run.
    const slowly = ['-l', '16000', file, remote('kept')];
    const terminal = await openTerminal(t, 'scp', scp(server, protocol, slowly));
    await until(
      'the transfer to be under way',
      () => server.staged().length > 0 && /new +[1-9]\d?%/.test(terminal.shown),
    );
    terminal.type('\x03');
    t.not(await terminal.status, 0);
    await until('the server to notice', () => server.staged().length === 0);
    t.equal(readFileSync(server.stored('kept'), 'utf8'), 'the old content');
    await until('the record', () => server.records().some(({ verdict }) => verdict === 'aborted'));
    t.match(await server.newest('upload'), { path: '/kept', error: 'CONNECTION_LOST' });
  });
}

t.test('an unknown host key asks', { skip }, async (t) => {
  const server = await startServer(t);
  const place = makePlace(t);
  writeFileSync(join(place, 'file'), 'x');
  const knownHosts = join(place, 'known_hosts');
  const asking = ['-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'BatchMode=no'];
  for (const [answer, status] of [
    ['no', 255],
    ['yes', 0],
  ] as const) {
    const parameters = scp(server, 'sftp', [join(place, 'file'), remote(`asked-${answer}`)]);
    const terminal = await openTerminal(t, 'scp', [...asking, ...parameters]);
    await until('the question', () => /continue connecting \(yes\/no/.test(terminal.shown));
    t.match(terminal.shown, /ED25519 key fingerprint is SHA256:/);
    terminal.type(`${answer}\r`);
    t.equal((await terminal.status) === 0, status === 0, terminal.shown);
    t.equal(existsSync(server.stored(`asked-${answer}`)), answer === 'yes');
  }
});

t.test('ssh at a terminal: one friendly line and the prompt is back', { skip }, async (t) => {
  const server = await startServer(t);
  const parameters = ['-p', String(server.port), ...server.sshOptions, 'demo@127.0.0.1'];
  const terminal = await openTerminal(t, 'ssh', parameters);
  await terminal.status;
  t.match(terminal.shown, /only transfers files/);
});
