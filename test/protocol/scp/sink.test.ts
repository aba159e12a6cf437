/** The receiving machine: bytes → events, in any split, and never an error but the protocol's. */
import t from 'tap';
import { ProtocolError } from '../../../src/errors.ts';
import { scpDepthMax, scpLineBytesMax } from '../../../src/limits.ts';
import { ScpSink, type ScpSinkEvent } from '../../../src/protocol/scp/sink.ts';
import { Chance } from '../../support/chance.ts';

/** One event in short: data as its text, the rest as its facts. */
type Seen = string | object;

interface Run {
  readonly events: readonly Seen[];
  /** The message of the `ProtocolError` that ended it. */
  readonly error?: string;
}

/** Takes all events of these pieces and of EOF, with a yes to everything. Data of one file is joined. */
function run(pieces: readonly Buffer[], recursive = true): Run {
  const sink = new ScpSink({ recursive });
  const events: Seen[] = [];
  const take = (event: ScpSinkEvent): void => {
    const last = events.at(-1);
    if (event.kind === 'data' && typeof last === 'string') {
      events[events.length - 1] = last + event.bytes.toString('latin1');
    } else {
      events.push(event.kind === 'data' ? event.bytes.toString('latin1') : event);
    }
    if (!['data', 'remoteError', 'end'].includes(event.kind)) sink.accept();
  };
  sink.accept();
  try {
    for (const piece of pieces) for (const event of sink.push(piece)) take(event);
    for (const event of sink.end()) take(event);
    return { events };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { events, error: error.message };
  }
}

const whole = (text: string): Run => run([Buffer.from(text, 'latin1')]);
const end = { kind: 'end', complete: true };
const cutOff = { kind: 'end', complete: false };
const file = (name: string, sizeBytes: bigint): object => ({ kind: 'file', mode: 0o644, sizeBytes, name });
const stored = { kind: 'fileEnd', clientError: undefined };
const directory = (name: string): object => ({ kind: 'directory', mode: 0o755, name });
const times = { modifiedSeconds: 1, accessedSeconds: 2 };
const leave = { kind: 'leave' };

/** Bytes of a client until its EOF, the events, and the error that ends them. */
const table: readonly (readonly [string, readonly Seen[], string?])[] = [
  ['', [end]],
  ['C0644 3 a\nabc\0', [file('a', 3n), 'abc', stored, end]],
  ['C0644 0 a\n\0', [file('a', 0n), stored, end]],
  ['C0644 3 a\nabc', [file('a', 3n), 'abc', stored, end]],
  ['C0644 0 a\n', [file('a', 0n), stored, end]],
  ['C0644 3 a\nab', [file('a', 3n), 'ab', cutOff]],
  ['C0644 3 a\n', [file('a', 3n), cutOff]],
  ['C0644 3 a', [cutOff]],
  [
    'C0644 1 a\nx\x01scp: a: gone\n',
    [file('a', 1n), 'x', { kind: 'fileEnd', clientError: 'scp: a: gone' }, end],
  ],
  ['C0644 1 a\nx\x01scp: a', [file('a', 1n), 'x', { kind: 'fileEnd', clientError: 'scp: a' }, cutOff]],
  [
    'C0644 1 a\nx\x02bye\nC0644 1 b\n',
    [file('a', 1n), 'x', { kind: 'remoteError', message: 'bye', fatal: true }, end],
  ],
  [
    'T1 0 2 0\nC0644 0 a\n\0C0644 0 b\n\0',
    [{ kind: 'times' }, { ...file('a', 0n), times }, stored, file('b', 0n), stored, end],
  ],
  [
    'T1 0 2 0\nD0755 0 d\nC0644 0 a\n\0E\n',
    [{ kind: 'times' }, { ...directory('d'), times }, file('a', 0n), stored, leave, end],
  ],
  ['D0755 0 d\nD0755 0 e\nE\nE\n', [directory('d'), directory('e'), leave, leave, end]],
  ['D0755 0 d\n', [directory('d'), cutOff]],
  ['E\nC0644 0 a\n\0', [leave, end]],
  [
    '\x01scp: d: not a regular file\nC0644 0 a\n\0',
    [
      { kind: 'remoteError', message: 'scp: d: not a regular file', fatal: false },
      file('a', 0n),
      stored,
      end,
    ],
  ],
  ['\x02scp: bye\nC0644 0 a\n', [{ kind: 'remoteError', message: 'scp: bye', fatal: true }, end]],
  ['C0644 0 ..\nC0644 0 a\n\0', [{ kind: 'hostileName', name: '..' }, end]],
  ['D0755 0 .\n', [{ kind: 'hostileName', name: '.' }, end]],
  ['D0755 0 \n', [{ kind: 'hostileName', name: '' }, end]],
  ['C0644 0 a/b\n', [{ kind: 'hostileName', name: 'a/b' }, end]],
  ['C0644 0 a\0b\n', [{ kind: 'hostileName', name: 'a\0b' }, end]],
  ['\n', [], 'expected control record'],
  ['\0', [], 'expected control record'],
  ['SSH-2.0-x\r\n', [], 'expected control record'],
  ['C0644 1 a\nxyz', [file('a', 1n), 'x'], 'expected an answer'],
  ['C0644 1 a\nx\0\0\n\r', [file('a', 1n), 'x', stored], 'expected control record'],
  ['C0644 1x a\n', [], 'malformed mode or size'],
  ['T1 0 2\n', [], 'malformed times'],
];

t.test('a table of sessions, whole and byte by byte', async (t) => {
  for (const [text, events, error] of table) {
    const expected: Run = error === undefined ? { events } : { events, error };
    const bytes = Buffer.from(text, 'latin1');
    t.same(run([bytes]), expected, JSON.stringify(text));
    t.same(run(Array.from(bytes, (byte) => Buffer.of(byte))), expected, `${JSON.stringify(text)}, split`);
  }
});

t.test('a directory without -r', async (t) => {
  t.equal(run([Buffer.from('D0755 0 d\n')], false).error, 'received directory without -r');
});

t.test('entries are counted', async (t) => {
  const sink = new ScpSink({ recursive: true, entriesMax: 2 });
  sink.accept();
  const take = (text: string): void => {
    for (const event of sink.push(Buffer.from(text))) if (event.kind !== 'data') sink.accept();
  };
  take('D0755 0 d\nC0644 0 a\n\0E\n');
  t.throws(() => take('C0644 0 b\n'), new ProtocolError('too many entries'));
});

t.test('directories are nested only so deep', async (t) => {
  t.equal(whole('D0755 0 d\n'.repeat(scpDepthMax)).error, undefined);
  t.equal(whole('D0755 0 d\n'.repeat(scpDepthMax + 1)).error, 'directories are nested too deeply');
  t.equal(whole('D0755 0 d\nE\n'.repeat(scpDepthMax + 9)).error, undefined);
});

t.test('a line ends within its limit, however it comes', async (t) => {
  const longest = Buffer.from(`C0644 0 ${'n'.repeat(scpLineBytesMax - 9)}\n\0`);
  t.equal(run([longest]).error, undefined);
  const tooLong = Buffer.from(`C0644 0 ${'n'.repeat(scpLineBytesMax - 8)}\n\0`);
  t.equal(run([tooLong]).error, 'line too long');
  const byByte = run(Array.from(tooLong, (byte) => Buffer.of(byte)));
  t.equal(byByte.error, 'line too long');
  t.equal(run([Buffer.from('\x01'), Buffer.alloc(scpLineBytesMax, 'e')]).error, 'line too long');
  t.equal(whole(`C0644 0 a\n\x01${'e'.repeat(scpLineBytesMax)}`).error, 'line too long');
});

t.test('a size beyond 2^53 is counted exactly', async (t) => {
  const sink = new ScpSink({ recursive: false });
  sink.accept();
  for (const event of sink.push(Buffer.from('C0644 9007199254740993 a\nxy'))) {
    if (event.kind === 'file') {
      t.equal(event.sizeBytes, 9007199254740993n);
      sink.accept();
    }
  }
  t.same([...sink.end()], [cutOff]);
});

t.test('exactly one answer for each event that wants one', async (t) => {
  const sink = new ScpSink({ recursive: true });
  t.throws(() => [...sink.push(Buffer.from('E\n'))], /an answer is owed: greeting/);
  t.same(sink.accept(), Buffer.of(0));
  t.throws(() => sink.accept(), /no answer is owed/);
  t.throws(() => sink.warn('twice'), /no answer is owed/);
  const events = sink.push(Buffer.from('C0644 1 a\nx\0'));
  t.match(events.next().value, { kind: 'file' });
  t.throws(() => events.next(), /an answer is owed: file/);
});

t.test('a refused file is not sent, and its client must wait for answers from then on', async (t) => {
  const next = (sink: ScpSink, text: string): ScpSinkEvent | undefined =>
    sink.push(Buffer.from(text)).next().value ?? undefined;
  const refused = (): ScpSink => {
    const sink = new ScpSink({ recursive: true });
    sink.accept();
    t.match(next(sink, 'C0644 99 a\n'), { kind: 'file' });
    t.same(sink.warn('a: no'), Buffer.from('\x01scp: a: no\n'));
    return sink;
  };
  t.match(next(refused(), 'C0644 1 b\n'), { kind: 'file', name: 'b' });
  t.match(next(refused(), '\x01scp: b: gone\nC0644 1 b\n'), { kind: 'remoteError' });
  t.throws(() => next(refused(), 'C0644 1 b\nx'), ProtocolError);
  t.throws(() => next(refused(), 'D0755 0 d\nC0644 1 b\n'), ProtocolError);
  t.throws(() => next(refused(), 'data of a'), ProtocolError);
  const sink = refused();
  t.match(next(sink, 'C0644 0 b\n'), { kind: 'file' });
  sink.accept();
  t.throws(() => next(sink, '\0C0644 0 c\n'), ProtocolError);
});

t.test('a refused directory is not entered', async (t) => {
  const sink = new ScpSink({ recursive: true });
  sink.accept();
  t.match(sink.push(Buffer.from('D0755 0 d\n')).next().value, { kind: 'directory' });
  sink.warn('d: no');
  t.same([...sink.end()], [end]);
});

t.test('after a failure nothing is read', async (t) => {
  const sink = new ScpSink({ recursive: true });
  t.same(sink.fail('bye'), Buffer.from('\x02scp: bye\n'));
  t.same([...sink.push(Buffer.from('C0644 0 a\n'))], []);
  t.ok(sink.isOver);
});

/** Mostly valid sessions with some bytes spoilt. */
function session(chance: Chance): Buffer {
  const records = [
    'C0644 5 file\nhello\0',
    'C0600 0 empty\n\0',
    'T1 0 2 0\n',
    'D0755 0 dir\n',
    'E\n',
    '\x01oops\n',
    'C0644 3 x\nabc\x01bad\n',
    'C0644 2 \xff\xfe\n\n\n\0',
  ];
  const bytes = Buffer.from(
    Array.from({ length: chance.below(12) }, () => chance.pick(records)).join(''),
    'latin1',
  );
  if (bytes.length > 0 && chance.below(2) === 0) {
    for (let spoilt = chance.below(4); spoilt >= 0; spoilt -= 1)
      bytes[chance.below(bytes.length)] = chance.below(256);
  }
  return bytes;
}

t.test('any split gives the same events, and only ProtocolError escapes', async (t) => {
  const seed = Number(process.env['SCPD_TEST_SEED'] ?? 20260131);
  const chance = new Chance(seed);
  for (let round = 0; round < 3000; round += 1) {
    const bytes = session(chance);
    const expected = run([bytes]);
    const splits = run(chance.split(bytes, 1 + chance.below(9)));
    if (JSON.stringify(expected, bigints) !== JSON.stringify(splits, bigints)) {
      t.same(splits, expected, `seed ${seed}, round ${round}: ${JSON.stringify(bytes.toString('latin1'))}`);
    }
  }
  for (let round = 0; round < 2000; round += 1) {
    const bytes = Buffer.from(Array.from({ length: chance.below(80) }, () => chance.below(256)));
    run(chance.split(bytes, 8));
  }
  t.pass(`seed ${seed}`);
});

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
