import t from 'tap';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { runCli } from '../support/cli.ts';

/** Every file below a directory: name → mode and content. */
function tree(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => {
      const facts = statSync(join(directory, name));
      const content = facts.isFile() ? readFileSync(join(directory, name), 'latin1') : '';
      return [name, `${(facts.mode & 0o777).toString(8)} ${content}`];
    }),
  );
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

t.test('a first run makes everything, a second one changes nothing', async (t) => {
  const directory = t.testdir();
  const first = await runCli(['init'], directory);
  t.equal(first.exitCode, 0, first.stderr);
  const made = tree(directory);
  t.match(made, {
    'keys/host': /^700/,
    'keys/host/ssh_host_ed25519_key': /^600 -----BEGIN OPENSSH PRIVATE KEY-----/,
    'keys/host/ssh_host_ecdsa_key': /^600 -----BEGIN OPENSSH PRIVATE KEY-----/,
    'keys/host/ssh_host_rsa_key': /^600 -----BEGIN OPENSSH PRIVATE KEY-----/,
    'keys/host/ssh_host_ed25519_key.pub': /^644 ssh-ed25519 /,
    'keys/demo': /^700/,
    'keys/demo/id_ed25519': /^600 /,
    'keys/demo/known_hosts':
      /^644 (\[127\.0\.0\.1\]:2222 (ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) \S+\n){3}$/,
    'keys/users/demo': /^644 ssh-ed25519 /,
    'var/audit': /^700/,
    'var/audit/journal-key': /^600 -----BEGIN PRIVATE KEY-----/,
    'var/audit/journal-key.pub': /^644 -----BEGIN PUBLIC KEY-----/,
    'var/demo/hello.txt': /^644 Hello/,
    'config/scpd.json': /^644 \/\//,
    'config/schema.json': /^644 \{/,
  });
  t.match(first.stdout, 'created keys/host/ssh_host_rsa_key\n');
  t.same(
    Object.keys(made).filter((name) => /[0-9a-f]{8}-/.test(name)),
    [],
    'no temporary file is left',
  );

  edit(join(directory, 'config/scpd.json'), (text) => text.replace('"info"', '"debug"'));
  rmSync(join(directory, 'var/demo/hello.txt'));
  const before = tree(directory);
  const second = await runCli(['init'], directory);
  t.equal(second.exitCode, 0, second.stderr);
  t.same(tree(directory), before);
  t.notMatch(second.stdout, /created|updated/);
  t.match(second.stdout, 'kept    config/scpd.json\n');
  t.match(second.stdout, `demo@127.0.0.1:scpd.json var/\n`, 'the file that was removed is not asked for');

  const checked = await runCli(['check'], directory);
  t.equal(checked.exitCode, 0, checked.stderr);
  t.match(
    checked.stdout,
    /^config\/scpd\.json: no problem found\n +listens on 127\.0\.0\.1:2222\n +host keys: ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa\n +users: 1\n +demo: full in var\/demo\n$/,
  );
  t.equal(checked.stderr, '');

  t.test('ssh-keygen reads the keys', { skip: missing('ssh-keygen') }, async (t) => {
    for (const name of [
      'host/ssh_host_ed25519_key',
      'host/ssh_host_ecdsa_key',
      'host/ssh_host_rsa_key',
      'demo/id_ed25519',
    ]) {
      const file = join(directory, 'keys', name);
      const publicKey = execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' });
      t.equal(publicKey.split(' ')[1]?.trim(), readFileSync(`${file}.pub`, 'utf8').split(' ')[1], name);
      t.match(execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' }), /SHA256:/, name);
    }
    const known = execFileSync(
      'ssh-keygen',
      ['-F', '[127.0.0.1]:2222', '-f', join(directory, 'keys/demo/known_hosts')],
      {
        encoding: 'utf8',
      },
    );
    t.equal(known.split('\n').filter((line) => line.startsWith('[127.0.0.1]:2222 ')).length, 3);
  });
});

t.test('the lines to paste', async (t) => {
  const directory = t.testdir({ 'a place': {} });
  const { stdout } = await runCli(['init', '--dir', 'a place'], directory);
  const lines = stdout.split('\n').filter((line) => /\b(scp|sftp) .*-P /.test(line));
  const options = `-P 2222 -i 'a place/keys/demo/id_ed25519' -o IdentitiesOnly=yes -o 'UserKnownHostsFile="a place/keys/demo/known_hosts"'`;
  t.same(lines, [
    `scp ${options} 'a place/config/scpd.json' demo@127.0.0.1:`,
    `scp -O ${options} 'a place/config/scpd.json' demo@127.0.0.1:`,
    `scp -r ${options} 'a place/config' demo@127.0.0.1:`,
    `echo 'put "a place/config/scpd.json"' | sftp -b - ${options} demo@127.0.0.1`,
    `scp ${options} demo@127.0.0.1:hello.txt 'a place/var'/`,
    `scp -O ${options} demo@127.0.0.1:hello.txt 'a place/var'/`,
    `sftp ${options} demo@127.0.0.1:hello.txt 'a place/var'/`,
  ]);
  t.notMatch(stdout, /StrictHostKeyChecking/);
});

t.test('what follows from the configuration follows its changes', async (t) => {
  const directory = t.testdir();
  const config = join(directory, 'config/scpd.json');
  await runCli(['init'], directory);
  edit(config, (text) => text.replace('"127.0.0.1", "port": 2222', '"::", "port": 22'));
  const moved = await runCli(['init'], directory);
  t.match(moved.stdout, 'updated keys/demo/known_hosts\n');
  t.match(moved.stdout, /-P 22 .* demo@\[::1\]:\n/);
  t.match(readFileSync(join(directory, 'keys/demo/known_hosts'), 'latin1'), /^(::1 \S+ \S+\n){3}$/);

  // A new demo key is not let in behind the owner's back.
  rmSync(join(directory, 'keys/demo'), { recursive: true });
  const before = readFileSync(join(directory, 'keys/users/demo'), 'utf8');
  const renewed = await runCli(['init'], directory);
  t.equal(readFileSync(join(directory, 'keys/users/demo'), 'utf8'), before);
  t.match(renewed.stdout, 'cat keys/demo/id_ed25519.pub >> keys/users/demo\n');

  // The owner took the demo user out: it does not come back.
  edit(config, (text) => text.replace('"demo": {', '"alice": {'));
  for (const name of ['keys/demo', 'var/demo/hello.txt']) rmSync(join(directory, name), { recursive: true });
  const withoutDemo = await runCli(['init'], directory);
  t.equal(withoutDemo.exitCode, 0, withoutDemo.stderr);
  t.notMatch(withoutDemo.stdout, /demo@|created/);

  // A broken configuration is kept and reported.
  edit(config, (text) => text.replace('"durability": "full"', '"durability": "fulll"'));
  const broken = await runCli(['init'], directory);
  t.equal(broken.exitCode, 1);
  t.match(broken.stderr, /^config\/scpd\.json:\d+:\d+ durability: .*got "fulll"; did you mean "full"\?\n$/);
});

t.test('a place that can not be used is one line, not a stack', async (t) => {
  const directory = t.testdir({ keys: 'a file' });
  const { exitCode, stderr } = await runCli(['init'], directory);
  t.equal(exitCode, 1);
  t.match(stderr, /^scpd: E\w+: [^\n]*\n$/);
});
