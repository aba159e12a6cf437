/** Records both ways: one table for the parser and the encoder, and what the parser refuses. */
import t from 'tap';
import { ProtocolError } from '../../../src/errors.ts';
import { encodeName } from '../../../src/name-bytes.ts';
import { encodeRecord, parseRecord, type ScpRecord } from '../../../src/protocol/scp/records.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The line as it stands on the wire (Latin-1: a character is a byte) without its newline, and what it says. */
const bothWays: readonly (readonly [string, ScpRecord])[] = [
  ['C0644 12 file', { kind: 'file', mode: 0o644, sizeBytes: 12n, name: 'file' }],
  ['C0000 0 a b', { kind: 'file', mode: 0, sizeBytes: 0n, name: 'a b' }],
  ['C0644 0  lead', { kind: 'file', mode: 0o644, sizeBytes: 0n, name: ' lead' }],
  ['C0644 0 ', { kind: 'file', mode: 0o644, sizeBytes: 0n, name: '' }],
  ['C4755 1 x', { kind: 'file', mode: 0o4755, sizeBytes: 1n, name: 'x' }],
  ['C0644 9007199254740993 x', { kind: 'file', mode: 0o644, sizeBytes: 9007199254740993n, name: 'x' }],
  ['C0644 9223372036854775807 x', { kind: 'file', mode: 0o644, sizeBytes: 2n ** 63n - 1n, name: 'x' }],
  ['C0644 1 \xc3\xa4', { kind: 'file', mode: 0o644, sizeBytes: 1n, name: 'ä' }],
  ['C0644 1 \xff\xfe', { kind: 'file', mode: 0o644, sizeBytes: 1n, name: '\udcff\udcfe' }],
  ['C0644 1 ../x', { kind: 'file', mode: 0o644, sizeBytes: 1n, name: '../x' }],
  ['D0755 0 dir', { kind: 'directory', mode: 0o755, name: 'dir' }],
  ['E', { kind: 'leave' }],
  ['T0 0 0 0', { kind: 'times', times: { modifiedSeconds: 0, accessedSeconds: 0 } }],
  [
    'T1700000000 0 2208988800 0',
    { kind: 'times', times: { modifiedSeconds: 1_700_000_000, accessedSeconds: 2_208_988_800 } },
  ],
  ['\x01scp: x: No', { kind: 'error', fatal: false, message: 'scp: x: No' }],
  ['\x02', { kind: 'error', fatal: true, message: '' }],
];

t.test('records both ways', async (t) => {
  for (const [line, record] of bothWays) {
    t.same(parseRecord(latin1(line)), record, `parse ${JSON.stringify(line)}`);
    t.same(encodeRecord(record), latin1(`${line}\n`), `encode ${JSON.stringify(line)}`);
  }
});

t.test('microseconds and the largest time are read', async (t) => {
  t.same(parseRecord(latin1('T1 500000 9007199254740991 0')), {
    kind: 'times',
    times: { modifiedSeconds: 1.5, accessedSeconds: Number.MAX_SAFE_INTEGER },
  });
});

t.test('what no sender of good will writes is refused', async (t) => {
  const refused = [
    '',
    'X',
    'c0644 1 x',
    'SSH-2.0-x',
    'C0644 1',
    'C0644 1x',
    'C0644 -1 x',
    'C0644 +1 x',
    'C0644 0x1 x',
    'C0644 1e3 x',
    'C0644  1 x',
    'C0644 9223372036854775808 x',
    'C0644 99999999999999999999 x',
    'C644 1 x',
    'C00644 1 x',
    'C0888 1 x',
    'C-644 1 x',
    'C 0644 1 x',
    'D0755 x',
    'E ',
    'E0',
    'T',
    'T1 0 1',
    'T1 0 1 0 ',
    'T-1 0 1 0',
    'T1 1000000 1 0',
    'T9007199254740992 0 1 0',
    'T99999999999999999999 0 1 0',
    'T1.5 0 1 0',
    'T1 0 1 0\r',
  ];
  for (const line of refused) {
    t.throws(() => parseRecord(latin1(line)), ProtocolError, JSON.stringify(line));
  }
});

t.test('a name with a newline is sent as vis(3) writes it, any other as it is', async (t) => {
  const lineOf = (name: string): string =>
    encodeRecord({ kind: 'directory', mode: 0o755, name }).toString('latin1');
  t.equal(lineOf('a\nb'), 'D0755 0 a\\^Jb\n');
  t.equal(lineOf('a\\b \t\x7f\x01\nä\udca0\udcff'), 'D0755 0 a\\\\b \t\\^?\\^A\\^J\\M-C\\M-$\\240\\M^?\n');
  t.equal(lineOf('a\\b\x01'), 'D0755 0 a\\b\x01\n');
  t.equal(encodeName('ä').toString('latin1'), '\xc3\xa4');
});

t.test('times are sent in whole seconds and never before 1970', async (t) => {
  t.same(
    encodeRecord({ kind: 'times', times: { modifiedSeconds: 1.9, accessedSeconds: -5 } }).toString(),
    'T1 0 0 0\n',
  );
});
