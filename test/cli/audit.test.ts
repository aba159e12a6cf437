/** Goal: who reads the journal by scpd's commands learns what a real client did, and whether the journal is whole. */
import t from 'tap';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WrittenRecord } from '../../src/audit/record.ts';
import { csvField } from '../../src/cli/audit-export.ts';
import { missing } from '../support/clients.ts';
import { runCli, startCli } from '../support/cli.ts';
import { remote, startServer } from '../support/server.ts';

const skip = missing('scp');

t.test('the commands, on what clients did', { skip }, async (t) => {
  const server = await startServer(t, {
    users: { box: { preset: 'drop-box' } },
    settings: { workers: 0 },
  });
  const place = mkdtempSync(join(tmpdir(), 'scpd-audit-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, 'file');
  writeFileSync(file, 'x'.repeat(2_000_000));
  t.equal((await server.scp('scp', [file, remote('big')])).status, 0);
  t.equal((await server.scp('sftp', [file, remote('copy')])).status, 0);
  t.not((await server.scp('sftp', [remote('big', 'box'), join(place, 'x')])).status, 0);
  t.match(await server.newest('disconnect'), { path: 'client' });
  const audit = async (...words: string[]) => await runCli(['audit', ...words], server.place);

  const head = await audit('head');
  t.match(head, { exitCode: 0, stdout: /^[0-9]+:[0-9a-f]{64} \d{4}-.*Z\n$/ });
  const expected = head.stdout.trim();
  const sound = await audit('verify', '--expect-head', expected);
  t.match(sound, { exitCode: 0, stdout: /^[0-9]+ records, .* read: all as written; .*; head [0-9]+:/ });

  const found = await audit('search', '--op', 'upload', '--user', 'demo', '--since', '1h', '--json');
  t.equal(found.exitCode, 0, found.stderr);
  const records = found.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as WrittenRecord);
  t.strictSame(
    records.map(({ path, phase }) => [path, phase]),
    [
      ['/big', 'begin'],
      ['/big', 'end'],
      ['/copy', 'begin'],
      ['/copy', 'end'],
    ],
  );
  t.match(records[1], { verdict: 'verified', bytes: 2_000_000, direction: 'in', mode: '0644', attempt: 1 });
  t.match(await audit('search', '--path', '/co*', '--verdict', 'closed', '--min-bytes', '1MB'), {
    exitCode: 0,
    stdout: /^ +[0-9]+ .* demo .* upload +done +\/copy 1\.9 MiB in .* closed sha256:.*\n$/,
  });
  t.match(await audit('search', '--user', 'box', '--outcome', 'refused'), {
    exitCode: 0,
    stdout: /refused \/big PERMISSION_DENIED \[not-own .*scpd\.json:[0-9]+:[0-9]+ users\.box\.preset\]/,
  });
  t.match(await audit('search', '--user', 'nobody'), { exitCode: 1, stdout: '' });
  t.match(await audit('search', '--op', 'uplod'), { exitCode: 2, stderr: /did you mean "upload"/ });
  t.match(await audit('search', '--since', 'soon'), { exitCode: 2, stderr: /expected a time/ });
  t.equal((await audit('search', '--limit', '2')).stdout.trim().split('\n').length, 2);

  const story = await audit('show', records[0]?.transfer ?? '');
  t.equal(story.exitCode, 0);
  const operations = story.stdout.split('\n').filter((line) => /^ +[0-9]+ {2}\d{4}-/.test(line));
  for (const [index, pattern] of [
    /login/,
    /session begins/,
    /upload begins/,
    /upload .*done/,
    /session/,
    /disconnect/,
  ].entries())
    t.match(operations[index], pattern);
  t.match(story.stdout, /sha256 +[0-9a-f]{64}\n/);
  t.match(await audit('show', '01938f00-0000-7000-8000-000000000001'), { exitCode: 1 });

  const report = await audit('report', '--since', '7d', '--json');
  t.match(
    report.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
    [
      { user: 'box', uploads: 0, denials: 3, logins: 1 },
      {
        user: 'demo',
        uploads: 2,
        uploadBytes: 4_000_000,
        failures: 0,
        logins: 2,
        lastGoodUpload: { path: '/copy' },
        slowest: { bytesPerSecond: Number },
      },
    ],
  );
  t.match(
    (await audit('report')).stdout,
    /^box\n {2}uploads {4}0 .*\n[^]*demo\n {2}uploads {4}2 \(3\.8 MiB\)/,
  );

  const csv = (await audit('export', '--csv', '--op', 'upload')).stdout.split('\r\n');
  t.match(csv[0], /^seq,time,connection,/);
  t.equal(csv.length, 6);
  t.equal(csv[2]?.split(',').length, csv[0]?.split(',').length);

  const tail = startCli(['audit', 'tail', '-f', '--lines', '1'], server.place);
  await tail.waitFor(/\n/);
  t.equal((await server.scp('scp', [file, remote('later')])).status, 0);
  await tail.waitFor(/upload begins +\/later/);
  tail.process.kill('SIGTERM');
  await tail.ended;

  t.match(await audit('verify', '--expect-head', expected), { exitCode: 0 }, 'it may be written meanwhile');
  await server.end('SIGTERM');
  const path = join(server.place, 'var/audit/audit.jsonl');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"path":"/copy"', '"path":"/cope"'));
  const tampered = await audit('verify');
  t.match(tampered, { exitCode: 1, stdout: /^audit\.jsonl:([0-9]+): record \1 was changed\n/ });
  t.match(JSON.parse((await audit('verify', '--json')).stdout.trim().split('\n').at(-1) ?? ''), {
    ok: false,
    findings: 1,
  });
});

t.test('no answer', async (t) => {
  const place = t.testdir({ empty: {} });
  const rows: readonly (readonly [words: string, stderr: RegExp])[] = [
    ['audit', /unknown command "audit"/],
    ['audit verfy', /unknown command "audit verfy"; did you mean "audit verify"\?/],
    ['audit head --dir empty', /there is no audit journal in empty/],
    ['audit verify --dir none', /there is no audit journal in none/],
    ['audit verify --dir empty --expect-head 12', /expected SEQ:HASH/],
    ['audit export --dir empty', /say --csv/],
    ['audit tail --lines x', /expected a number/],
    ['audit search --config none.json', /no file at none\.json/],
  ];
  for (const [words, stderr] of rows) {
    const result = await runCli(words.split(' '), place);
    t.equal(result.exitCode, 2, words);
    t.match(result.stderr, stderr, words);
  }
});

t.test('CSV: quotes, and nothing that is a formula', async (t) => {
  t.equal(csvField('a,"b"'), '"a,""b"""');
  t.equal(csvField('=1+1'), "'=1+1");
  t.equal(csvField('@x'), "'@x");
  t.equal(csvField(7), '7');
  t.equal(csvField(null), '');
});
