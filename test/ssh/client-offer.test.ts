/** Goal: who knows AES-GCM gets it, and nobody is locked out by that. */
import t from 'tap';
import { knowsGcm } from '../../src/ssh/client-offer.ts';
import { wireString } from '../../src/users/wire.ts';
import { startServer } from '../support/ssh-harness.ts';

function kexinit(toServer: string, toClient: string, type = 20): Buffer {
  const lists = ['curve25519-sha256', 'ssh-ed25519', toServer, toClient].map((list) => wireString(list));
  const payload = Buffer.concat([Buffer.of(type), Buffer.alloc(16, 1), ...lists]);
  return Buffer.concat([Buffer.from([0, 0, 0, payload.length + 1, 0]), payload]);
}

t.test('what a first packet says', (t) => {
  const gcm = 'aes256-ctr,aes128-gcm@openssh.com';
  t.equal(knowsGcm(kexinit(gcm, gcm)), true);
  t.equal(knowsGcm(kexinit(gcm, 'aes256-ctr')), false, 'in one direction only');
  t.equal(knowsGcm(kexinit('aes256-ctr', gcm)), false);
  t.equal(knowsGcm(kexinit(gcm, gcm, 21)), false, 'another message');
  t.equal(knowsGcm(kexinit(gcm, gcm).subarray(0, 60)), false, 'cut short');
  t.equal(knowsGcm(Buffer.alloc(0)), false);
  t.end();
});

t.test('what OpenSSH takes', async (t) => {
  const server = await startServer(t);
  const cipherOf = async (...options: string[]): Promise<string | undefined> => {
    const { stderr } = await server.ssh(['-v', ...options, 'alice@127.0.0.1', 'exit 0']);
    return /server->client cipher: (\S+)/.exec(stderr)?.[1];
  };
  t.equal(await cipherOf(), 'aes128-gcm@openssh.com', 'though its own order has AES-CTR first');
  t.equal(await cipherOf('-o', 'Ciphers=aes256-ctr,aes256-gcm@openssh.com'), 'aes256-gcm@openssh.com');
  t.equal(await cipherOf('-o', 'Ciphers=aes256-ctr'), 'aes256-ctr', 'a client that has nothing better');
});
