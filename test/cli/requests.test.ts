/** `scpd requests` says of every request and extension what the rules are asked. */
import t from 'tap';
import { run } from '../support/clients.ts';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

t.test('the table', async (t) => {
  const { status, stdout, stderr } = await run(process.execPath, [program, 'requests']);
  t.strictSame([status, stderr], [0, '']);
  const lines = stdout.trimEnd().split('\n');
  t.equal(lines.length, 35);
  t.match(lines[0], /^request +type +changes +verbs$/);
  t.match(stdout, /^OPEN +3 +- +read create overwrite append$/m);
  t.match(stdout, /^RENAME +18 +yes +rename create$/m);
  t.match(stdout, /^hardlink@openssh\.com +extension +yes +read attributes create$/m);
  t.match(stdout, /^check-file-name +extension +- +hash$/m);
});
