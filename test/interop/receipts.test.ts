/**
 * Goal: a sender fetches the receipt of what it sent with a stock client, checks it with the public key alone, and no
 * changed one passes; nobody sees another's.
 */
import t, { type Test } from 'tap';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../support/cli.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

interface Desk {
  readonly server: TestServer;
  readonly place: string;
}

async function open(t: Test, settings: Readonly<Record<string, unknown>> = {}): Promise<Desk> {
  const place = mkdtempSync(join(tmpdir(), 'scpd-receipts-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const boxed = { preset: 'drop-box', receipts: true };
  const server = await startServer(t, {
    settings,
    users: { sender: boxed, other: { ...boxed, root: '../var/sender' }, without: { preset: 'drop-box' } },
  });
  return { server, place };
}

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

for (const [protocol, workers] of [
  ['scp', 0],
  ['sftp', 2],
] as const) {
  t.test(`scp by ${protocol}, ${workers} workers: sent, fetched, checked, changed`, async (t) => {
    const { server, place } = await open(t, { workers });
    const file = join(place, 'report.pdf');
    writeFileSync(file, 'the report');
    const sent = await server.scp(protocol, [file, remote('report.pdf', 'sender')]);
    t.equal(sent.status, 0, sent.stderr);
    const fetched = join(place, 'fetched');
    mkdirSync(fetched);
    const got = await server.scp(protocol, [remote('.receipts/*-report.pdf.json', 'sender'), `${fetched}/`]);
    t.equal(got.status, 0, got.stderr);
    const [name = ''] = readdirSync(fetched);
    t.match(name, /^\d{8}T\d{6}\.\d{3}Z-\d+-report\.pdf\.json$/);
    const receipt = join(fetched, name);
    const text = readFileSync(receipt, 'utf8');
    const key = join(server.place, 'var', 'audit', 'journal-key.pub');
    const verify = (more: string[] = [], of = receipt) =>
      runCli(['receipt', 'verify', of, '--key', key, ...more], place);

    const good = await verify(['--json', '--file', file]);
    t.equal(good.exitCode, 0, good.stderr + good.stdout);
    const { ok, statement } = JSON.parse(good.stdout) as { ok: boolean; statement: Record<string, unknown> };
    t.equal(ok, true);
    const end = server.records().find(({ operation, phase }) => operation === 'upload' && phase === 'end');
    t.match(statement, {
      path: '/report.pdf',
      size: 10,
      sha256: sha256('the report'),
      verdict: protocol === 'scp' ? 'verified' : 'closed',
      user: 'sender',
      key: end?.key,
      time: end?.time,
      record: end?.seq,
      recordHash: end?.hash,
    });
    t.match((await verify()).stdout, /^good: \/report\.pdf, 10 bytes/);
    t.equal((await runCli(['receipt', 'verify', receipt], server.place)).exitCode, 0, 'by the configuration');

    const changed = join(place, 'changed.json');
    writeFileSync(changed, text.replace('"size": 10', '"size": 11'));
    const found = await verify([], changed);
    t.equal(found.exitCode, 1);
    t.match(found.stderr, /was changed/);
    writeFileSync(file, 'the rep0rt');
    const another = await verify(['--file', file]);
    t.equal(another.exitCode, 1);
    t.match(another.stderr, /is not the file/);
    t.equal((await verify([], join(place, 'none'))).exitCode, 2);
  });
}

t.test('who fetches it in the same session finds it', async (t) => {
  const { server, place } = await open(t, { workers: 2 });
  const file = join(place, 'a');
  writeFileSync(file, 'a');
  const done = await server.sftp(`put ${file} a\nget /.receipts/* ${place}/r.json\n`, 'sender');
  t.equal(done.status, 0, done.stderr);
  t.match(readFileSync(join(place, 'r.json'), 'utf8'), /"path": "\/a"/);
});

t.test('nobody sees, changes or makes what is not his', async (t) => {
  const { server, place } = await open(t, { workers: 0 });
  const file = join(place, 'a');
  writeFileSync(file, 'a');
  t.equal((await server.sftp(`put ${file} a\n`, 'sender')).status, 0);
  const [name = ''] = readdirSync(server.stored('.scpd/receipts/sender', 'sender'));
  const own = `/.receipts/${name}`;
  t.match((await server.sftp('ls -1 /.receipts\n', 'sender')).stdout, name);
  t.notMatch((await server.sftp('ls -a /\n', 'sender')).stdout, /receipts/, 'it is in no listing');
  for (const user of ['other', 'without']) {
    const got = await server.sftp(`get ${own} ${place}/stolen\n`, user);
    t.not(got.status, 0, user);
    t.match(got.stderr, /not found|No such file|denied/i);
  }
  for (const batch of [
    `rm ${own}`,
    `rename ${own} /b`,
    `rename /a ${own}`,
    `put ${file} ${own}`,
    `put ${file} /.receipts/new.json`,
    'mkdir /.receipts/d',
    `chmod 777 ${own}`,
    'rename /.receipts /d',
    'rmdir /.receipts',
    `ln -s ${own} /l`,
    `get /.receipts/../.scpd/receipts/sender/${name} ${place}/reserved`,
    `get /.receipts/../../.scpd/staging ${place}/reserved`,
  ]) {
    const done = await server.sftp(`${batch}\n`, 'sender');
    t.not(done.status, 0, batch);
  }
  t.strictSame(readdirSync(server.stored('.scpd/receipts/sender', 'sender')), [name]);
  t.strictSame(readdirSync(server.stored('', 'sender')).toSorted(), ['.scpd', 'a']);
  const denied = server.records().filter(({ rule }) => rule?.reason === 'receipt');
  t.ok(denied.length > 0, 'the journal says that it was a receipt');
  const explained = await runCli(['explain', 'sender', 'delete', own], server.place);
  t.match(explained.stdout, /receipts can be looked at/);
});
