import t from 'tap';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PrivateKeyError, readPrivateKeyFacts } from '../../src/config/openssh-private-key.ts';
import { generateHostKey } from '../../src/ssh/host-keys.ts';
import { missing } from '../support/clients.ts';

const types = { ed25519: 'ssh-ed25519', ecdsa: 'ecdsa-sha2-nistp256', rsa: 'ssh-rsa' } as const;

function words(file: Buffer | string): string {
  try {
    readPrivateKeyFacts(Buffer.from(file));
    return 'no error';
  } catch (error) {
    if (error instanceof PrivateKeyError) return error.message;
    throw error;
  }
}

t.test('type and public half of each kind of key', async (t) => {
  for (const kind of ['ed25519', 'ecdsa', 'rsa'] as const) {
    const { privateKey, publicKey } = generateHostKey(kind, 'test');
    const facts = readPrivateKeyFacts(Buffer.from(privateKey));
    t.equal(`${facts.type} ${facts.publicKeyBlob.toString('base64')} test\n`, publicKey);
    t.equal(facts.type, types[kind]);
  }
});

t.test('other formats are named', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  t.match(words(privateKey), 'another or a damaged key format');
  t.equal(words(publicKey), 'something else');
  t.match(words(generateHostKey('ecdsa', '').publicKey), 'a public key');
  t.equal(words(''), 'something else');
});

t.test('a file that is cut or changed anywhere is refused or read, never more', async (t) => {
  const { privateKey } = generateHostKey('ed25519', 'test');
  const bytes = Buffer.from(privateKey.split('\n').slice(1, -2).join(''), 'base64');
  const file = (content: Buffer): string =>
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${content.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
  t.equal(words(file(bytes)), 'no error');
  const publicEnd = 15 + 4 + 4 + 4 + 4 + 4 + 4 + 4 + 51; // magic, cipher, kdf, options, count, public key
  for (let length = 0; length < publicEnd; length += 1) {
    t.equal(words(file(bytes.subarray(0, length))) === 'no error', false, `cut at ${length}`);
  }
  for (let offset = 0; offset < publicEnd; offset += 1) {
    const changed = Buffer.from(bytes);
    changed[offset] = (changed[offset] ?? 0) ^ 0xff;
    t.doesNotThrow(() => words(file(changed)), `changed at ${offset}`);
  }
});

t.test('keys by ssh-keygen', { skip: missing('ssh-keygen') }, async (t) => {
  const directory = t.testdir();
  const make = (name: string, ...options: string[]): Buffer => {
    const file = `${directory}/${name}`;
    execFileSync('ssh-keygen', ['-q', '-f', file, '-C', 'x', ...options]);
    return readFileSync(file);
  };
  t.equal(readPrivateKeyFacts(make('ed', '-t', 'ed25519', '-N', '')).type, 'ssh-ed25519');
  t.equal(readPrivateKeyFacts(make('ec', '-t', 'ecdsa', '-b', '521', '-N', '')).type, 'ecdsa-sha2-nistp521');
  t.equal(readPrivateKeyFacts(make('rsa', '-t', 'rsa', '-b', '2048', '-N', '')).type, 'ssh-rsa');
  t.match(words(make('small', '-t', 'rsa', '-b', '1024', '-N', '')), 'an RSA key of 1024 bits');
  t.match(words(make('locked', '-t', 'ed25519', '-N', 'secret')), 'one with a passphrase');
});
