/**
 * The published schema, read from where it is published: what editors complete by is what the server checks by, and what
 * the reference is made from. `expected` is our one addition to JSON Schema: the words for what a value should be.
 */
import { readFileSync } from 'node:fs';

/** The part of JSON Schema (draft-07) that `config/schema.json` uses. */
export interface Schema {
  readonly title: string;
  readonly description: string;
  readonly type: string | readonly string[];
  /** Completes "expected …, got …"; where it is missing, the words follow from `enum` or from the range. */
  readonly expected?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly propertyNames?: Schema;
  readonly additionalProperties?: false | Schema;
}

/** Next to the sources and next to `dist/` alike. */
export const schemaFile = new URL('../../config/schema.json', import.meta.url);

export const configSchema = JSON.parse(readFileSync(schemaFile, 'utf8')) as Schema;

/** What a value of this schema should be, as in "expected …". */
export function expectedWords(schema: Schema): string {
  if (schema.enum !== undefined) return `one of ${schema.enum.map((word) => `"${word}"`).join(', ')}`;
  if (schema.expected !== undefined) return schema.expected;
  if (schema.type === 'integer') return `a whole number from ${schema.minimum} to ${schema.maximum}`;
  return `an ${String(schema.type)}`;
}
