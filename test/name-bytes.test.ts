/** Goal: no name is lost or confused with another on its way from bytes to text and back. */
import t from 'tap';
import { decodeName, encodeName, printable, takesMoreBytes } from '../src/name-bytes.ts';

t.test('bytes and text are mapped one to one', async (t) => {
  const table: readonly [string, string][] = [
    ['61622e747874', 'ab.txt'],
    ['c3bc', 'ü'],
    ['f09f9880', '😀'],
    ['e9', '\udce9'],
    ['61ff62', 'a\udcffb'],
    ['c3', '\udcc3'],
    ['eda080', '\udced\udca0\udc80'], // an encoded surrogate is no UTF-8
    ['c080', '\udcc0\udc80'], // nor is an overlong NUL
    ['', ''],
  ];
  for (const [hex, text] of table) {
    t.equal(decodeName(Buffer.from(hex, 'hex')), text, hex);
    t.equal(encodeName(text).toString('hex'), hex, JSON.stringify(text));
  }
  t.throws(() => encodeName('\ud800'), RangeError, 'a surrogate that stands for no byte');
});

t.test('bytes are counted as a file system does, for short names and long ones', async (t) => {
  const table: readonly [string, number][] = [
    ['a'.repeat(255), 255],
    ['ü'.repeat(127), 254],
    ['\u20ac'.repeat(85), 255],
    ['😀'.repeat(63), 252],
    ['\udce9'.repeat(255), 255], // a byte each
  ];
  for (const [text, bytes] of table) {
    t.notOk(takesMoreBytes(text, bytes), `${text.slice(0, 2)} × ${text.length}`);
    t.ok(takesMoreBytes(text, bytes - 1));
  }
  t.throws(() => takesMoreBytes('\ud800', 255), RangeError, 'however short it is');
});

t.test('any bytes survive the round trip', async (t) => {
  let seed = 42;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return seed % below;
  };
  for (let round = 0; round < 2000; round += 1) {
    const bytes = Buffer.from(Array.from({ length: random(12) }, () => random(256)));
    if (!encodeName(decodeName(bytes)).equals(bytes)) t.fail(bytes.toString('hex'));
  }
});

t.test('what is shown is one harmless line', async (t) => {
  t.equal(printable('plain ü 😀'), 'plain ü 😀');
  t.equal(printable('a\nb\x1b[31mc'), 'a\\x0ab\\x1b[31mc');
  t.equal(printable('\udcff'), '\\xff');
  t.equal(printable('x\u202ey\u2028'), 'x\\u{202e}y\\u{2028}');
  t.equal(printable('abcdef', 4), 'abc…');
});
