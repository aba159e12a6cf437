/**
 * The client's first line (RFC 4253, section 4.2). It is read here, whole, before ssh2 sees the socket: ssh2 corrupts a
 * line that comes in three pieces or more, and would wait for ever for one that does not end.
 */
import type { Socket } from 'node:net';
import { sshIdentBytesMax } from '../limits.ts';
import { printable } from '../name-bytes.ts';

const lineFeed = 10;
const softwareLengthMax = 128;
/** 1.99 is a client that also speaks SSH 1. */
const identificationPattern = /^SSH-(?:2\.0|1\.99)-([^ ]+)(?: .*)?$/u;

export interface IdentificationResult {
  /** The software part of the line, printable; undefined if the line is not an identification. */
  readonly software: string | undefined;
  /** Everything that was read, the line included. */
  readonly bytes: Buffer;
}

/** Calls `done` once, with the socket paused: at the end of the first line, or when it got too long. */
export function readIdentification(socket: Socket, done: (result: IdentificationResult) => void): void {
  let bytes: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf(lineFeed);
    if (end === -1 && bytes.length < sshIdentBytesMax) return;
    socket.off('data', onData);
    socket.pause();
    done({ software: end === -1 ? undefined : softwareOf(bytes.subarray(0, end + 1)), bytes });
  };
  socket.on('data', onData);
  socket.resume(); // whoever accepted it has read nothing and let nothing be read
}

/** `line` ends with a line feed. Exported for its table of tests. */
export function softwareOf(line: Buffer): string | undefined {
  if (line.length > sshIdentBytesMax || line.includes(0)) return undefined;
  const text = line.toString('latin1').replace(/\r?\n$/u, '');
  if (text.includes('\r')) return undefined;
  const software = identificationPattern.exec(text)?.[1];
  return software === undefined ? undefined : printable(software, softwareLengthMax);
}
