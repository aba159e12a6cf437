/** A wire between a client and a server that counts what the client sends, and breaks when it is told to. */
import type { Test } from 'tap';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export class Wire {
  /** From clients to the server since this was set to 0. */
  sentBytes = 0;
  #cutAt = Infinity;
  #cut: () => void = () => undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(target: () => number) {
    this.#server = createServer((client) => this.#connect(client, target()));
  }

  /** Listens on a port of 127.0.0.1; closed when the test ends. */
  async open(t: Test): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      this.#server.close();
      this.#breakAll();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Whether it is still to be cut. */
  get isWhole(): boolean {
    return this.#cutAt !== Infinity;
  }

  /** Once so much has come from a client, nothing more is passed on and `act` is called; resolves when it is done. */
  async cutAfter(bytes: number, act: () => Promise<unknown> | undefined = () => undefined): Promise<void> {
    this.sentBytes = 0;
    this.#cutAt = bytes;
    await new Promise<void>((resolve) => (this.#cut = resolve));
    await act();
    this.#breakAll();
  }

  #connect(client: Socket, port: number): void {
    const server = createConnection(port, '127.0.0.1');
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined); // it is cut, or its other end is
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    server.pipe(client);
    client.on('data', (bytes: Buffer) => {
      this.sentBytes += bytes.length;
      if (this.sentBytes >= this.#cutAt) {
        client.pause();
        this.#cutAt = Infinity;
        this.#cut();
        return;
      }
      if (!server.write(bytes)) {
        client.pause();
        server.once('drain', () => client.resume());
      }
    });
    client.on('end', () => server.end());
  }

  #breakAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
