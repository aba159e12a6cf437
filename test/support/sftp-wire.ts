/**
 * The client's half of the SFTP codec, for tests: requests to bytes, bytes to replies, and a peer that speaks over a
 * `MemoryChannel`. Together with the tables of bytes it holds the server's half to the draft in both directions.
 */
import { type SftpStatus } from '../../src/errors.ts';
import { readAttributes, writeAttributes } from '../../src/protocol/sftp/attributes.ts';
import { FieldReader } from '../../src/protocol/sftp/field-reader.ts';
import type { OpenFlags } from '../../src/protocol/sftp/file-requests.ts';
import { openFlag, packetType } from '../../src/protocol/sftp/numbers.ts';
import { PacketWriter } from '../../src/protocol/sftp/packet-writer.ts';
import type { SftpReply } from '../../src/protocol/sftp/replies.ts';
import type { InitRequest } from '../../src/protocol/sftp/request-decoder.ts';
import {
  extensionTable,
  packetTable,
  type ServedKind,
  type ServedRequest,
} from '../../src/protocol/sftp/requests.ts';
import type { MemoryChannel } from './memory-channel.ts';

/**
 * Bytes laid out for the eye: hexadecimal digits in any grouping, and printable text in single quotes, as in
 * `hex("00000005 01 00000003")` or `hex("00000002 'ab'")`.
 */
export function hex(...parts: readonly string[]): Buffer {
  const tokens = parts.join(' ').match(/'[^']*'|[0-9a-f]+|\S/g) ?? [];
  return Buffer.concat(
    tokens.map((token) => {
      if (token.startsWith("'")) return Buffer.from(token.slice(1, -1), 'latin1');
      if (!/^([0-9a-f]{2})+$/.test(token)) throw new Error(`not hexadecimal: ${token}`);
      return Buffer.from(token, 'hex');
    }),
  );
}

/** `body` with its length in front. */
export function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export const noFlags: OpenFlags = {
  read: false,
  write: false,
  append: false,
  create: false,
  truncate: false,
  exclusive: false,
};

export function encodeRequest(request: InitRequest | ServedRequest): Buffer {
  if (request.kind === 'init') return new PacketWriter(packetType.INIT).uint32(request.version).finish();
  const writer = startRequest(request);
  writeSubject(writer, request);
  if ('offset' in request) writer.uint64(request.offset);
  if ('blockBytes' in request) writer.uint64(request.lengthBytes).uint32(request.blockBytes);
  else if (request.kind === 'read') writer.uint32(request.lengthBytes);
  if ('data' in request) writer.string(request.data);
  if ('flags' in request) writer.uint32(flagBits(request.flags));
  if ('attributes' in request) writeAttributes(writer, request.attributes);
  return writer.finish();
}

/** What the request is about; it comes first in all of them. */
function writeSubject(writer: PacketWriter, request: ServedRequest): void {
  if (request.kind === 'copy-data') {
    writer.string(Buffer.from(request.fromHandle, 'latin1')).uint64(request.fromOffset);
    writer
      .uint64(request.lengthBytes)
      .string(Buffer.from(request.toHandle, 'latin1'))
      .uint64(request.toOffset);
  }
  if ('target' in request) writer.text(request.target);
  if ('userName' in request) writer.text(request.userName);
  if ('userIds' in request) writer.string(packed(request.userIds)).string(packed(request.groupIds));
  if ('handle' in request) writer.string(Buffer.from(request.handle, 'latin1'));
  if ('path' in request) writer.text(request.path);
  if ('from' in request) writer.text(request.from).text(request.to);
  if ('algorithms' in request) writer.text(request.algorithms.join(','));
}

function packed(numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  numbers.forEach((number, index) => bytes.writeUInt32BE(number, index * 4));
  return bytes;
}

function startRequest({ kind, id }: ServedRequest): PacketWriter {
  const extension = extensionTable.find((row) => row.kind === kind);
  if (extension !== undefined) return new PacketWriter(packetType.EXTENDED).uint32(id).text(extension.name);
  const row = packetTable.find((candidate) => candidate.kind === kind);
  if (row === undefined) throw new Error(`no packet for ${kind}`);
  return new PacketWriter(row.type).uint32(id);
}

function flagBits(flags: OpenFlags): number {
  return (
    (flags.read ? openFlag.READ : 0) |
    (flags.write ? openFlag.WRITE : 0) |
    (flags.append ? openFlag.APPEND : 0) |
    (flags.create ? openFlag.CREAT : 0) |
    (flags.truncate ? openFlag.TRUNC : 0) |
    (flags.exclusive ? openFlag.EXCL : 0)
  );
}

export interface Received {
  readonly id: number;
  readonly reply: SftpReply;
}

/**
 * A reply packet without its length field. The four numbers of limits@openssh.com are not kept.
 * @param asked which extension an EXTENDED_REPLY answers
 */
export function decodeReply(packet: Buffer, asked: ServedKind = 'limits'): Received {
  const id = packet.readUInt32BE(1);
  const fields = new FieldReader(packet, 5);
  const type = packet.readUInt8(0);
  const reply =
    type === packetType.EXTENDED_REPLY ? readExtended(asked, fields, packet) : readReply(type, fields);
  if (reply.kind !== 'hashes' && fields.remainingBytes > 0)
    throw new Error(`${fields.remainingBytes} bytes behind the reply`);
  return { id, reply };
}

function readReply(type: number, fields: FieldReader): SftpReply {
  switch (type) {
    case packetType.STATUS: {
      const reply = {
        kind: 'status',
        status: fields.uint32() as SftpStatus,
        words: fields.string().toString(),
      } as const;
      fields.string();
      return reply;
    }
    case packetType.HANDLE:
      return { kind: 'handle', handle: fields.handle() };
    case packetType.DATA:
      return { kind: 'data', data: fields.string() };
    case packetType.ATTRS:
      return { kind: 'attributes', attributes: readAttributes(fields) };
    case packetType.NAME:
      return {
        kind: 'names',
        entries: Array.from({ length: fields.uint32() }, () => ({
          name: fields.path(),
          longName: fields.path(),
          attributes: readAttributes(fields),
        })),
      };
    default:
      throw new Error(`a server does not send packet type ${type}`);
  }
}

function readExtended(asked: ServedKind, fields: FieldReader, packet: Buffer): SftpReply {
  if (asked === 'statvfs' || asked === 'fstatvfs') return readFileSystem(fields);
  if (asked === 'space-available') return readSpace(fields);
  if (asked === 'owner-names') {
    return { kind: 'owner-names', userNames: readTexts(fields), groupNames: readTexts(fields) };
  }
  if (asked === 'check-file' || asked === 'check-file-handle' || asked === 'check-file-name') {
    const named = asked === 'check-file';
    if (named && fields.path() !== 'check-file') throw new Error('the name is missing');
    const algorithm = fields.path();
    // They are the rest of the packet, without a length.
    const digests = packet.subarray(packet.length - fields.remainingBytes);
    return { kind: 'hashes', named, algorithm, digests };
  }
  for (let count = 0; count < 4; count += 1) fields.uint64();
  return { kind: 'limits' };
}

function readSpace(fields: FieldReader): SftpReply {
  const [totalBytes = 0, freeBytes = 0, , availableBytes = 0] = [1, 2, 3, 4].map(() => fields.uint64());
  const blockBytes = fields.uint32();
  return {
    kind: 'space',
    facts: { blockBytes, totalBytes, freeBytes, availableBytes, totalFiles: 0, freeFiles: 0 },
  };
}

function readFileSystem(fields: FieldReader): SftpReply {
  const blockBytes = fields.uint64();
  if (fields.uint64() !== blockBytes) throw new Error('two sizes of a block');
  const [totalBytes = 0, freeBytes = 0, availableBytes = 0] = [1, 2, 3].map(
    () => fields.uint64() * blockBytes,
  );
  const [totalFiles = 0, freeFiles = 0] = [1, 2].map(() => fields.uint64());
  for (let count = 0; count < 4; count += 1) fields.uint64();
  return {
    kind: 'file-system',
    facts: { blockBytes, totalBytes, freeBytes, availableBytes, totalFiles, freeFiles },
  };
}

function readTexts(fields: FieldReader): readonly string[] {
  const inner = new FieldReader(fields.string());
  const texts: string[] = [];
  while (inner.remainingBytes > 0) texts.push(inner.path());
  return texts;
}

/** A request without its id; `SftpPeer` numbers them. */
export type Question = ServedRequest extends infer Request
  ? Request extends unknown
    ? Omit<Request, 'id'>
    : never
  : never;

/** A client that speaks SFTP over a `MemoryChannel`. */
export class SftpPeer {
  readonly #channel: MemoryChannel;
  #id = 0;

  constructor(channel: MemoryChannel) {
    this.#channel = channel;
  }

  /** INIT and VERSION; returns the VERSION packet. */
  async start(version = 3): Promise<Buffer> {
    this.#channel.feed(encodeRequest({ kind: 'init', version }));
    return this.receivePacket();
  }

  /** Sends requests in one chunk and returns the id of the last. */
  send(...questions: readonly Question[]): number {
    const packets = questions.map((question) => {
      this.#id += 1;
      return encodeRequest({ ...question, id: this.#id });
    });
    this.#channel.feed(Buffer.concat(packets));
    return this.#id;
  }

  async receive(asked?: ServedKind): Promise<Received> {
    return decodeReply(await this.receivePacket(), asked);
  }

  async receivePacket(): Promise<Buffer> {
    const length = await this.#channel.take(4);
    return this.#channel.take(length.readUInt32BE());
  }

  /** One request and its reply, which must carry its id. */
  async ask(question: Question): Promise<SftpReply> {
    const id = this.send(question);
    const received = await this.receive(question.kind);
    if (received.id !== id) throw new Error(`reply ${received.id} to request ${id}`);
    return received.reply;
  }

  /** As `ask`, for a request that must be answered with a handle. */
  async askHandle(question: Question): Promise<string> {
    const reply = await this.ask(question);
    if (reply.kind !== 'handle') throw new Error(`no handle but ${JSON.stringify(reply)}`);
    return reply.handle;
  }
}
