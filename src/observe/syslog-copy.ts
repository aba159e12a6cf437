/**
 * A copy of each record to syslog (RFC 5424), by UDP, TCP (RFC 6587, octets counted) or a Unix stream socket. The message is
 * the record as it stands in the journal; facility 13 (log audit), severity by its outcome. What waits is bounded in number.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { JournalCopy } from '../audit/copies.ts';
import { auditSyslogQueueMax, auditSyslogRetryMs, auditSyslogSendMs } from '../limits.ts';

export type SyslogTarget =
  | { readonly kind: 'udp' | 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** `udp://host:514`, `tcp://[::1]:601`, `unix:/run/log.sock`; undefined for what is none. */
export function syslogTarget(text: string): SyslogTarget | undefined {
  const path = /^unix:(\/.{1,106})$/u.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const match = /^(udp|tcp):\/\/(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/u.exec(
    text,
  );
  const [, kind, v6, host = v6 ?? '', port] = match ?? [];
  const number = Number(port);
  if ((kind !== 'udp' && kind !== 'tcp') || !(number >= 1 && number <= 65_535)) return undefined;
  return { kind, host, port: number };
}

const facility = 13; // log audit
const severities: readonly (readonly [mark: string, severity: number])[] = [
  ['"outcome":"failed"', 3],
  ['"outcome":"refused"', 4],
];

/** The message about one line of the journal. */
export function syslogMessage(line: string, host: string): string {
  const [, severity] = severities.find(([mark]) => line.includes(mark)) ?? ['', 6];
  const time = /"time":"([^"]{24})"/.exec(line)?.[1] ?? '-';
  const named = host.replaceAll(/[^\x21-\x7e]/gu, '').slice(0, 255) || '-';
  return `<${facility * 8 + severity}>1 ${time} ${named} scpd ${process.pid} audit - ${line.trimEnd()}`;
}

/** What one UDP packet over IPv4 holds. */
const datagramBytesMax = 65_507;

export class SyslogCopy implements JournalCopy {
  readonly name = 'syslog';
  readonly target: string;
  lost = 0;
  readonly #target: SyslogTarget;
  readonly #host = hostname();
  readonly #queue: string[] = [];
  readonly #closing = new AbortController();
  #sending: Promise<void> | undefined;
  #socket: Socket | undefined;
  #datagrams: DatagramSocket | undefined;

  constructor(target: SyslogTarget) {
    this.#target = target;
    this.target = JSON.stringify(target);
  }

  push(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.#queue.length >= auditSyslogQueueMax || this.#closing.signal.aborted) this.lost += 1;
      else this.#queue.push(line);
    }
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async settled(): Promise<void> {
    await this.#sending;
  }

  close(): void {
    this.#closing.abort();
    this.lost += this.#queue.splice(0).length;
    this.#socket?.destroy();
    this.#datagrams?.close();
    this.#datagrams = undefined;
  }

  /** In order; over a stream, one that failed is tried again for as long as there is room for those behind it. */
  async #sendAll(): Promise<void> {
    while (this.#queue.length > 0 && !this.#closing.signal.aborted) {
      try {
        await this.#send(syslogMessage(this.#queue[0] ?? '', this.#host));
        this.#queue.shift();
      } catch {
        this.#socket?.destroy();
        this.#socket = undefined;
        if (this.#closing.signal.aborted) return; // given up, and counted
        if (this.#target.kind === 'udp') {
          this.#queue.shift();
          this.lost += 1;
        } else
          await delay(auditSyslogRetryMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      }
    }
  }

  async #send(message: string): Promise<void> {
    const bytes = Buffer.from(message);
    if (this.#target.kind === 'udp') await this.#sendDatagram(this.#target, bytes);
    else await this.#sendFrame(Buffer.concat([Buffer.from(`${bytes.length} `), bytes]));
  }

  async #sendDatagram(
    { host, port }: { readonly host: string; readonly port: number },
    bytes: Buffer,
  ): Promise<void> {
    if (bytes.length > datagramBytesMax) throw new Error('larger than a datagram');
    if (this.#datagrams === undefined) {
      this.#datagrams = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
      this.#datagrams.on('error', () => undefined); // told by the callback of what is sent
      this.#datagrams.unref();
    }
    const socket = this.#datagrams;
    await new Promise<void>((resolve, reject) =>
      socket.send(bytes, port, host, (error) => (error === null ? resolve() : reject(error))),
    );
  }

  async #sendFrame(frame: Buffer): Promise<void> {
    const socket = (this.#socket ??= await this.#connect());
    if (this.#closing.signal.aborted) throw new Error('given up meanwhile');
    await inTime(
      socket,
      new Promise<void>((resolve, reject) =>
        socket.write(frame, (error) => (error ? reject(error) : resolve())),
      ),
    );
  }

  async #connect(): Promise<Socket> {
    const target = this.#target;
    const socket =
      target.kind === 'unix' ? connect(target.path) : connect(target as { host: string; port: number });
    socket.unref();
    socket.resume(); // nothing is expected, and nothing is kept
    socket.once('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    await inTime(
      socket,
      new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.on('error', reject);
      }),
    );
    return socket;
  }
}

/** A socket that takes too long is broken. */
async function inTime(socket: Socket, done: Promise<void>): Promise<void> {
  const timer = setTimeout(() => socket.destroy(new Error('too slow')), auditSyslogSendMs);
  let onClose: () => void = () => undefined;
  const closed = new Promise<never>((_, reject) => {
    onClose = () => reject(new Error('closed'));
    socket.once('close', onClose);
  });
  try {
    await Promise.race([done, closed]);
  } finally {
    clearTimeout(timer);
    socket.off('close', onClose); // the socket lasts, with a message for each record
  }
}
