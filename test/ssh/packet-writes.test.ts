/** Goal: packets that we make ourselves are those that ssh2 would make, and they leave together and in order. */
import t from 'tap';
import { createRequire } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { gatheringWrites, gcmPacket } from '../../src/ssh/packet-writes.ts';

interface Ssh2Crypto {
  readonly CIPHER_INFO: Readonly<Record<string, unknown>>;
  createCipher(config: unknown): { allocPacket(payloadLength: number): Buffer };
}
const ssh2Crypto = createRequire(import.meta.url)('ssh2/lib/protocol/crypto.js') as Ssh2Crypto;

t.test('a packet has the lengths that ssh2 gives it, and padding of its own', async (t) => {
  const cipher = ssh2Crypto.createCipher({
    outbound: {
      onWrite: () => undefined,
      seqno: 0,
      cipherInfo: ssh2Crypto.CIPHER_INFO['aes128-gcm@openssh.com'],
      cipherKey: Buffer.alloc(16),
      cipherIV: Buffer.alloc(12),
    },
  });
  const tagBytes = cipher.constructor.name === 'AESGCMCipherBinding' ? 0 : 16; // without native code it comes apart
  const paddings = new Set<string>();
  for (let payloadBytes = 0; payloadBytes < 70; payloadBytes += 1) {
    const [theirs, ours] = [cipher.allocPacket(payloadBytes), gcmPacket(payloadBytes)];
    t.equal(ours.length, theirs.length + tagBytes, `${payloadBytes} bytes`);
    t.strictSame(ours.subarray(0, 5), theirs.subarray(0, 5), `${payloadBytes} bytes`);
    paddings.add(ours.subarray(5 + payloadBytes, ours.length - 16).toString('hex'));
  }
  t.equal(paddings.size, 70);
});

t.test('what is written in one turn arrives in order, and before the end', async (t) => {
  const received = new Promise<Buffer[]>((resolve) => {
    const server = createServer((socket) => {
      const chunks: Buffer[] = [];
      socket.on('data', (chunk) => chunks.push(chunk));
      socket.on('end', () => {
        resolve(chunks);
        socket.end();
        server.close();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const socket: Socket = connect(
        typeof address === 'object' && address !== null ? address.port : 0,
        '127.0.0.1',
      );
      socket.once('connect', () => {
        const write = gatheringWrites(socket);
        for (let count = 0; count < 100; count += 1) write(Buffer.from(`${count} `));
        t.equal(socket.writableCorked, 1);
        t.equal(socket.bytesWritten, 290, 'waits');
        socket.end('last');
        write(Buffer.from('too late'));
      });
    });
  });
  const expected = `${Array.from({ length: 100 }, (_, count) => `${count} `).join('')}last`;
  t.equal(Buffer.concat(await received).toString(), expected);
});
