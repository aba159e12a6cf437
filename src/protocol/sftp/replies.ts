/**
 * What a server says, and its bytes: draft-ietf-secsh-filexfer-02, sections 4 and 7, and EXTENDED_REPLY of section 8
 * for each extension that has an answer of its own. A reply carries the id of its request; VERSION has none.
 */
import { sftpStatus, type SftpStatus } from '../../errors.ts';
import { writeAttributes, type WireAttributes } from './attributes.ts';
import { writeExtendedReply, type ExtendedReply } from './extended-replies.ts';
import { packetType, protocolVersion } from './numbers.ts';
import { PacketWriter } from './packet-writer.ts';
import { extensionTable, type ServedKind } from './requests.ts';

export interface NameEntry {
  readonly name: string;
  /** See `longName`. */
  readonly longName: string;
  readonly attributes: WireAttributes;
}

export type SftpReply =
  | { readonly kind: 'status'; readonly status: SftpStatus; readonly words: string }
  | { readonly kind: 'handle'; readonly handle: string }
  | { readonly kind: 'data'; readonly data: Buffer }
  | { readonly kind: 'names'; readonly entries: readonly NameEntry[] }
  | { readonly kind: 'attributes'; readonly attributes: WireAttributes }
  | ExtendedReply;

export const okReply: SftpReply = { kind: 'status', status: sftpStatus.OK, words: 'Success' };
export const endOfFileReply: SftpReply = { kind: 'status', status: sftpStatus.EOF, words: 'End of file' };

/** The answer to INIT: version 3 and those extensions of `extensionTable` that are to be known. */
export function encodeVersion(isAnnounced: (kind: ServedKind) => boolean): Buffer {
  const writer = new PacketWriter(packetType.VERSION, 512).uint32(protocolVersion);
  for (const { name, data, kind } of extensionTable) {
    if (isAnnounced(kind)) writer.text(name).text(data);
  }
  return writer.finish();
}

/**
 * The bytes of a reply, in order. Only DATA has two parts: a header, and the caller's buffer as it is, so that a
 * download is not copied here.
 */
export function encodeReply(id: number, reply: SftpReply): readonly Buffer[] {
  const writer = new PacketWriter(replyTypes[reply.kind], capacityBytes(reply)).uint32(id);
  writeFields(writer, reply);
  return reply.kind === 'data' ? [writer.finish(reply.data.length), reply.data] : [writer.finish()];
}

const replyTypes = {
  status: packetType.STATUS,
  handle: packetType.HANDLE,
  data: packetType.DATA,
  names: packetType.NAME,
  attributes: packetType.ATTRS,
  limits: packetType.EXTENDED_REPLY,
  'file-system': packetType.EXTENDED_REPLY,
  space: packetType.EXTENDED_REPLY,
  'owner-names': packetType.EXTENDED_REPLY,
  hashes: packetType.EXTENDED_REPLY,
} as const satisfies Record<SftpReply['kind'], number>;

/** What the reply needs at most, or nearly: an entry of a listing has its name twice and some 90 bytes. */
function capacityBytes(reply: SftpReply): number {
  return 64 + (reply.kind === 'names' ? reply.entries.length * 160 : 0);
}

function writeFields(writer: PacketWriter, reply: SftpReply): void {
  switch (reply.kind) {
    case 'status':
      // The language tag is empty, as OpenSSH's is.
      writer.uint32(reply.status).text(reply.words).text('');
      return;
    case 'handle':
      writer.string(Buffer.from(reply.handle, 'latin1'));
      return;
    case 'data':
      writer.uint32(reply.data.length);
      return;
    case 'names':
      writer.uint32(reply.entries.length);
      for (const { name, longName, attributes } of reply.entries) {
        writer.text(name).text(longName);
        writeAttributes(writer, attributes);
      }
      return;
    case 'attributes':
      writeAttributes(writer, reply.attributes);
      return;
    case 'limits':
    case 'file-system':
    case 'space':
    case 'owner-names':
    case 'hashes':
      writeExtendedReply(writer, reply);
      return;
  }
}
