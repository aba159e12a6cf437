/** Goal: `scpd check` tells the operator what serve would trip over, and what would let nobody in. */
import t from 'tap';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli } from '../support/cli.ts';

t.test('lines of authorized_keys that let nobody in are warnings, each with its place', async (t) => {
  const place = t.testdir({});
  t.equal((await runCli(['init'], place)).exitCode, 0);
  const keys = join(place, 'keys', 'users', 'demo');
  appendFileSync(keys, `from="192.0.2.1" ${readFileSync(keys, 'utf8')}ssh-rsa AAAA\n`);
  const checked = await runCli(['check'], place);
  t.equal(checked.exitCode, 0, 'the configuration itself is sound');
  t.match(checked.stdout, /no problem found/);
  t.match(checked.stderr, /^warning: keys\/users\/demo:2: the option "from" is not supported/m);
  t.match(checked.stderr, /^warning: keys\/users\/demo:3: /m);
});
