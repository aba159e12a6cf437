/** Goal: the operator learns what a user may do, by which rule, and what was asked before it - as a session would. */
import t, { type Test } from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli, type CliResult } from '../support/cli.ts';

const config = `{
  "listen": [{ "host": "127.0.0.1", "port": 0 }],
  "hostKeys": ["../keys/host/ssh_host_ed25519_key"],
  "audit": { "dir": "../var/audit" },
  "roles": {
    "partner": {
      "rules": [{ "path": "/incoming/**", "preset": "drop-box", "names": { "deny": [".*"] } }],
      "networks": ["192.0.2.0/24", "2001:db8::/32"],
    },
    "never": { "hours": [{ "days": ["mon"], "from": "00:00", "to": "00:01", "zone": "UTC" },
                         { "days": ["mon"], "from": "00:00", "to": "00:01", "zone": "UTC" }] },
  },
  "users": {
    "alice": { "root": "../var/demo", "authorizedKeys": "../keys/users/demo", "preset": "full" },
    "acme": {
      "root": "../var/demo", "authorizedKeys": "../keys/users/demo",
      "rules": [
        { "path": "/secret/**", "allow": [] },
        { "path": "/pub/**", "preset": "read-only", "deny": ["hash"], "quota": { "bytes": "1kB", "files": 3 } },
      ],
      "roles": ["partner"],
    },
    "strict": {
      "root": "../var/demo", "authorizedKeys": "../keys/users/demo", "preset": "full", "symlinks": "refuse",
    },
    "saver": {
      "root": "../var/demo", "authorizedKeys": "../keys/users/demo", "preset": "backup",
      "rules": [{ "path": "/box/**", "allow": ["create"] }],
    },
  },
}
`;

async function placeWith(t: Test): Promise<(...words: string[]) => Promise<CliResult>> {
  const place = t.testdir({});
  t.equal((await runCli(['init'], place)).exitCode, 0);
  writeFileSync(join(place, 'config', 'scpd.json'), config);
  return async (...words) => await runCli(['explain', ...words], place);
}

t.test('the answer, the rule with its place, and the chain', async (t) => {
  const explain = await placeWith(t);
  const rows: readonly (readonly [words: string, exitCode: number, stdout: RegExp])[] = [
    [
      'saver read /.versions/a/20261125T101112.131Z',
      0,
      /^allowed: saver read \/\.versions\/a\/2026[^]*\/box\/\*\*: does not match\n[^]*\/\*\*: matches, and decides/,
    ],
    [
      'saver delete /.versions/a/20261125T101112.131Z',
      1,
      /^denied: .*\n {2}old versions of files can only be looked at\n$/,
    ],
    [
      'alice delete /x',
      0,
      /^allowed: alice delete \/x\n.*\(config\/scpd\.json:14:\d+ users\.alice\.preset\)/,
    ],
    [
      'acme read pub//./report',
      0,
      /^allowed: acme read \/pub\/report\n.*scpd\.json:19:9 users\.acme\.rules\[1\]/,
    ],
    ['acme hash /pub/report', 1, /^denied: .*\n {2}the rule denies it by "deny"/],
    ['acme read /pub/report', 0, /quotas of directories.*\n.*rules\[1\] below \/pub: 1000 bytes and 3 files/],
    ['acme stat /secret/../secret/x', 1, /^denied: .*\n {2}the rule does not allow it .*scpd\.json:18:9/],
    ['acme create /incoming/new', 0, /scpd\.json:7:17 roles\.partner\.rules\[0\]/],
    ['acme create /incoming/.new', 1, /"names" of the rule/],
    ['acme stat /incoming/new', 1, /only on the user's own uploads .*\n.*within 10 minutes/],
    ['acme stat /incoming', 0, /the directory that a rule is about/],
    ['acme read /elsewhere', 1, /no rule matches/],
    ['strict symlink /x', 1, /^denied: .*\n {2}the rules allow it, but the user's "symlinks" is "refuse"/],
    ['strict create /x', 0, /^allowed/],
    ['alice read /.scpd/staging', 1, /reserved/],
    ['acme create /incoming/new --from 192.0.2.7', 0, /^allowed/],
    ['acme create /incoming/new --from ::ffff:192.0.2.7', 0, /^allowed/],
    ['acme create /incoming/new --from 2001:db8::1', 0, /^allowed/],
    [
      'acme create /incoming/new --from 198.51.100.1',
      1,
      /^denied: .*\n {2}the login is refused: the address/,
    ],
  ];
  for (const [words, exitCode, stdout] of rows) {
    const result = await explain(...words.split(' '));
    t.equal(result.exitCode, exitCode, `${words}: ${result.stderr}`);
    t.match(result.stdout, stdout, words);
    t.equal(result.stderr, '', words);
  }
  const { stdout } = await explain('acme', 'read', '/elsewhere');
  t.match(
    stdout,
    /rules asked:\n.*rules\[0\] \/secret\/\*\*: does not match\n.*\n.*roles\.partner.*: does not match\n$/,
  );
});

t.test('for programs', async (t) => {
  const explain = await placeWith(t);
  const { stdout, exitCode } = await explain('acme', 'hash', '/pub/x', '--json', '--from', '192.0.2.1');
  t.equal(exitCode, 1);
  t.match(JSON.parse(stdout), {
    allowed: false,
    user: 'acme',
    verb: 'hash',
    path: '/pub/x',
    from: '192.0.2.1',
    reason: 'denied',
    rule: { place: 'config/scpd.json:19:9', key: 'users.acme.rules[1]', path: '/pub/**' },
    chain: [
      { key: 'users.acme.rules[0]', matched: false },
      { key: 'users.acme.rules[1]', matched: true },
    ],
  });
});

t.test('no answer', async (t) => {
  const explain = await placeWith(t);
  const rows: readonly (readonly [words: string, stderr: RegExp])[] = [
    ['acme read', /argument PATH is missing/],
    ['acme red /x', /unknown verb "red"; did you mean "read"\?/],
    ['acm read /x', /unknown user "acm"; did you mean "acme"\?/],
    ['acme read /x --from somewhere', /no IP address "somewhere"/],
    ['acme read /x --config none.json', /no file at none\.json/],
  ];
  for (const [words, stderr] of rows) {
    const result = await explain(...words.split(' '));
    t.equal(result.exitCode, 2, words);
    t.match(result.stderr, stderr, words);
    t.equal(result.stdout, '', words);
  }
});
