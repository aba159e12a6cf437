/** The sending machine: one record at a time, and the client's answers in any split. */
import t from 'tap';
import { ProtocolError } from '../../../src/errors.ts';
import { scpLineBytesMax } from '../../../src/limits.ts';
import type { ScpAnswer } from '../../../src/protocol/scp/replies.ts';
import { ScpSource } from '../../../src/protocol/scp/source.ts';
import { Chance } from '../../support/chance.ts';

/** All answers in these pieces; an empty directory is entered for each but the first. */
function answers(pieces: readonly Buffer[]): readonly (ScpAnswer | string)[] {
  const source = new ScpSource();
  const taken: (ScpAnswer | string)[] = [];
  try {
    for (const piece of pieces) {
      source.push(piece);
      for (let answer = source.answer(); answer !== undefined; answer = source.answer()) {
        taken.push(answer);
        source.leave();
      }
    }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    taken.push(error.message);
  }
  return taken;
}

const ok: ScpAnswer = { kind: 'ok' };

t.test('answers', async (t) => {
  const table: readonly (readonly [string, readonly (ScpAnswer | string)[]])[] = [
    ['', []],
    ['\0', [ok]],
    ['\0\0\0', [ok, ok, ok]],
    ['\x01scp: x: no\n\0', [{ kind: 'error', fatal: false, message: 'scp: x: no' }, ok]],
    ['\x02bye\n', [{ kind: 'error', fatal: true, message: 'bye' }]],
    ['\x01never ends', []],
    ['\0x', [ok, 'expected an answer']],
    [`\x01${'e'.repeat(scpLineBytesMax)}`, ['line too long']],
  ];
  for (const [text, expected] of table) {
    const bytes = Buffer.from(text);
    t.same(answers([bytes]), expected, JSON.stringify(text).slice(0, 40));
    t.same(
      answers(Array.from(bytes, (byte) => Buffer.of(byte))),
      expected,
      `${JSON.stringify(text).slice(0, 40)}, split`,
    );
  }
});

t.test('any split gives the same answers, and only ProtocolError escapes', async (t) => {
  const chance = new Chance(20260201);
  const parts = ['\0', '\0\0', '\x01no\n', '\x02bye\n', '\x01\n', 'x'];
  for (let round = 0; round < 2000; round += 1) {
    const text = Array.from({ length: chance.below(9) }, () => chance.pick(parts)).join('');
    const bytes = Buffer.from(text);
    const split = answers(chance.split(bytes, 3));
    if (JSON.stringify(split) !== JSON.stringify(answers([bytes]))) t.same(split, answers([bytes]), text);
  }
  t.pass('2000 rounds');
});

t.test('a record waits for the answer to the one before', async (t) => {
  const source = new ScpSource();
  t.throws(() => source.file({ mode: 0o644, name: 'a' }, 1), /was not taken/);
  source.push(Buffer.of(0, 0));
  t.same(source.answer(), ok);
  t.throws(() => source.answer(), /no answer is awaited/);
  t.throws(() => source.push(Buffer.of(0)), /left unread/);
  t.same(source.file({ mode: 0o100644, name: 'a' }, 1), Buffer.from('C0644 1 a\n'));
  t.throws(() => source.fileEnd(undefined), /was not taken/);
  t.same(source.answer(), ok);
  t.same(source.warning('b: no'), Buffer.from('\x01scp: b: no\n'));
  t.same(source.fileEnd('a: file changed size'), Buffer.from('\x01scp: a: file changed size\n'));
  t.equal(source.answer(), undefined);
});
