import t from 'tap';
import { readFileSync } from 'node:fs';
import { renderReference } from '../../src/config/reference.ts';
import { configSchema, type Schema } from '../../src/config/schema.ts';
import { didYouMean } from '../../src/config/suggest.ts';

/** Every schema of a value, by its dotted path. */
function* values(schema: Schema, path: string): Iterable<readonly [path: string, schema: Schema]> {
  yield [path, schema];
  for (const [key, inner] of Object.entries(schema.properties ?? {})) yield* values(inner, `${path}.${key}`);
  if (schema.items !== undefined) yield* values(schema.items, `${path}[]`);
  const { additionalProperties } = schema;
  if (additionalProperties !== undefined && additionalProperties !== false) {
    yield* values(additionalProperties, `${path}.NAME`);
  }
}

t.test('every key tells an editor and an operator what it is', async (t) => {
  for (const [path, schema] of values(configSchema, 'configuration')) {
    t.match(schema, { title: /\w/, description: /\.$/ }, path);
    if (path !== 'configuration') t.ok((schema.examples?.length ?? 0) > 0, `${path} has an example`);
    if (schema.type === 'object') t.not(schema.additionalProperties, undefined, `${path} is closed`);
    if (schema.type === 'integer')
      t.ok(schema.minimum !== undefined && schema.maximum !== undefined, `${path} has a range`);
    if (schema.type === 'array') t.ok(schema.maxItems !== undefined, `${path} is bounded`);
  }
});

t.test('the reference is what the schema says; "make docs" writes it', async (t) => {
  const page = readFileSync(new URL('../../config/README.md', import.meta.url), 'utf8');
  t.equal(page, renderReference(configSchema));
  for (const [path] of values(configSchema, 'configuration')) {
    const key = path.replace(/^configuration\.?/, '').replace(/(\[\]|\.NAME)$/, '');
    t.ok(page.includes(`# ${key}`), key);
  }
});

t.test('suggestions', async (t) => {
  const known = ['listen', 'hostKeys', 'durability', 'audit', 'log', 'limits', 'users'];
  const rows = [
    ['listne', '; did you mean "listen"?'],
    ['hostkeys', '; did you mean "hostKeys"?'],
    ['user', '; did you mean "users"?'],
    ['quota', ''],
    ['', ''],
    ['x'.repeat(10_000), ''],
  ] as const;
  for (const [word, suggestion] of rows) t.equal(didYouMean(word, known), suggestion, word.slice(0, 20));
  t.equal(didYouMean('listen', []), '');
});
