/**
 * Goal: nothing that a client can send makes the SFTP side throw anything but ProtocolError, loses or repeats an answer, or
 * leaves something open. Packets are made by the format and then spoilt: wrong lengths, types, counts, cuts, splits.
 *
 * FUZZ_PACKETS says how many packets; `make fuzz` sends a million, `make test` a few. FUZZ_SEED repeats a run.
 */
import t from 'tap';
import { ProtocolError } from '../../src/errors.ts';
import { RequestDecoder } from '../../src/protocol/sftp/request-decoder.ts';
import { extensionTable, packetTable } from '../../src/protocol/sftp/requests.ts';
import { Chance } from '../support/chance.ts';
import { openSession } from '../support/sftp-session.ts';
import { encodeRequest, framed } from '../support/sftp-wire.ts';

const packetsMin = Number(process.env['FUZZ_PACKETS'] ?? 20_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const packetsPerSession = 50;

const init = encodeRequest({ kind: 'init', version: 3 });
const names = [
  'a',
  'b',
  'd',
  'd/x',
  '',
  '..',
  '/',
  '~',
  '~root',
  'a/b',
  '\xff\xfe',
  'n'.repeat(300),
  'sha256,md5',
  'md5',
];
const numbers = [0, 1, 2, 3, 4, 5, 8, 255, 256, 0x8000, 0x3ffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** One to five fields of any sort, in the order of nobody's protocol but often right by chance. */
function someFields(chance: Chance, handles: readonly string[]): Buffer {
  return Buffer.concat(
    Array.from({ length: 1 + chance.below(5) }, () => {
      switch (chance.below(4)) {
        case 0:
          return uint32(chance.pick(numbers));
        case 1:
          return Buffer.concat([uint32(0), uint32(chance.below(3000))]);
        case 2:
          return string(Buffer.from(handles.length > 0 ? chance.pick(handles) : 'h', 'latin1'));
        default:
          return string(Buffer.from(chance.pick(names), 'latin1'));
      }
    }),
  );
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function string(bytes: Buffer): Buffer {
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** A packet with its length, which is mostly right. */
function somePacket(chance: Chance, id: number, handles: readonly string[]): Buffer {
  const isExtension = chance.below(3) === 0;
  const type = isExtension
    ? 200
    : chance.below(20) === 0
      ? 2 + chance.below(254)
      : chance.pick(packetTable).type;
  const name = isExtension ? string(Buffer.from(chance.pick(extensionTable).name)) : Buffer.alloc(0);
  const body = Buffer.concat([Buffer.of(type), uint32(id), name, someFields(chance, handles)]);
  const spoilt = chance.below(10);
  if (spoilt === 0 && body.length > 5) body[5 + chance.below(body.length - 5)] = chance.below(256);
  if (spoilt === 1) return framed(body.subarray(0, 5 + chance.below(body.length - 4)));
  return framed(body);
}

/** As above, but anything may be wrong with it: the length, the type, all of it. */
function brokenPacket(chance: Chance): Buffer {
  const packet = Buffer.from(somePacket(chance, chance.below(100), []));
  const wrong = chance.below(4);
  if (wrong === 0) packet.writeUInt32BE(chance.pick(numbers));
  else if (wrong === 1) packet[chance.below(packet.length)] = chance.below(256);
  else if (wrong === 2) return packet.subarray(0, chance.below(packet.length));
  else packet.fill(chance.below(256), chance.below(packet.length));
  return packet;
}

t.test('the decoder: requests or ProtocolError, however the bytes are split', async (t) => {
  let packets = 0;
  for (let round = 0; packets < packetsMin; round += 1) {
    const chance = new Chance(seed * 1_000_003 + round);
    const broken = Array.from({ length: packetsPerSession }, () => brokenPacket(chance));
    // Each for itself, and all in one stream, which ends at the first that can't be followed by another.
    for (const packet of broken) decodeAll([init, packet]);
    const stream = Buffer.concat([init, ...broken]);
    const outcomes = [[stream], chance.split(stream, 300)].map((chunks) => decodeAll(chunks));
    if (outcomes[0] !== outcomes[1]) t.fail(`round ${round}: another split, other requests`);
    packets += packetsPerSession;
  }
  t.pass(`${packets} packets`);
});

/** What came of the chunks, as a line. Throws whatever is no ProtocolError. */
function decodeAll(chunks: readonly Buffer[]): string {
  const decoder = new RequestDecoder();
  const found: string[] = [];
  try {
    for (const chunk of chunks) {
      for (const request of decoder.push(chunk)) {
        found.push(request.kind === 'init' ? 'init' : `${request.kind} ${request.id}`);
      }
    }
    decoder.end();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    found.push(error.message);
  }
  return found.join('\n');
}

t.test('a session: each request has its one answer in its turn, and nothing stays open', async (t) => {
  // A session costs much more than the decoder.
  const rounds = Math.ceil(packetsMin / packetsPerSession / 4);
  for (let round = 0; round < rounds; round += 1) {
    const chance = new Chance(seed * 1_000_003 + round);
    const { channel, files, peer, faults, exit } = openSession();
    files.put('/a', 'content of a');
    files.put('/d/x', 'x');
    await peer.start();
    const handles: string[] = [];
    for (let id = 0; id < packetsPerSession;) {
      const count = 1 + chance.below(8);
      const packets = Array.from({ length: count }, (_, index) => somePacket(chance, id + index, handles));
      for (const piece of chance.split(Buffer.concat(packets), 200)) channel.feed(piece);
      for (let index = 0; index < count; index += 1) {
        const answer = await peer.receivePacket();
        if (answer.readUInt32BE(1) !== id + index)
          t.fail(`round ${round}: ${answer.readUInt32BE(1)} for ${id + index}`);
        if (answer[0] === 102) handles.push(answer.subarray(9).toString('latin1'));
      }
      id += count;
    }
    if (round % 2 === 0) channel.end();
    else channel.lose();
    const ended = [await exit, files.openCount, faults.length, channel.unreadBytes];
    if (ended.join() !== [round % 2, 0, 0, 0].join())
      t.fail(`round ${round}: ${ended.join()} ${String(faults[0])}`);
  }
  t.pass(`${rounds * packetsPerSession} packets`);
});
