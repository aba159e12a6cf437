/**
 * Goal: memory stays flat whatever a client does not read, and a slow session slows its client. Method: clients that open
 * huge windows and stop, and sessions that read late.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import type { Channel } from '../../src/session/channel.ts';
import { ScpdError } from '../../src/errors.ts';
import { Outbound } from '../../src/ssh/outbound.ts';
import type { Transport } from '../../src/ssh/transport.ts';
import { wireString } from '../../src/users/wire.ts';
import { eventually, keys, startServer } from '../support/ssh-harness.ts';

const mib = 1024 * 1024;

t.test('a client with a huge window that stops reading makes the session wait', async (t) => {
  let written = 0;
  const outcome: unknown[] = [];
  const server = await startServer(t, {
    startSession: async (_request, channel) => {
      const block = Buffer.alloc(mib);
      try {
        for (;;) {
          await channel.write(block);
          written += block.length;
        }
      } catch (error) {
        outcome.push(error);
      }
      await channel.finish(1);
    },
  });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  for (let count = 0; count < 4; count += 1) {
    const channel = await client.openSession(count, 0xffff_ffff);
    client.sendRequest(channel, 'exec', false, wireString('pour for ever'));
  }
  client.socket.pause();
  let before = -1;
  await eventually(() => {
    const still = before === written;
    before = written;
    return still && written > 0;
  }, 'a standstill');
  await new Promise((resolve) => {
    setTimeout(resolve, 300);
  });
  t.ok(written - before <= 4 * mib, 'it stands still');
  // Kernel buffers on loopback take some megabytes; without back-pressure it would be gigabytes.
  t.ok(written < 64 * mib, `${written} bytes were taken`);
  client.destroy();
  await eventually(() => outcome.length === 4, 'four ends');
  for (const error of outcome)
    t.match(error, { name: ScpdError.prototype.constructor.name, code: 'CONNECTION_LOST' });
});

t.test('a client that never finishes a key exchange makes the session wait, too', async (t) => {
  let written = 0;
  const server = await startServer(t, {
    rekeyBytes: 100_000,
    startSession: async (_request, channel) => {
      for (;;) {
        await channel.write(Buffer.alloc(32_768));
        written += 32_768;
      }
    },
  });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  const channel = await client.openSession(0, 0xffff_ffff);
  client.ignoresKeyExchanges = true;
  client.sendRequest(channel, 'exec', false, wireString('pour'));
  await eventually(() => written > 200_000, 'data');
  client.send(80, wireString('a message that makes the server look at its counters'), 0);
  let before = -1;
  await eventually(() => {
    const still = before === written;
    before = written;
    return still;
  }, 'a standstill');
  await new Promise((resolve) => {
    setTimeout(resolve, 300);
  });
  t.equal(written, before);
  // Not the four gigabytes that the window allows: what the sockets' buffers hold.
  t.ok(written < 64 * mib, `${written} bytes were taken`);
  t.notOk(client.isClosed);
});

t.test('replies that pile up during a key exchange end the connection', async (t) => {
  const server = await startServer(t, { rekeyBytes: 100_000 });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  client.ignoresKeyExchanges = true;
  for (let count = 0; count < 10_000; count += 1) client.send(80, wireString('keepalive@openssh.com'), 1);
  await client.closed();
  t.match(await server.until('connectionClosed'), [[{ reason: 'protocol', detail: 'replies are not read' }]]);
});

t.test('so do replies that pile up in the socket', (t) => {
  const socket = Object.assign(new EventEmitter(), { writableLength: 0 });
  const transport = { isExchangingKeys: false, queuedPackets: 0 };
  const outbound = new Outbound(socket as unknown as Socket, transport as unknown as Transport);
  t.same([outbound.isOpen, outbound.isFlooded], [true, false]);
  socket.writableLength = 300_000;
  t.same([outbound.isOpen, outbound.isFlooded], [false, false], 'channels wait first');
  socket.writableLength = 5_000_000;
  t.same([outbound.isOpen, outbound.isFlooded], [false, true]);
  t.end();
});

t.test('a session that does not read lets its client send one window and no more', async (t) => {
  let read = (): void => undefined;
  const reading = new Promise<void>((resolve) => {
    read = resolve;
  });
  const server = await startServer(t, {
    startSession: async (_request, channel: Channel) => {
      await reading;
      for await (const chunk of channel.input) void chunk;
      await channel.finish(0);
    },
  });
  const client = await server.hostile();
  await client.logIn('alice', keys.ed25519);
  const channel = await client.openSession();
  await client.exec(channel, 'slow');
  for (let sent = 0; sent < 2 * mib; sent += 32_768) client.sendData(channel, Buffer.alloc(32_768));
  client.sendRequest(channel, 'marker', true);
  await client.next(100);
  t.notOk(
    client.received.some((message) => message[0] === 93),
    'no more is granted',
  );
  read();
  t.equal((await client.next(93)).readUInt32BE(1), 0, 'until the session reads');
});
