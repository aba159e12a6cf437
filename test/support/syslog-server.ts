/** Who takes syslog messages over a stream (RFC 6587, octets counted), for tests. */
import type { Test } from 'tap';
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface SyslogServer {
  /** A port, or the path of a Unix socket. */
  readonly at: AddressInfo | string;
  readonly messages: string[];
  readonly sockets: Socket[];
  stop(): Promise<void>;
}

/** Frames with their octets counted, as they come. @param at a path, or a port of 127.0.0.1; 0 is any */
export async function startSyslogServer(t: Test, at: string | number): Promise<SyslogServer> {
  const [messages, sockets]: [string[], Socket[]] = [[], []];
  const server = createServer((socket) => {
    sockets.push(socket);
    let rest = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      for (;;) {
        const space = rest.indexOf(0x20);
        const length = Number(rest.toString('latin1', 0, space));
        if (space === -1 || rest.length < space + 1 + length) return;
        messages.push(rest.toString('utf8', space + 1, space + 1 + length));
        rest = rest.subarray(space + 1 + length);
      }
    });
  });
  await new Promise<void>((resolve) =>
    typeof at === 'string' ? server.listen(at, resolve) : server.listen(at, '127.0.0.1', resolve),
  );
  const stop = async (): Promise<void> => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  };
  t.teardown(stop);
  return { at: server.address() as AddressInfo | string, messages, sockets, stop };
}

/** The journal's line that a message is a copy of. */
export function copiedLine(message: string): string {
  return message.slice(message.indexOf('{'));
}
