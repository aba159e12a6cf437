/**
 * Reads all sockets of this process into one piece of memory. Node makes a buffer of 64 KiB for each read otherwise, which is
 * a GiB of garbage for each GiB that comes (see `blocks.ts`), and reads no more at once.
 */
import { Socket, type SocketConstructorOpts } from 'node:net';
import { socketReadBytes } from '../limits.ts';

const memory = Buffer.allocUnsafeSlow(socketReadBytes);

/** What Node keeps of a socket; not documented, but what it is made of again here (`new Socket({ handle })`) is. */
interface Held {
  _handle?: object | null;
}

/**
 * The same connection as a socket whose 'data' lies in shared memory: it is there until the listeners return, and not
 * after. Takes `accepted`, of which nothing must have been read, and closes it when the new one closes.
 * Where Node does not let it, `accepted` is the answer, and its chunks just last longer.
 */
export function withSharedReads(accepted: Socket): Socket {
  const { _handle: handle } = accepted as Held;
  if (handle === undefined || handle === null || accepted.readableLength > 0) return accepted;
  Object.assign(accepted, { _handle: null });
  const socket: Socket = new Socket({
    handle,
    allowHalfOpen: accepted.allowHalfOpen,
    onread: {
      buffer: memory,
      callback: (byteCount: number) => socket.emit('data', memory.subarray(0, byteCount)),
    },
  } as SocketConstructorOpts);
  // Its server counts it as open until then.
  socket.once('close', () => accepted.destroy());
  return socket;
}
