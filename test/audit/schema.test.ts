/** Goal: the published schema of a record is the one that the tests check by. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { recordSchema } from '../../src/audit/record-schema.ts';

t.test('docs/audit-record.json is the schema; "make docs" writes it', async (t) => {
  const published: unknown = JSON.parse(
    readFileSync(new URL('../../docs/audit-record.json', import.meta.url), 'utf8'),
  );
  t.same(published, JSON.parse(JSON.stringify(recordSchema)));
});
