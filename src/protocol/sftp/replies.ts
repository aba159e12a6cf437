/**
 * What a server says, and its bytes: draft-ietf-secsh-filexfer-02, sections 4 and 7, and EXTENDED_REPLY of section 8
 * for limits@openssh.com. A reply carries the id of its request; VERSION has none.
 */
import { sftpStatus, type SftpStatus } from '../../errors.ts';
import { sftpHandlesMax, sftpPacketBytesMax, sftpReadBytesMax, sftpWriteBytesMax } from '../../limits.ts';
import { writeAttributes, type WireAttributes } from './attributes.ts';
import { packetType, protocolVersion } from './numbers.ts';
import { PacketWriter } from './packet-writer.ts';
import { extensionTable } from './requests.ts';

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
  | { readonly kind: 'limits' };

export const okReply: SftpReply = { kind: 'status', status: sftpStatus.OK, words: 'Success' };
export const endOfFileReply: SftpReply = { kind: 'status', status: sftpStatus.EOF, words: 'End of file' };

/** The answer to INIT: version 3 and the extensions of `extensionTable`. */
export function encodeVersion(): Buffer {
  const writer = new PacketWriter(packetType.VERSION, 128).uint32(protocolVersion);
  for (const { name, version } of extensionTable) writer.text(name).text(version);
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
      // OpenSSH's PROTOCOL, section 4.8: length of a packet, of a READ and of a WRITE, and the open handles.
      writer.uint64(sftpPacketBytesMax).uint64(sftpReadBytesMax);
      writer.uint64(sftpWriteBytesMax).uint64(sftpHandlesMax);
      return;
  }
}
