/** The schema's verdict on a document, in plain words. Nothing of the validator's own language reaches the operator. */
import { Ajv, type ErrorObject } from 'ajv';
import { parseNetwork } from '../users/networks.ts';
import { isTimeZone, parseDays, parseMinute } from '../users/time-window.ts';
import type { ConfigDocument, KeyPath } from './document.ts';
import { quoted } from './document.ts';
import type { Findings } from './findings.ts';
import { configSchema, expectedWords, type Schema } from './schema.ts';
import { parseSizeBytes } from './size.ts';
import { didYouMean } from './suggest.ts';

const ajv = new Ajv({
  strict: true,
  allErrors: true,
  verbose: true,
  useDefaults: true,
  allowUnionTypes: true,
  // The code runs once: to make it shorter takes longer than it saves (40 ms of each start).
  code: { optimize: false },
});
ajv.addKeyword({ keyword: 'expected', schemaType: 'string' });
for (const [name, isValid] of Object.entries({
  network: (text: string) => parseNetwork(text) !== undefined,
  days: (text: string) => parseDays(text) !== undefined,
  minute: (text: string) => parseMinute(text) !== undefined,
  zone: isTimeZone,
})) {
  ajv.addFormat(name, { type: 'string', validate: isValid });
}
ajv.addFormat('size', { type: 'string', validate: (text: string) => parseSizeBytes(text) !== undefined });
const check = ajv.compile(configSchema);

/** Adds what the schema finds wrong, one problem per value, and fills the defaults into `document.value`. */
export function validate(document: ConfigDocument, findings: Findings): void {
  if (document.value === undefined) return;
  check(document.value);
  const judged = new Set<string>();
  for (const error of check.errors ?? []) {
    const path = document.pathOf(error.instancePath);
    switch (error.keyword) {
      case 'required':
        addMissing(error, path, { document, findings });
        break;
      case 'additionalProperties':
        addUnknown(error, path, findings);
        break;
      case 'propertyNames':
        addBadName(error, path, findings);
        break;
      default:
        // One value may break several rules, but "expected …" states them all. A bad name has its own error above.
        if (error.propertyName !== undefined || judged.has(error.instancePath)) break;
        judged.add(error.instancePath);
        addBadValue(error, path, { document, findings });
    }
  }
}

interface Context {
  readonly document: ConfigDocument;
  readonly findings: Findings;
}

function addMissing(error: ErrorObject, path: KeyPath, { document, findings }: Context): void {
  // A key that a syntax error hides is not missing.
  if (!document.isComplete(path)) return;
  const key = String(error.params['missingProperty']);
  const schema = schemaOf(error).properties?.[key];
  findings.add(
    [...path, key],
    `expected ${schema === undefined ? 'a value' : expectedWords(schema)}, got nothing`,
  );
}

function addUnknown(error: ErrorObject, path: KeyPath, findings: Findings): void {
  const key = String(error.params['additionalProperty']);
  const known = Object.keys(schemaOf(error).properties ?? {});
  findings.addAtKey([...path, key], `unknown key ${quoted(key)}${didYouMean(key, known)}`);
}

function addBadName(error: ErrorObject, path: KeyPath, findings: Findings): void {
  const name = String(error.params['propertyName']);
  const names = schemaOf(error).propertyNames;
  const expected = names === undefined ? 'another name' : expectedWords(names);
  findings.addAtKey([...path, name], `expected ${expected}, got ${quoted(name)}`);
}

function addBadValue(error: ErrorObject, path: KeyPath, { document, findings }: Context): void {
  const schema = schemaOf(error);
  const known = schema.enum;
  const suggestion =
    known !== undefined && typeof error.data === 'string' ? didYouMean(error.data, known) : '';
  findings.add(path, `expected ${expectedWords(schema)}, got ${document.got(path)}${suggestion}`);
}

/** The subschema that a value broke (option `verbose` of ajv). */
function schemaOf(error: ErrorObject): Schema {
  return error.parentSchema as unknown as Schema;
}
