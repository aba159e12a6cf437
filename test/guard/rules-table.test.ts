/** Goal: docs/rules.md says what the server answers. `make docs` runs this with WRITE_DOCS=yes, and then it is written. */
import t from 'tap';
import { readFileSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { renderRules } from '../support/rules-table.ts';

const page = new URL('../../docs/rules.md', import.meta.url);

t.test('docs/rules.md is current; "make docs" writes it', async (t) => {
  const rendered = await format(await renderRules(t), { parser: 'markdown', proseWrap: 'preserve' });
  if (process.env['WRITE_DOCS'] === 'yes') writeFileSync(page, rendered);
  t.equal(readFileSync(page, 'utf8'), rendered);
  t.notMatch(rendered, /Internal server error|undefined/);
});
