/** Numbers of RFC 4250, section 4, and the messages that ssh2 has no (good) function for. */
import { wireString, wireUint32 } from '../users/wire.ts';
import type { Transport } from './transport.ts';

export const message = {
  DISCONNECT: 1,
  UNIMPLEMENTED: 3,
  DEBUG: 4,
  SERVICE_REQUEST: 5,
  EXT_INFO: 7,
  KEXINIT: 20,
  KEX_LAST: 49,
  USERAUTH_REQUEST: 50,
  USERAUTH_LAST: 79,
  GLOBAL_REQUEST: 80,
  REQUEST_SUCCESS: 81,
  REQUEST_FAILURE: 82,
  CHANNEL_OPEN: 90,
  CHANNEL_WINDOW_ADJUST: 93,
  CHANNEL_DATA: 94,
  CHANNEL_EXTENDED_DATA: 95,
  CHANNEL_EOF: 96,
  CHANNEL_CLOSE: 97,
  CHANNEL_REQUEST: 98,
  CHANNEL_FAILURE: 100,
} as const;

/** RFC 4253, section 11.1. */
export const disconnectReason = {
  PROTOCOL_ERROR: 2,
  BY_APPLICATION: 11,
  TOO_MANY_CONNECTIONS: 12,
  NO_MORE_AUTH_METHODS: 14,
} as const;
export type DisconnectReason = (typeof disconnectReason)[keyof typeof disconnectReason];

/** RFC 4254, section 5.1. */
export const openFailure = {
  ADMINISTRATIVELY_PROHIBITED: 1,
  CONNECT_FAILED: 2,
  UNKNOWN_CHANNEL_TYPE: 3,
  RESOURCE_SHORTAGE: 4,
} as const;

/** Public key algorithms that a client may sign with, in the order we like them. */
const signatureAlgorithms = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/** Last words. ssh2's own DISCONNECT has no text. Does nothing if the connection can't send any more. */
export function sendDisconnect(transport: Transport, reason: DisconnectReason, words: string): void {
  const fields = [Buffer.of(message.DISCONNECT), wireUint32(reason), wireString(words), wireString('')];
  transport.sendAtOnce(Buffer.concat(fields));
}

/**
 * server-sig-algs (RFC 8308, section 3.1), without which clients sign RSA with SHA-1 or not at all. ssh2's own lacks a
 * comma, so that clients never see rsa-sha2-512. Must be the first message after our first NEWKEYS.
 */
export function sendExtensionInfo(transport: Transport): void {
  const extension = [wireString('server-sig-algs'), wireString(signatureAlgorithms.join(','))];
  transport.sendAtOnce(Buffer.concat([Buffer.of(message.EXT_INFO), wireUint32(1), ...extension]));
}
