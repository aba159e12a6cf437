/** Goal: what a user of OpenSSH sees. Method: the installed ssh against a server in this process. */
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { eventually, keys, pattern, run, sha256, sshArgs, startServer } from '../support/ssh-harness.ts';
import { openTerminal, terminalMissing } from '../support/terminal.ts';

const host = 'alice@127.0.0.1';

await t.test('exec: bytes go both ways, and the exit status comes back', async (t) => {
  const server = await startServer(t);
  const input = pattern(3_000_000);
  const echoed = await server.ssh([host, 'cat'], { input });
  t.equal(echoed.code, 0, echoed.stderr);
  t.equal(sha256(echoed.stdout), sha256(input));
  t.equal(echoed.stderr, '', 'nothing but the data is said');
  t.equal((await server.ssh([host, 'exit 7'])).code, 7);
  t.equal((await server.ssh([host, 'cat'], { input: '' })).stdout.length, 0);
  const [login] = (await server.until('loginSucceeded', 3))[0] ?? [];
  t.match(login, {
    user: { name: 'alice' },
    key: { type: 'ssh-ed25519', fingerprint: /^SHA256:[\w+/]{43}$/ },
  });
  t.match(login?.connection, { address: '127.0.0.1', clientSoftware: /^OpenSSH_/ });
  const closed = await server.until('connectionClosed', 3);
  t.match(
    closed.map(([facts]) => facts.reason),
    ['client', 'client', 'client'],
  );
});

for (const name of ['ed25519', 'ecdsa', 'rsa'] as const) {
  await t.test(`a login with ${name}, to a server known by its ${name} key`, async (t) => {
    const server = await startServer(t);
    const algorithm = { ed25519: 'ssh-ed25519', ecdsa: 'ecdsa-sha2-nistp256', rsa: 'rsa-sha2-512' }[name];
    const wanted = ['-v', '-i', join(server.directory, name), '-o', `HostKeyAlgorithms=${algorithm}`];
    const result = await server.ssh([...wanted, host, 'exit 0']);
    t.equal(result.code, 0, result.stderr);
    t.match(result.stderr, new RegExp(`kex: host key algorithm: ${algorithm}`));
    t.match(
      result.stderr,
      /server-sig-algs=<ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256>/,
      'the client is told whole algorithm names',
    );
    t.match(result.stderr, /kex_input_ext_info|SSH2_MSG_EXT_INFO received/);
  });
}

t.test('RSA keys sign with rsa-sha2-512', async (t) => {
  const server = await startServer(t);
  const result = await server.ssh(['-vvv', '-i', join(server.directory, 'rsa'), host, 'exit 0']);
  t.equal(result.code, 0, result.stderr);
  t.match(result.stderr, /signing using rsa-sha2-512/);
});

for (const cipher of ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr', 'aes128-ctr']) {
  for (const mac of cipher.includes('gcm')
    ? ['implicit']
    : ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512']) {
    await t.test(`cipher ${cipher}, MAC ${mac}`, async (t) => {
      const server = await startServer(t);
      const macs = mac === 'implicit' ? [] : ['-o', `MACs=${mac}`];
      const input = pattern(500_000);
      const result = await server.ssh(['-o', `Ciphers=${cipher}`, ...macs, host, 'cat'], { input });
      t.equal(result.code, 0, result.stderr);
      t.equal(sha256(result.stdout), sha256(input));
    });
  }
}

for (const kex of [
  'curve25519-sha256',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group14-sha256',
]) {
  await t.test(`key exchange ${kex}`, async (t) => {
    const server = await startServer(t);
    const result = await server.ssh(['-o', `KexAlgorithms=${kex}`, host, 'exit 0']);
    t.equal(result.code, 0, result.stderr);
  });
}

for (const [option, why] of [
  ['Ciphers=aes128-cbc', 'CBC'],
  ['Ciphers=chacha20-poly1305@openssh.com', 'ChaCha20'],
  ['KexAlgorithms=diffie-hellman-group14-sha1', 'SHA-1 in the key exchange'],
  ['KexAlgorithms=diffie-hellman-group-exchange-sha256', 'group exchange'],
  ['HostKeyAlgorithms=ssh-rsa', 'SHA-1 host key signatures'],
] as const) {
  await t.test(`${why} is not offered`, async (t) => {
    const server = await startServer(t);
    const result = await server.ssh(['-o', option, host, 'exit 0']);
    t.equal(result.code, 255);
    t.match(result.stderr, /no matching/);
    t.match(await server.until('connectionClosed'), [[{ login: null }]]);
  });
}

t.test('compression is not used even if the client wants it', async (t) => {
  const server = await startServer(t);
  const result = await server.ssh(['-vv', '-C', host, 'exit 0']);
  t.equal(result.code, 0);
  t.match(result.stderr, /compression: none/);
  t.notMatch(result.stderr, /compression: zlib/);
});

t.test('a shell gets its friendly line and ends, with and without a terminal', async (t) => {
  const server = await startServer(t);
  const plain = await server.ssh(['-T', host]);
  t.equal(plain.code, 1);
  t.equal(plain.stderr, 'This account only transfers files.\n');
  const forced = await server.ssh(['-tt', host]);
  t.equal(forced.code, 255, 'who insists on a terminal gets none');
  t.match(forced.stderr, /PTY allocation request failed/);
});

t.test('who merely asks for a terminal gets the same line', { skip: terminalMissing }, async (t) => {
  const server = await startServer(t);
  const terminal = await openTerminal(t, 'ssh', sshArgs(server.directory, server.port, [host]));
  t.equal(await terminal.status, 1);
  t.match(
    terminal.shown,
    /^PTY allocation request failed on channel 0\r\nThis account only transfers files\.\r\n/,
  );
});

t.test('a session that throws ends with status 1 and a line in the log; the server lives', async (t) => {
  const server = await startServer(t);
  t.equal((await server.ssh([host, 'throw'])).code, 1);
  t.match(server.log.join(''), /on purpose/);
  t.equal((await server.ssh([host, 'exit 0'])).code, 0);
});

t.test('subsystems: sftp and nothing else', async (t) => {
  const server = await startServer(t);
  const sftp = await server.ssh(['-s', host, 'sftp']);
  t.equal(sftp.stdout.toString(), 'a subsystem');
  for (const name of ['netconf', 'sftp ', 'SFTP']) {
    const result = await server.ssh(['-s', host, name]);
    t.not(result.code, 0, `"${name}"`);
  }
  t.match(server.of('requestRefused')[0], [
    { user: { name: 'alice' } },
    { request: 'subsystem', name: 'netconf' },
  ]);
  t.equal(server.sessions.length, 1);
});

t.test('command bytes arrive as they are', async (t) => {
  const server = await startServer(t);
  // Node passes arguments as UTF-8; the shell makes the byte that is none.
  const args = sshArgs(server.directory, server.port, [host]).join(' ');
  await run('sh', ['-c', `exec ssh ${args} "$(printf 'scp -t na\\351me')"`]);
  t.match(server.sessions, [{ kind: 'exec', command: Buffer.from('scp -t na\u00e9me', 'latin1') }]);
});

t.test('environment variables are ignored politely', async (t) => {
  const server = await startServer(t);
  const result = await server.ssh(['-o', 'SetEnv=LD_PRELOAD=/tmp/x __proto__=y LANG=C', host, 'exit 0']);
  t.equal(result.code, 0, result.stderr);
});

t.test('several sessions over one connection', async (t) => {
  const server = await startServer(t);
  const control = join(server.directory, 'control');
  const master = spawn('ssh', sshArgs(server.directory, server.port, ['-M', '-N', '-S', control, host]), {
    stdio: 'ignore',
  });
  t.teardown(() => master.kill());
  await server.until('loginSucceeded');
  const check = (): boolean => {
    try {
      execFileSync('ssh', ['-S', control, '-O', 'check', host], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  };
  await eventually(check, 'the master');
  const input = pattern(1_000_000);
  const results = await Promise.all(
    Array.from({ length: 8 }, () => run('ssh', ['-S', control, host, 'cat'], { input })),
  );
  t.strictSame(
    results.map(({ code, stdout }) => [code, sha256(stdout)]),
    results.map(() => [0, sha256(input)]),
  );
  t.equal(server.of('loginSucceeded').length, 1);
});

t.test('PuTTY: a login and bytes both ways', async (t) => {
  const server = await startServer(t);
  const key = join(server.directory, 'rsa.ppk');
  const fingerprint = await run('ssh-keygen', ['-l', '-f', join(server.directory, 'known_hosts')]);
  const hostKeys = fingerprint.stdout.toString().match(/SHA256:[\w+/]+/g) ?? [];
  const puttygen = await run('puttygen', [join(server.directory, 'ed25519'), '-o', key]).catch(
    () => undefined,
  );
  if (puttygen === undefined) {
    t.pass('puttygen is not installed');
    return;
  }
  const input = pattern(200_000);
  const plink = await run(
    'plink',
    [
      '-batch',
      '-P',
      String(server.port),
      '-i',
      key,
      ...hostKeys.flatMap((hostKey) => ['-hostkey', hostKey]),
      host,
      'cat',
    ],
    { input },
  );
  t.equal(plink.code, 0, plink.stderr);
  t.equal(sha256(plink.stdout), sha256(input));
});

t.test('a stranger is refused', async (t) => {
  const server = await startServer(t);
  const result = await server.ssh(['-i', join(server.directory, 'stranger'), host, 'exit 0']);
  t.equal(result.code, 255);
  t.match(result.stderr, /Permission denied \(publickey\)/);
  const blob = keys.stranger.publicKey.split(' ')[1];
  t.ok(blob);
  t.match(server.of('loginRefused'), [
    [{ userName: 'alice', keyFingerprint: /^SHA256:/, reason: 'not-authorized' }],
  ]);
});
