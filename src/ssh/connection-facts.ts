/** What is known of a socket before its first byte; for connections that are refused as well. */
import type { Socket } from 'node:net';
import { newId } from '../ids.ts';
import type { ConnectionFacts } from '../users/user.ts';

export function connectionFacts(socket: Socket): ConnectionFacts {
  return Object.freeze({
    id: newId(),
    address: socket.remoteAddress ?? '',
    port: socket.remotePort ?? 0,
    clientSoftware: '',
  });
}
