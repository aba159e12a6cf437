/**
 * Two properties of the machines, on generated inputs: any split of the bytes gives the same events, and nothing but
 * `ProtocolError` ever escapes. The inputs are records that a client might send, mutated.
 */
import t from 'tap';
import { ProtocolError } from '../../src/errors.ts';
import { ScpSink } from '../../src/protocol/scp/sink.ts';
import { ScpSource } from '../../src/protocol/scp/source.ts';
import { Chance } from '../support/chance.ts';
import { fuzzInputs, fuzzSeed } from '../support/fuzz.ts';

const names = ['a', 'a b', '..', '.', '', 'a/b', '\xff\xfe', 'x'.repeat(255), '\x1b[2J', '\0', 'C0644 1 a'];
const numbers = [
  '0',
  '1',
  '3',
  '7',
  '12',
  '-1',
  '9223372036854775807',
  '9223372036854775808',
  '1e3',
  '0x10',
  ' 1',
];
const modes = ['0644', '0755', '7777', '0888', '644', '00644', ''];

/** What a client might send next, mostly in order. */
function record(chance: Chance): string {
  const size = chance.below(4) === 0 ? chance.pick(numbers) : String(chance.below(9));
  const name = chance.below(3) === 0 ? chance.pick(names) : 'name';
  const mode = chance.below(4) === 0 ? chance.pick(modes) : '0644';
  switch (chance.below(9)) {
    case 0:
      return `D${mode} 0 ${name}\n`;
    case 1:
      return 'E\n';
    case 2:
      return `T${chance.pick(numbers)} 0 ${chance.pick(numbers)} ${chance.pick(numbers)}\n`;
    case 3:
      return `\x01scp: ${name}\n`;
    case 4:
      return chance.below(3) === 0 ? '\x02scp: gone\n' : 'E\n';
    case 5:
      return chance.pick(['\0', '\n', 'X', '\x01', 'C', 'SSH-2.0-x\r\n', 'x'.repeat(5000)]);
    default: {
      const bytes = Number(size);
      const data = Number.isSafeInteger(bytes) && bytes >= 0 && bytes < 20 ? 'd'.repeat(bytes) : 'data';
      return `C${mode} ${size} ${name}\n${data}${chance.below(8) === 0 ? '' : '\0'}`;
    }
  }
}

function input(chance: Chance): Buffer {
  const parts = Array.from({ length: 1 + chance.below(8) }, () => record(chance));
  const bytes = Buffer.from(parts.join(''), 'latin1');
  for (let mutations = chance.below(3); mutations > 0 && bytes.length > 0; mutations -= 1)
    bytes[chance.below(bytes.length)] = chance.below(256);
  return bytes;
}

/** What a session would have seen; answers are chosen by the event, so that they are the same for every split. */
function sinkStory(pieces: readonly Buffer[], refuses: boolean): string {
  const sink = new ScpSink({ recursive: true });
  const story: string[] = [];
  let data = '';
  const tell = (line: string): void => {
    if (data !== '') story.push(`data ${data}`);
    data = '';
    story.push(line);
  };
  const handle = (events: ReturnType<ScpSink['push']>): void => {
    for (const event of events) {
      if (event.kind === 'data') {
        data += event.bytes.toString('hex');
        continue;
      }
      tell(JSON.stringify(event, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
      if (event.kind === 'remoteError' || event.kind === 'end') continue;
      const no = event.kind === 'hostileName' || (refuses && event.kind === 'fileEnd');
      tell((no ? sink.warn('no') : sink.accept()).toString('hex'));
    }
  };
  sink.accept();
  try {
    for (const piece of pieces) if (!sink.isOver) handle(sink.push(piece));
    if (!sink.isOver) handle(sink.end());
    tell('over');
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    tell(`broken: ${error.message}`);
  }
  return story.join('\n');
}

function sourceStory(pieces: readonly Buffer[]): string {
  const source = new ScpSource();
  const story: string[] = [];
  try {
    for (const piece of pieces) {
      source.push(piece);
      for (let answer = source.answer(); answer !== undefined; answer = source.answer()) {
        story.push(JSON.stringify(answer));
        source.leave();
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    story.push(`broken: ${error.message}`);
  }
  return story.join('\n');
}

t.test('the receiving end', async (t) => {
  const count = fuzzInputs(3000);
  let broken = 0;
  for (let seed = fuzzSeed(); seed < fuzzSeed() + count; seed += 1) {
    const chance = new Chance(seed);
    const bytes = input(chance);
    const refuses = chance.below(2) === 0;
    const whole = sinkStory([bytes], refuses);
    if (whole.includes('broken')) broken += 1;
    const splits = [chance.split(bytes, 1), chance.split(bytes, 2), chance.split(bytes, 30)];
    for (const pieces of splits) {
      if (sinkStory(pieces, refuses) !== whole) t.equal(sinkStory(pieces, refuses), whole, `seed ${seed}`);
    }
  }
  t.ok(broken > count / 20 && broken < count, `${count} inputs, ${broken} broke the protocol`);
});

t.test('the sending end', async (t) => {
  const count = fuzzInputs(3000);
  for (let seed = fuzzSeed(); seed < fuzzSeed() + count; seed += 1) {
    const chance = new Chance(seed);
    const parts = ['\0', '\0', '\x01no\n', '\x02gone\n', '\x01', 'x', '\xff\n', '\0\0\0'];
    const text = Array.from({ length: chance.below(9) }, () => chance.pick(parts)).join('');
    const bytes = Buffer.from(text, 'latin1');
    const whole = sourceStory([bytes]);
    for (const pieces of [chance.split(bytes, 1), chance.split(bytes, 3)])
      if (sourceStory(pieces) !== whole) t.equal(sourceStory(pieces), whole, `seed ${seed}`);
  }
  t.pass(`${count} inputs`);
});
