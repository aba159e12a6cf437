/**
 * A long line, for kernels without netem: a program of its own that passes each direction on after half of the round trip,
 * no faster than the line's rate. `node delay-proxy.ts PORT ROUND_TRIP_MS BITS_PER_SECOND` prints the port it listens on.
 *
 * TCP's own windows are those of loopback on both sides, so what limits a transfer is the SSH window and nothing else.
 */
import { connect, createServer, type Socket } from 'node:net';

/** What the line holds: the rate times the delay, and as much again as routers would. */
const lineBytesMax = 32 * 1024 * 1024;

interface Line {
  readonly delayMs: number;
  readonly bytesPerMs: number;
}

function carry(from: Socket, to: Socket, { delayMs, bytesPerMs }: Line): void {
  const under: { readonly dueMs: number; readonly bytes: Buffer | undefined }[] = [];
  let heldBytes = 0;
  let freeAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  const deliver = (): void => {
    timer = undefined;
    for (let next = under[0]; next !== undefined && next.dueMs <= performance.now(); next = under[0]) {
      under.shift();
      if (next.bytes === undefined) to.end();
      else to.write(next.bytes);
      heldBytes -= next.bytes?.length ?? 0;
    }
    if (heldBytes < lineBytesMax) from.resume();
    const [next] = under;
    if (next !== undefined) timer = setTimeout(deliver, Math.max(next.dueMs - performance.now(), 0));
  };
  const send = (bytes: Buffer | undefined): void => {
    const now = performance.now();
    freeAtMs = Math.max(freeAtMs, now) + (bytes?.length ?? 0) / bytesPerMs;
    under.push({ dueMs: freeAtMs + delayMs, bytes });
    heldBytes += bytes?.length ?? 0;
    if (heldBytes >= lineBytesMax) from.pause();
    timer ??= setTimeout(deliver, delayMs);
  };
  from.on('data', send);
  from.on('end', () => send(undefined));
  from.on('error', () => to.destroy());
}

const [port = 0, roundTripMs = 0, bitsPerSecond = 0] = process.argv.slice(2).map(Number);
const line = { delayMs: roundTripMs / 2, bytesPerMs: bitsPerSecond / 8000 };
const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
  const far = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  carry(near, far, line);
  carry(far, near, line);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) process.stdout.write(`${address.port}\n`);
});
