/** The only place that imports ssh2, and what we ask of it. */
import { createRequire } from 'node:module';
import ssh2 from 'ssh2';

export { ssh2 };
export type AuthContext = ssh2.AuthContext;
export type Cipher = ssh2.Protocol['_cipher'];
export type Connection = ssh2.Connection;
export type KeyExchange = ssh2.KeyExchange;
export type PayloadHandler = ssh2.PayloadHandler;
export type Protocol = ssh2.Protocol;
export type Ssh2Server = ssh2.Server;

/**
 * What we offer, by our taste; the client's order decides. Left out although ssh2 has it: everything with SHA-1, CBC or
 * compression (which starts before login and inflates without bound), group exchange (offered by ssh2 but not
 * implemented), groups that cost more than 5 ms, and ChaCha20, which most clients would prefer to the faster AES-GCM. AES-CTR
 * is for clients that have nothing better: see `client-offer.ts`.
 */
const algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group14-sha256',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-gcm',
    'aes256-gcm',
    'aes256-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
  serverHostKey: [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
} as const;

/** Whether a cipher is AES-GCM, which needs no MAC. */
export function isGcm(cipher: string): boolean {
  return cipher.includes('-gcm');
}

export interface Ssh2ServerOptions {
  readonly hostKeys: readonly Buffer[];
  readonly ident: string;
  readonly keepaliveMs: number;
  readonly keepalivesUnansweredMax: number;
}

/** An ssh2 server that never listens: sockets are injected. Throws if a host key can't be read. */
export function createSsh2Server(options: Ssh2ServerOptions): Ssh2Server {
  return new ssh2.Server({
    hostKeys: options.hostKeys,
    ident: options.ident,
    keepaliveInterval: options.keepaliveMs,
    keepaliveCountMax: options.keepalivesUnansweredMax,
    algorithms,
  });
}

/** Whether ssh2's native code is there; without it, encryption takes about one and a half times the CPU. */
export function isNativeCryptoAvailable(): boolean {
  const crypto = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js') as {
    bindingAvailable?: unknown;
  };
  return crypto.bindingAvailable === true;
}

/** The version that is installed. */
export function ssh2Version(): string {
  const manifest = createRequire(import.meta.url)('ssh2/package.json') as { version?: unknown };
  return String(manifest.version);
}

/** The line that ssh2 writes first, and in one piece. */
export function greetingLine(ident: string): string {
  return `SSH-2.0-${ident}\r\n`;
}
