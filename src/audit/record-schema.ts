/** `AuditRecord` as JSON Schema (draft 2020-12), for tests and for whoever reads the journal. */
import { errorCatalogue } from '../errors.ts';

const text = { type: 'string', maxLength: 4096 } as const;
const textOrNull = { type: ['string', 'null'], maxLength: 4096 } as const;

export const recordSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'scpd audit record',
  type: 'object',
  additionalProperties: false,
  required: [
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
  ],
  properties: {
    time: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$' },
    connection: { type: 'string', minLength: 1 },
    session: textOrNull,
    user: textOrNull,
    key: { type: ['string', 'null'], pattern: '^SHA256:[A-Za-z0-9+/]{43}$' },
    address: text,
    client: text,
    protocol: { enum: ['ssh', 'scp', 'sftp'] },
    operation: {
      enum: [
        'upload',
        'download',
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
        'login',
        'connect',
      ],
    },
    outcome: { enum: ['done', 'refused', 'failed'] },
    path: textOrNull,
    target: text,
    stored: text,
    bytes: { type: 'integer', minimum: 0 },
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    durationMs: { type: 'integer', minimum: 0 },
    verdict: { enum: ['verified', 'closed', 'aborted'] },
    error: { enum: Object.keys(errorCatalogue) },
  },
  allOf: [
    // What did not succeed says why.
    { anyOf: [{ properties: { outcome: { const: 'done' } } }, { required: ['error'] }] },
    // A transfer that did says how much and how sure; an upload also what.
    {
      anyOf: [
        { properties: { outcome: { not: { const: 'done' } } } },
        { properties: { operation: { not: { enum: ['upload', 'download'] } } } },
        { required: ['bytes', 'durationMs', 'verdict'] },
      ],
    },
    {
      anyOf: [
        { properties: { outcome: { not: { const: 'done' } } } },
        { properties: { operation: { not: { const: 'upload' } } } },
        { required: ['sha256'] },
      ],
    },
  ],
} as const;
