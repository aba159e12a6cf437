/** Framing: whatever the chunks, the same packets; hostile lengths end it. */
import t from 'tap';
import { ProtocolError } from '../../../src/errors.ts';
import { sftpPacketBytesMax } from '../../../src/limits.ts';
import { PacketReader } from '../../../src/protocol/sftp/packet-reader.ts';
import { framed, hex } from '../../support/sftp-wire.ts';

const stream = Buffer.concat([
  hex('00000001 05', '00000003 010203'),
  framed(Buffer.alloc(300, 7)),
  hex('00000001 09'),
]);
const packets = [hex('05'), hex('010203'), Buffer.alloc(300, 7), hex('09')];

t.test('every split into two chunks gives the same packets', async (t) => {
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const reader = new PacketReader();
    const found = [...reader.push(stream.subarray(0, cut)), ...reader.push(stream.subarray(cut))];
    t.strictSame(found, packets, `cut at ${cut}`);
  }
});

t.test('byte by byte gives the same packets', async (t) => {
  const reader = new PacketReader();
  const found = [...stream].flatMap((byte) => [...reader.push(Buffer.of(byte))]);
  t.strictSame(found, packets);
});

t.test('a packet outlives the memory of its chunk', async (t) => {
  const reader = new PacketReader();
  const chunk = Buffer.from(stream);
  const found = [...reader.push(chunk)];
  chunk.fill(0xff);
  t.strictSame(found, packets);
});

t.test('memory for a packet is asked for once', async (t) => {
  const lengths: number[] = [];
  const reader = new PacketReader((lengthBytes) => {
    lengths.push(lengthBytes);
    return Buffer.alloc(lengthBytes);
  });
  for (const byte of stream) t.ok([...reader.push(Buffer.of(byte))].length <= 1);
  t.strictSame(lengths, [1, 3, 300, 1]);
});

t.test('knows whether it is between packets', async (t) => {
  const reader = new PacketReader();
  t.equal(reader.isBetweenPackets, true);
  for (const [bytes, between] of [
    ['00', false],
    ['000002', false],
    ['01', false],
    ['02', true],
  ] as const) {
    t.strictSame([...reader.push(hex(bytes))].length, between ? 1 : 0);
    t.equal(reader.isBetweenPackets, between, bytes);
  }
});

t.test('the longest packet is taken, one byte more is not', async (t) => {
  const [longest] = [...new PacketReader().push(framed(Buffer.alloc(sftpPacketBytesMax)))];
  t.equal(longest?.length, sftpPacketBytesMax);
  t.throws(() => [...new PacketReader().push(hex('00040001'))], ProtocolError);
});

for (const length of ['00000000', '80000000', '80000001', '7fffffff', 'ffffffff']) {
  t.test(`length ${length} is a protocol error, also byte by byte`, async (t) => {
    t.throws(() => [...new PacketReader().push(hex(length, '01'))], ProtocolError);
    const reader = new PacketReader();
    t.throws(() => [...hex(length)].forEach((byte) => [...reader.push(Buffer.of(byte))]), ProtocolError);
  });
}
