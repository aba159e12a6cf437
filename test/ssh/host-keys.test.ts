/** Goal: host keys are files that ssh-keygen reads, and what the server can't use is refused in words that help. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { generateHostKey, parseHostKey } from '../../src/ssh/host-keys.ts';

for (const [type, name, described] of [
  ['ed25519', 'ssh-ed25519', '256 SHA256:'],
  ['ecdsa', 'ecdsa-sha2-nistp256', '256 SHA256:'],
  ['rsa', 'ssh-rsa', '3072 SHA256:'],
] as const) {
  await t.test(`${type}: ssh-keygen reads both halves, and so do we`, async (t) => {
    const directory = t.testdir();
    const key = generateHostKey(type, 'scpd  on\nthis host');
    const file = join(directory, 'key');
    writeFileSync(file, key.privateKey, { mode: 0o600 });
    const fromPrivate = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' });
    t.equal(fromPrivate, key.publicKey, 'the public half that ssh-keygen derives is ours, comment included');
    t.match(key.publicKey, / scpd on this host\n$/, 'the comment is one line');
    writeFileSync(`${file}.pub`, key.publicKey);
    const listed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' });
    t.ok(listed.startsWith(described), listed);
    const parsed = parseHostKey(Buffer.from(key.privateKey));
    t.equal(parsed.type, name);
    t.equal(parsed.publicBlob.toString('base64'), key.publicKey.split(' ')[1]);
  });
}

t.test('keys with leading zero bytes are as good as others', (t) => {
  let withLeadingZero = 0;
  for (let round = 0; round < 6000 && withLeadingZero === 0; round += 1) {
    const key = generateHostKey('ed25519', '');
    const blob = Buffer.from(key.publicKey.split(' ')[1] ?? '', 'base64');
    if (blob.length !== 51) t.fail(`${blob.length} bytes`);
    if (blob[19] === 0) withLeadingZero += 1;
  }
  t.equal(withLeadingZero, 1, 'one was tried');
  t.end();
});

t.test('what cannot be a host key is refused with a reason', (t) => {
  const directory = t.testdir();
  const encrypted = join(directory, 'encrypted');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'secret', '-f', encrypted]);
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const pkcs8 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const { publicKey } = generateHostKey('ed25519', 'x');
  const readEncrypted = execFileSync('cat', [encrypted]);
  for (const [content, words] of [
    [readEncrypted, /passphrase/],
    [Buffer.from(''), /is empty/],
    [Buffer.from('hello'), /is not a private key/],
    [Buffer.from(publicKey), /is a public key/],
    [Buffer.from(pkcs8), /PKCS#8/],
    [Buffer.from(small.export({ type: 'pkcs1', format: 'pem' })), /less than 2048 bits/],
  ] as const) {
    t.throws(() => parseHostKey(content), { message: words });
  }
  t.end();
});
