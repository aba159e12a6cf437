/**
 * The stream of requests as a whole: the rule about INIT, and two properties that hold for whatever a peer sends: any
 * split of the bytes gives the same requests, and nothing but ProtocolError ever escapes.
 */
import t from 'tap';
import { ProtocolError } from '../../../src/errors.ts';
import { packetTable } from '../../../src/protocol/sftp/requests.ts';
import { RequestDecoder } from '../../../src/protocol/sftp/request-decoder.ts';
import { randomNumbers } from '../../support/random-numbers.ts';
import { encodeRequest, framed, hex, noFlags } from '../../support/sftp-wire.ts';

const init = encodeRequest({ kind: 'init', version: 3 });

/** Everything that the chunks become, ending in the ProtocolError that stopped them, if one did. */
function decodeAll(chunks: readonly Buffer[]): unknown[] {
  const decoder = new RequestDecoder();
  const found: unknown[] = [];
  try {
    for (const chunk of chunks) {
      for (const request of decoder.push(chunk)) found.push(request);
    }
    decoder.end();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    found.push(error.message);
  }
  return found;
}

t.test('INIT comes first, once, with a version', async (t) => {
  t.strictSame(decodeAll([init]), [{ kind: 'init', version: 3 }]);
  t.strictSame(decodeAll([encodeRequest({ kind: 'init', version: 6 })]), [{ kind: 'init', version: 6 }]);
  t.strictSame(decodeAll([hex('0000000e 01 00000003', "00000001 'x' 00000000")]), [
    { kind: 'init', version: 3 },
  ]);
  t.strictSame(decodeAll([hex('00000004 01 000003')]), ['SFTP INIT without a version']);
  t.strictSame(decodeAll([init, init]).at(-1), 'SFTP session opened twice');
  t.strictSame(decodeAll([hex('0000000a 10 00000001', "00000001 '.'")]), ['SFTP request before INIT']);
});

t.test('a packet too short for an id ends the session', async (t) => {
  for (const packet of ['11', '11 00', '11 000000', 'c8', 'ff 0000']) {
    t.strictSame(decodeAll([init, framed(hex(packet))]).at(-1), 'SFTP request without an id', packet);
  }
});

t.test('EOF in the middle of a packet is a protocol error', async (t) => {
  t.strictSame(decodeAll([init, hex('0000')]).at(-1), 'SFTP packet ends too early');
  t.strictSame(decodeAll([init, hex('00000009 11')]).at(-1), 'SFTP packet ends too early');
  t.strictSame(decodeAll([]), []);
});

const stream = Buffer.concat([
  init,
  encodeRequest({ kind: 'open', id: 1, path: '/\udcff', flags: { ...noFlags, write: true }, attributes: {} }),
  ...Array.from({ length: 20 }, (_, index) =>
    encodeRequest({
      kind: 'write',
      id: index,
      handle: 'h',
      offset: index * 500,
      data: Buffer.alloc(500, index),
    }),
  ),
  framed(hex('11 00000007 ffffffff')),
  framed(hex('c8 00000008', "00000003 'abc'")),
  encodeRequest({ kind: 'rename', id: 9, from: 'a', to: 'b' }),
]);

t.test('any split of the bytes gives the same requests', async (t) => {
  const expected = decodeAll([stream]);
  t.equal(expected.length, 25);
  t.strictSame(decodeAll([...stream].map((byte) => Buffer.of(byte))), expected, 'byte by byte');
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomNumbers(seed);
    const chunks: Buffer[] = [];
    for (let offset = 0; offset < stream.length;) {
      const end = offset + random(seed % 2 === 0 ? 40 : 3000);
      chunks.push(stream.subarray(offset, end));
      offset = end;
    }
    t.strictSame(decodeAll(chunks), expected, `seed ${seed}`);
  }
});

t.test('every packet type with every length field of it wrong is answered or ends the session', async (t) => {
  const types = [...packetTable.map((row) => row.type), 200, 0, 1, 2, 19, 20, 101, 255];
  const counts = [
    '00000000',
    '00000001',
    '000000ff',
    '00040000',
    '7fffffff',
    '80000000',
    '80000001',
    'ffffffff',
  ];
  for (const type of types) {
    const wrong: Buffer[] = [];
    for (const first of counts) {
      for (const second of counts) {
        const packet = Buffer.concat([
          Buffer.of(type),
          hex('0000002a', first, second, first, second, second),
        ]);
        for (let length = 1; length <= packet.length; length += 1) {
          const found = decodeAll([init, framed(packet.subarray(0, length))]);
          if (found.length !== 2) wrong.push(packet.subarray(0, length));
        }
      }
    }
    t.strictSame(wrong, [], `type ${type}`);
  }
});

t.test('mutated streams make nothing but requests and protocol errors', async (t) => {
  for (let seed = 1; seed <= 2000; seed += 1) {
    const random = randomNumbers(seed);
    const mutated = Buffer.from(stream);
    for (let count = 0; count <= seed % 5; count += 1) {
      // The first bytes matter most: lengths, types and flags of the first packets.
      mutated[random(seed % 2 === 0 ? 80 : mutated.length)] = random(256);
    }
    const cut = random(mutated.length);
    const whole = decodeAll([mutated]);
    t.strictSame(decodeAll([mutated.subarray(0, cut), mutated.subarray(cut)]), whole, `seed ${seed}`);
  }
});
