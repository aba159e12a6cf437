/**
 * Key exchanges after the first: we ask for one in time (RFC 4253, section 9; ssh2 never does), and a client that asks for
 * them without need is stopped, because each costs much more to answer than to ask for.
 */
import type { Socket } from 'node:net';
import { ProtocolError } from '../errors.ts';
import { sshRekeyFreeBytes, sshRekeysPerMinuteMax } from '../limits.ts';
import type { Transport } from './transport.ts';

const minuteMs = 60_000;

export class RekeyPolicy {
  readonly #transport: Transport;
  readonly #socket: Socket;
  readonly #rekeyBytes: number;
  #bytesAtLast = 0;
  /** Key exchanges that the client may still have us do; refilled by time and by data. */
  #allowance = sshRekeysPerMinuteMax;
  #lastRefill = performance.now();

  /** @param rekeyBytes in both directions together, after which keys are renewed. */
  constructor(transport: Transport, socket: Socket, rekeyBytes: number) {
    this.#transport = transport;
    this.#socket = socket;
    this.#rekeyBytes = rekeyBytes;
  }

  /** To be called now and then. Throws `ProtocolError` if the client asked for too many key exchanges. */
  check(): void {
    if (this.#allowance < 0) throw new ProtocolError('too many key exchanges');
    const isDue = this.#bytes() - this.#bytesAtLast >= this.#rekeyBytes;
    if (isDue && !this.#transport.isExchangingKeys) this.#transport.rekey();
  }

  /** To be called at the end of each key exchange, the first one included. */
  onKeysExchanged(): void {
    const now = performance.now();
    const byTime = ((now - this.#lastRefill) / minuteMs) * sshRekeysPerMinuteMax;
    // OpenSSH, when its own limit is smaller than a window, exchanges keys for each packet that waited for the last time.
    const byData = (this.#bytes() - this.#bytesAtLast) / sshRekeyFreeBytes;
    this.#allowance = Math.min(this.#allowance + byTime + byData, sshRekeysPerMinuteMax) - 1;
    this.#lastRefill = now;
    this.#bytesAtLast = this.#bytes();
  }

  #bytes(): number {
    return this.#socket.bytesRead + this.#socket.bytesWritten;
  }
}
