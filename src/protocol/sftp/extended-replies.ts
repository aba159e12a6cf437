/**
 * The answers that only extensions have. Their layouts: OpenSSH's PROTOCOL, sections 4.4 (statvfs), 4.8 (limits) and 4.12
 * (users-groups-by-id); draft-ietf-secsh-filexfer-extensions-00, sections 3 (check-file) and 4 (space-available).
 */
import {
  nameBytesMax,
  sftpHandlesMax,
  sftpPacketBytesMax,
  sftpReadBytesMax,
  sftpWriteBytesMax,
} from '../../limits.ts';
import type { PacketWriter } from './packet-writer.ts';

export interface FileSystemFacts {
  readonly blockBytes: number;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Free for the one who asks. */
  readonly availableBytes: number;
  readonly totalFiles: number;
  readonly freeFiles: number;
}

export type ExtendedReply =
  | { readonly kind: 'limits' }
  /** statvfs and fstatvfs. */
  | { readonly kind: 'file-system'; readonly facts: FileSystemFacts }
  /** space-available. */
  | { readonly kind: 'space'; readonly facts: FileSystemFacts }
  | {
      readonly kind: 'owner-names';
      readonly userNames: readonly string[];
      readonly groupNames: readonly string[];
    }
  | {
      readonly kind: 'hashes';
      /** Whether the name "check-file" comes first, as paramiko expects it. */
      readonly named: boolean;
      readonly algorithm: string;
      /** All hashes, one behind the other. */
      readonly digests: Buffer;
    };

/** ST_NOSUID of statvfs: nothing here keeps a setuid bit. */
const noSetuidFlag = 0x2;

export function writeExtendedReply(writer: PacketWriter, reply: ExtendedReply): void {
  switch (reply.kind) {
    case 'limits':
      // Length of a packet, of a READ and of a WRITE, and the open handles.
      writer.uint64(sftpPacketBytesMax).uint64(sftpReadBytesMax);
      writer.uint64(sftpWriteBytesMax).uint64(sftpHandlesMax);
      return;
    case 'file-system':
      writeFileSystem(writer, reply.facts);
      return;
    case 'space':
      writeSpace(writer, reply.facts);
      return;
    case 'owner-names':
      writer.textList(reply.userNames).textList(reply.groupNames);
      return;
    case 'hashes':
      if (reply.named) writer.text('check-file');
      writer.text(reply.algorithm).raw(reply.digests);
      return;
  }
}

function writeFileSystem(writer: PacketWriter, facts: FileSystemFacts): void {
  const blocks = (bytes: number): number => Math.floor(bytes / facts.blockBytes);
  writer.uint64(facts.blockBytes).uint64(facts.blockBytes);
  writer
    .uint64(blocks(facts.totalBytes))
    .uint64(blocks(facts.freeBytes))
    .uint64(blocks(facts.availableBytes));
  writer.uint64(facts.totalFiles).uint64(facts.freeFiles).uint64(facts.freeFiles);
  // No id: which of the host's file systems this is would tell a client something about the host.
  writer.uint64(0).uint64(noSetuidFlag).uint64(nameBytesMax);
}

/** On the device: all and unused; for the user: all and unused; and the unit. */
function writeSpace(writer: PacketWriter, facts: FileSystemFacts): void {
  const usedBytes = facts.totalBytes - facts.freeBytes;
  writer.uint64(facts.totalBytes).uint64(facts.freeBytes);
  writer.uint64(usedBytes + facts.availableBytes).uint64(facts.availableBytes);
  writer.uint32(facts.blockBytes);
}
