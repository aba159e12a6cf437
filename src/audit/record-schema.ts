/** `WrittenRecord` as JSON Schema (draft 2020-12), for tests and for whoever reads the journal: docs/audit-record.json. */
import { errorCatalogue } from '../errors.ts';

const text = { type: 'string', maxLength: 4096 } as const;
const textOrNull = { type: ['string', 'null'], maxLength: 4096 } as const;
const time = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' } as const;
const hash = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const fingerprint = '^SHA256:[A-Za-z0-9+/]{43}$';
const id = { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const base64 = '^[A-Za-z0-9+/]*=?=?$';

const transfers = ['upload', 'download'] as const;
const ofTheServer = ['config', 'worker', 'journal', 'checkpoint'] as const;

export const operations = [
  ...transfers,
  'list',
  'stat',
  'mkdir',
  'rmdir',
  'remove',
  'rename',
  'attributes',
  'link',
  'hardlink',
  'hash',
  'prune',
  'exec',
  'subsystem',
  'shell',
  'request',
  'connect',
  'login',
  'session',
  'disconnect',
  ...ofTheServer,
] as const;

type Schema = Readonly<Record<string, unknown>>;

/** If the first holds, so does the second. */
function implies(condition: Schema, conclusion: Schema): Schema {
  return { anyOf: [{ not: condition }, conclusion] };
}

function is(field: string, ...values: readonly string[]): Schema {
  return { required: [field], properties: { [field]: { enum: values } } };
}

function both(...schemas: readonly Schema[]): Schema {
  return { allOf: schemas };
}

export const recordSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'scpd audit record',
  description: 'One line of the journal. docs/audit.md says what the fields mean.',
  type: 'object',
  additionalProperties: false,
  required: [
    'seq',
    'time',
    'connection',
    'session',
    'user',
    'key',
    'address',
    'client',
    'protocol',
    'operation',
    'outcome',
    'path',
    'prev',
    'hash',
  ],
  properties: {
    seq: { type: 'integer', minimum: 1 },
    time,
    connection: { type: ['string', 'null'], minLength: 1 },
    session: textOrNull,
    user: textOrNull,
    key: { type: ['string', 'null'], pattern: fingerprint },
    address: text,
    client: text,
    protocol: { enum: ['ssh', 'scp', 'sftp', 'server'] },
    operation: { enum: operations },
    phase: { enum: ['begin', 'end'] },
    transfer: id,
    direction: { enum: ['in', 'out'] },
    outcome: { enum: ['done', 'refused', 'failed'] },
    path: textOrNull,
    pathBytes: { type: 'string', pattern: base64 },
    target: text,
    stored: text,
    bytes: count,
    upload: id,
    partialBytes: { type: 'integer', minimum: 1 },
    resumedBytes: { type: 'integer', minimum: 1 },
    sha256: hash,
    mode: { type: 'string', pattern: '^0[0-7]{3}$' },
    mtime: time,
    durationMs: count,
    bytesPerSecond: count,
    attempt: { type: 'integer', minimum: 1 },
    verdict: { enum: ['verified', 'closed', 'aborted'] },
    error: { enum: Object.keys(errorCatalogue) },
    rule: {
      type: 'object',
      additionalProperties: false,
      required: ['reason'],
      properties: { reason: text, place: text, key: text },
    },
    method: text,
    looks: {
      type: 'object',
      additionalProperties: false,
      required: ['list', 'stat'],
      properties: { list: count, stat: count },
    },
    journal: {
      type: 'object',
      additionalProperties: false,
      required: ['openSince', 'signer'],
      properties: {
        openSince: { type: ['integer', 'null'], minimum: 1 },
        signer: { type: 'string', pattern: fingerprint },
        signature: { type: 'string', pattern: base64 },
        publicKey: { type: 'string', pattern: '^-----BEGIN PUBLIC KEY-----\n' },
        removed: {
          type: 'object',
          additionalProperties: false,
          required: ['seq', 'hash'],
          properties: { seq: { type: 'integer', minimum: 1 }, hash },
        },
        tornBytes: { type: 'integer', minimum: 1 },
        lostRecords: { type: 'integer', minimum: 1 },
      },
    },
    prev: hash,
    hash,
  },
  allOf: [
    // What did not succeed says why, and only that.
    implies(is('outcome', 'refused', 'failed'), { required: ['error'] }),
    implies(is('outcome', 'done'), { not: { required: ['error'] } }),
    // What lasts has an id that ties its beginning and its end together.
    implies(both({ required: ['phase'] }, is('operation', ...transfers)), {
      required: ['transfer', 'direction', 'attempt'],
    }),
    implies({ required: ['phase'] }, is('operation', ...transfers, 'session')),
    implies({ required: ['transfer'] }, { required: ['phase'] }),
    implies(is('phase', 'begin'), is('outcome', 'done')),
    // The end of a transfer says how much and how sure; that of an upload which succeeded also what.
    implies(both(is('phase', 'end'), is('operation', ...transfers)), {
      required: ['bytes', 'durationMs', 'verdict'],
    }),
    implies(both(is('phase', 'end'), is('operation', 'upload'), is('outcome', 'done')), {
      required: ['sha256', 'mode'],
    }),
    implies(is('verdict', 'aborted'), is('outcome', 'refused', 'failed')),
    // Nobody's session: what the server does by itself.
    implies(is('operation', ...ofTheServer), is('protocol', 'server')),
    implies(is('operation', 'checkpoint'), {
      properties: { journal: { type: 'object', required: ['signature'] } },
      required: ['journal'],
    }),
    implies(is('operation', 'journal'), { required: ['journal'] }),
  ],
} as const;
