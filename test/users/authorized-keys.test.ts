/** Goal: of OpenSSH's authorized_keys format, everything that is meant is read, and nothing is let in by mistake. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { generateHostKey } from '../../src/ssh/host-keys.ts';
import { parseAuthorizedKeys } from '../../src/users/authorized-keys.ts';
import { wireString } from '../../src/users/wire.ts';

const ed25519 = generateHostKey('ed25519', '').publicKey.trim();
const ecdsa = generateHostKey('ecdsa', '').publicKey.trim();
const rsa = generateHostKey('rsa', '').publicKey.trim();
const base64Of = (line: string): string => line.split(' ')[1] ?? '';
const ed = base64Of(ed25519);

/** Lines that let their key in. */
const accepted: Record<string, string> = {
  'a plain key': ed25519,
  'with a comment': `${ed25519} alice@laptop with words`,
  ECDSA: ecdsa,
  RSA: rsa,
  'blanks before': `  \t ${ed25519}`,
  'tabs between': `ssh-ed25519\t${ed}\tcomment`,
  'several blanks': `ssh-ed25519   ${ed}   comment`,
  CRLF: `${ed25519} x\r`,
  'a byte order mark': `\ufeff${ed25519}`,
  'a short type name': `ed25519 ${ed}`,
  'a type name in capitals': `ED25519 ${ed}`,
  'a short name for any curve': `ecdsa ${base64Of(ecdsa)}`,
  'a signature algorithm as the type': `rsa-sha2-512 ${base64Of(rsa)}`,
  restrict: `restrict ${ed25519}`,
  'several options': `no-pty,no-port-forwarding,no-agent-forwarding,no-X11-forwarding,no-user-rc ${ed25519}`,
  'options in capitals': `RESTRICT,No-PTY ${ed25519}`,
  'blanks after options': `restrict \t ${ed25519}`,
  'a comment that looks like options': `${ed25519} command="x"`,
};

/** Lines that let nobody in, and why. */
const refused: Record<string, readonly [string, RegExp]> = {
  'from=': [`from="192.0.2.0/24" ${ed25519}`, /"from" is not supported/],
  'command=': [`command="internal-sftp -R" ${ed25519}`, /"command" is not supported/],
  'command= with an escaped quote': [`command="a \\" b, restrict" ${ed25519}`, /"command" is not supported/],
  'expiry-time=': [`expiry-time="20300101" ${ed25519}`, /"expiry-time" is not supported/],
  'environment=': [`environment="A=b" ${ed25519}`, /"environment" is not supported/],
  'permitopen=': [`permitopen="*:*" ${ed25519}`, /"permitopen" is not supported/],
  'principals=': [`principals="x" ${ed25519}`, /"principals" is not supported/],
  'cert-authority': [`cert-authority ${ed25519}`, /"cert-authority" is not supported/],
  pty: [`restrict,pty ${ed25519}`, /"pty" is not supported/],
  'verify-required': [`verify-required ${ed25519}`, /"verify-required" is not supported/],
  'an unknown option': [`no-such-thing ${ed25519}`, /"no-such-thing" is not supported/],
  'a known option with a value': [`restrict="x" ${ed25519}`, /is not supported/],
  'an empty option': [`restrict,, ${ed25519}`, /malformed/],
  'an open quote': [`command="x ${ed25519}`, /quote is not closed/],
  'a FIDO key': [`sk-ssh-ed25519@openssh.com ${ed}`, /hardware security keys/],
  'a certificate': [`ssh-ed25519-cert-v01@openssh.com ${ed}`, /certificates/],
  DSA: [`ssh-dss ${ed}`, /DSA/],
  'an unknown type': [`ssh-xmss ${ed}`, /not supported/],
  'another type than it says': [`ssh-rsa ${ed}`, /not of the type/],
  'another curve than it says': [`ecdsa-sha2-nistp384 ${base64Of(ecdsa)}`, /not of the type/],
  'no key': ['ssh-ed25519', /base64/],
  'base64 with other characters': [`ssh-ed25519 ${ed.slice(0, 20)}!${ed.slice(20)}`, /base64/],
  'base64 cut short': [`ssh-ed25519 ${ed.slice(0, -4)}`, /cut short/],
  'base64 of the URL kind': [`ssh-ed25519 ${ed.slice(0, -2)}-_`, /base64/],
  'a longer key': [
    `ssh-ed25519 ${Buffer.concat([Buffer.from(ed, 'base64'), Buffer.of(0, 0, 0)]).toString('base64')}`,
    /followed/,
  ],
  'half an ed25519 key': [
    `ssh-ed25519 ${Buffer.concat([wireString('ssh-ed25519'), wireString(Buffer.alloc(31, 1))]).toString('base64')}`,
    /32 bytes/,
  ],
  words: ['these are just words', /form/],
  'a NUL byte': [`${ed25519} a\0b`, /NUL/],
  'a wrong curve inside': [
    `ecdsa-sha2-nistp256 ${Buffer.concat([wireString('ecdsa-sha2-nistp256'), wireString('nistp384'), wireString(Buffer.alloc(65, 4))]).toString('base64')}`,
    /curve/,
  ],
  'a compressed point': [
    `ecdsa-sha2-nistp256 ${Buffer.concat([wireString('ecdsa-sha2-nistp256'), wireString('nistp256'), wireString(Buffer.alloc(33, 2))]).toString('base64')}`,
    /uncompressed/,
  ],
  'a short RSA key': [rsaLine(Buffer.of(1, 0, 1), modulus(128)), /too short/],
  'a huge RSA key': [rsaLine(Buffer.of(1, 0, 1), modulus(2049)), /too long/],
  'an RSA exponent of 1': [rsaLine(Buffer.of(1), modulus(256)), /exponent/],
  'an even RSA exponent': [rsaLine(Buffer.of(1, 0, 0), modulus(256)), /exponent/],
  'a long RSA exponent': [rsaLine(Buffer.alloc(9, 1), modulus(256)), /exponent/],
  'an integer with needless zeros': [rsaLine(Buffer.of(0, 1, 0, 1), modulus(256)), /shortest form/],
  'a negative integer': [rsaLine(Buffer.of(1, 0, 1), modulus(256).subarray(1)), /shortest form/],
  'an empty integer': [rsaLine(Buffer.alloc(0), modulus(256)), /shortest form/],
};

/** An mpint of so many bytes with the highest bit set, so with a sign byte before it. */
function modulus(bytes: number): Buffer {
  return Buffer.concat([Buffer.of(0), Buffer.alloc(bytes, 0xff)]);
}

function rsaLine(exponent: Buffer, digits: Buffer): string {
  const blob = Buffer.concat([wireString('ssh-rsa'), wireString(exponent), wireString(digits)]);
  return `ssh-rsa ${blob.toString('base64')}`;
}

for (const [what, line] of Object.entries(accepted)) {
  t.test(`accepted: ${what}`, (t) => {
    const { keys, refused: complaints } = parseAuthorizedKeys(Buffer.from(line));
    t.same(complaints, []);
    t.equal(keys.length, 1);
    t.match(keys[0]?.fingerprint, /^SHA256:[\w+/]{43}$/);
    t.end();
  });
}

for (const [what, [line, words]] of Object.entries(refused)) {
  t.test(`refused: ${what}`, (t) => {
    const { keys, refused: complaints } = parseAuthorizedKeys(Buffer.from(`# first\n${line}\n${ed25519}`));
    t.equal(keys.length, 1, 'the good line after it counts');
    t.equal(keys[0]?.line, 3);
    t.match(complaints, [{ line: 2, words }]);
    t.notOk(complaints[0]?.words.includes(ed.slice(-10)), 'the line is not quoted');
    t.end();
  });
}

t.test('comments, empty lines and the end of the file', (t) => {
  const text = `# comment\n\n   \n\t# indented comment\n${ed25519} one\r\n\r\n${ecdsa} two`;
  const { keys, refused: complaints } = parseAuthorizedKeys(Buffer.from(text));
  t.same(complaints, []);
  t.same(
    keys.map(({ line, comment }) => [line, comment]),
    [
      [5, 'one'],
      [7, 'two'],
    ],
  );
  t.same(parseAuthorizedKeys(Buffer.alloc(0)), { keys: [], refused: [] });
  t.end();
});

t.test('fingerprints are those of ssh-keygen', (t) => {
  const file = join(t.testdir(), 'keys');
  writeFileSync(file, `${ed25519}\n${ecdsa}\n${rsa}\n`);
  const listed = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' });
  const expected = listed.match(/SHA256:\S+/g) ?? [];
  const { keys } = parseAuthorizedKeys(Buffer.from(`${ed25519}\n${ecdsa}\n${rsa}\n`));
  t.same(
    keys.map(({ fingerprint }) => fingerprint),
    expected,
  );
  t.end();
});

t.test('a file of too many lines is read to the limit', (t) => {
  const { keys, refused: complaints } = parseAuthorizedKeys(
    Buffer.from(`${'\n'.repeat(10_000)}${ed25519}\n`),
  );
  t.same(keys, []);
  t.match(complaints, [{ line: 10_001, words: /longer than 10000 lines/ }]);
  t.end();
});

t.test('noise of any kind never throws', (t) => {
  let state = 12_345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const sources = [...Object.values(accepted), ...Object.values(refused).map(([line]) => line)];
  for (let round = 0; round < 3000; round += 1) {
    const line = Buffer.from(sources[random(sources.length)] ?? '');
    for (let change = random(4); change >= 0; change -= 1)
      if (line.length > 0) line[random(line.length)] = random(256);
    const { keys, refused: complaints } = parseAuthorizedKeys(line);
    if (keys.length + complaints.length > line.toString('latin1').split('\n').length)
      t.fail('more than one per line');
  }
  t.pass('3000 lines');
  t.end();
});
