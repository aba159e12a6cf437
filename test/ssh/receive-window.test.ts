/** Goal: a far client is not held up by the window, a near one or a slow reader does not make it grow, and all is bounded. */
import t from 'tap';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { ProtocolError } from '../../src/errors.ts';
import { sshWindowBytes, sshWindowBytesMax, sshWindowFarStallMsMin } from '../../src/limits.ts';
import { Channels, type ChannelsOptions } from '../../src/ssh/channels.ts';
import type { SshEvents } from '../../src/ssh/events.ts';
import { message } from '../../src/ssh/messages.ts';
import { ReceiveWindow, WindowBudget } from '../../src/ssh/receive-window.ts';
import type { Login } from '../../src/users/user.ts';
import { wireString, wireUint32 } from '../../src/users/wire.ts';

const packetBytes = 32 * 1024;

interface Client {
  readonly roundTripMs: number;
  readonly bytesPerMs: number;
  /** How long the reader has each packet. */
  readonly readingMs?: number;
  /** How long it does nothing after every 6 MiB: its machine is busy. */
  readonly pauseMs?: number;
}

/** A window of a server that has been idle for the given part of the time. */
function windowOf(budget = new WindowBudget(), idlePart = 1): ReceiveWindow {
  return new ReceiveWindow(budget, () => idlePart * serverMs);
}
let serverMs = 0;

/** Sends as fast as its line and the window let it. Answers what the client was allowed to send in all. */
function send(
  window: ReceiveWindow,
  totalBytes: number,
  { roundTripMs, bytesPerMs, readingMs = 0, pauseMs = 0 }: Client,
): number {
  /** What the client may send, and from when on it knows. */
  const grants = [{ bytes: window.initialBytes, knownMs: 0 }];
  let [clientMs, allowedBytes, grantedBytes, readerMs] = [0, 0, window.initialBytes, 0];
  const unread: number[] = [];
  const read = (untilMs: number): void => {
    for (let next = unread[0]; next !== undefined && next + readingMs <= untilMs; next = unread[0]) {
      unread.shift();
      readerMs = Math.max(readerMs, next) + readingMs;
      serverMs = readerMs;
      const bytes = window.take(packetBytes, readerMs);
      if (bytes === 0) continue;
      grantedBytes += bytes;
      grants.push({ bytes, knownMs: readerMs + roundTripMs / 2 });
    }
  };
  for (let sent = 0; sent < totalBytes; sent += packetBytes) {
    while (allowedBytes < packetBytes) {
      if (grants[0] === undefined) read(Infinity);
      const grant = grants.shift();
      if (grant === undefined) throw new Error('the client waits for ever');
      clientMs = Math.max(clientMs, grant.knownMs);
      allowedBytes += grant.bytes;
    }
    allowedBytes -= packetBytes;
    clientMs += packetBytes / bytesPerMs;
    if (sent > 0 && sent % (3 * sshWindowBytes) === 0) clientMs += pauseMs;
    const arrivedMs = clientMs + roundTripMs / 2;
    serverMs = arrivedMs;
    window.receive(packetBytes, arrivedMs);
    unread.push(arrivedMs);
    read(arrivedMs);
  }
  return grantedBytes - totalBytes;
}

const gigabit = 125_000;
const total = 256 * 1024 * 1024;

t.test('grows for a client that is far away, up to its limit', async (t) => {
  const left = send(windowOf(), total, { roundTripMs: 80, bytesPerMs: gigabit });
  t.ok(left > sshWindowBytesMax / 2, `${left} bytes`);
  t.ok(left <= sshWindowBytesMax, `${left} bytes`);
});

t.test('stays as it is', async (t) => {
  const cases: readonly (readonly [string, Client])[] = [
    ['for a near client', { roundTripMs: 0.1, bytesPerMs: 8 * gigabit }],
    ['for a near client that is held up', { roundTripMs: 0.1, bytesPerMs: 8 * gigabit, pauseMs: 30 }],
    ['for a slow line', { roundTripMs: 10, bytesPerMs: gigabit / 100 }],
    ['for a reader that is slower than the client', { roundTripMs: 80, bytesPerMs: gigabit, readingMs: 8 }],
  ];
  for (const [words, client] of cases) {
    const left = send(windowOf(), total / 4, client);
    t.ok(left <= sshWindowBytes, `${words}: ${left} bytes`);
  }
});

t.test('stays as it is while the server is busy: it keeps clients waiting, not the line', async (t) => {
  const held = { roundTripMs: 0.1, bytesPerMs: 8 * gigabit, pauseMs: 100 };
  t.ok(send(windowOf(undefined, 0.9), total, held) > sshWindowBytes, 'an idle one can not know');
  const left = send(windowOf(undefined, 0.3), total, held);
  t.ok(left <= sshWindowBytes, `${left} bytes`);
});

t.test('all windows together grow by no more than the budget, which comes back', async (t) => {
  const budget = new WindowBudget(3 * sshWindowBytes);
  const client = { roundTripMs: 80, bytesPerMs: gigabit };
  const [one, other] = [windowOf(budget), windowOf(budget)];
  t.ok(send(one, total, client) > sshWindowBytes);
  t.ok(send(other, total, client) <= sshWindowBytes, 'nothing is left for the second');
  one.close();
  one.close();
  t.ok(send(windowOf(budget), total, client) > sshWindowBytes, 'the third has what the first gave back');
  t.notOk(budget.take(sshWindowBytes + 1), 'no more than that');
});

t.test('more than was allowed ends it', async (t) => {
  const window = windowOf();
  window.receive(sshWindowBytes, 0);
  t.throws(() => window.receive(1, 0), ProtocolError);
});

t.test('a channel that never had a session gives back what its window grew by', async (t) => {
  const windows = new WindowBudget(sshWindowBytes);
  const nothing = (): undefined => undefined;
  const channels = new Channels({
    packets: new Proxy({}, { get: () => nothing }) as ChannelsOptions['packets'],
    outbound: { release: nothing } as unknown as ChannelsOptions['outbound'],
    windows,
    login: {} as Login,
    startSession: () => Promise.resolve(),
    events: {} as SshEvents,
    log: pino({ level: 'silent' }),
    onActivity: nothing,
    onIdle: nothing,
  });
  const hear = (type: number, ...fields: Buffer[]): void =>
    channels.handle(Buffer.concat([Buffer.of(type), ...fields]));
  const extendedData = Buffer.concat([wireUint32(0), wireUint32(1), wireString(Buffer.alloc(packetBytes))]);
  hear(message.CHANNEL_OPEN, wireString('session'), ...[0, 1 << 20, 1 << 15].map(wireUint32));
  for (let sent = 0; sent < sshWindowBytes; sent += packetBytes)
    hear(message.CHANNEL_EXTENDED_DATA, extendedData);
  await pause(2 * sshWindowFarStallMsMin);
  hear(message.CHANNEL_EXTENDED_DATA, extendedData);
  t.notOk(windows.take(1), 'it grew');
  hear(message.CHANNEL_CLOSE, wireUint32(0));
  await pause(1);
  t.ok(windows.take(sshWindowBytes));
});
