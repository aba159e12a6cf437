import t from 'tap';
import { statSync } from 'node:fs';
import { ConfigError } from '../../src/config/config-error.ts';
import { loadConfig } from '../../src/config/load.ts';
import { generateHostKey } from '../../src/ssh/host-keys.ts';
import type { Preset } from '../../src/users/user.ts';
import { makePlace, soundSettings } from '../support/config-place.ts';

async function problemsOf(file: string): Promise<readonly string[]> {
  try {
    await loadConfig(file);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** What a user with nothing but a preset may do, and where the one rule stands. */
function rightsOf(preset: Preset, place: string, key: string): object {
  return {
    preset,
    rules: [{ place, key, path: '/**', preset, allow: [], deny: [] }],
    onConflict: 'refuse',
    ownershipMs: 600_000,
    symlinks: 'beneath',
    networks: [],
    hours: [],
  };
}

const inodeOf = (path: string): string => String(statSync(path).ino);

t.test('a sound configuration becomes absolute paths, bytes and defaults, all frozen', async (t) => {
  const place = makePlace(t);
  const { config, problems } = await place.load(soundSettings());
  t.same(problems, []);
  if (config === undefined) return;
  t.match(config, {
    path: place.path('config/scpd.json'),
    listen: [{ host: '127.0.0.1', port: 2222 }],
    durability: 'full',
    audit: { dir: place.path('audit') },
    log: { level: 'info' },
    hostKeys: [
      { path: place.path('keys/ed25519'), type: 'ssh-ed25519' },
      { path: place.path('keys/ecdsa'), type: 'ecdsa-sha2-nistp256' },
    ],
  });
  t.same(config.limits, {
    loginGraceSeconds: 20,
    authAttempts: 6,
    connections: 1024,
    connectionsPerIp: 64,
    connectionsPerUser: 128,
    unauthenticatedConnections: 100,
    idleSeconds: 900,
    drainSeconds: 10,
    retireSeconds: 86400,
    workerSilenceSeconds: 10,
    workerMemoryBytesMax: 1024 ** 3,
  });
  t.same(config.users, [
    {
      user: {
        name: 'alice',
        root: place.path('data/alice'),
        rootInode: inodeOf(place.path('data/alice')),
        fileBytesMax: 1024 ** 4,
        ...rightsOf('full', `${config.path}:19:17`, 'users.alice.preset'),
      },
      authorizedKeysFile: place.path('keys/alice'),
    },
    {
      user: {
        name: 'bob',
        root: place.path('data/bob'),
        rootInode: inodeOf(place.path('data/bob')),
        fileBytesMax: 50 * 1024 ** 3,
        ...rightsOf('read-only', `${config.path}:24:17`, 'users.bob.preset'),
      },
      authorizedKeysFile: place.path('keys/alice'),
    },
  ]);
  t.match(config.hostKeys[0]?.privateKey.toString(), /^-----BEGIN OPENSSH PRIVATE KEY-----/);

  const thawed: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return;
    if (!Object.isFrozen(value)) thawed.push(path);
    for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
  };
  visit(config, 'config');
  t.same(thawed, []);
});

t.test('five broken configurations and what the operator reads', async (t) => {
  const rows: readonly (readonly [name: string, text: string, problems: readonly string[]])[] = [
    [
      'a value of the wrong form',
      `{
  "listen": [{ "host": "127.0.0.1", "port": 2222 }],
  "hostKeys": ["../keys/ed25519"],
  "audit": { "dir": "../audit" },
  "users": {
    "alice": {
      "root": "../data/alice",
      "authorizedKeys": "../keys/alice",
      "preset": "full",
      "fileSizeMax": "50 gigs",
    },
  },
}`,
      ['config/scpd.json:10:22 users.alice.fileSizeMax: expected a size such as "50GiB", got "50 gigs"'],
    ],
    [
      'misspelt keys and words',
      `{
  "listen": [{ "host": "127.0.0.1", "prot": 2222 }],
  "hostKeys": ["../keys/ed25519"],
  "durability": "ful",
  "audit": { "dir": "../audit" },
  "users": { "alice": { "root": "../data/alice", "authorizedKeys": "../keys/alice", "prest": "full" } }
}`,
      [
        'config/scpd.json:2:14 listen[0].port: expected a whole number from 0 to 65535, got nothing',
        'config/scpd.json:2:37 listen[0].prot: unknown key "prot"; did you mean "port"?',
        'config/scpd.json:4:17 durability: expected one of "full", "none", got "ful"; did you mean "full"?',
        'config/scpd.json:6:23 users.alice.preset: expected one of "full", "backup", "read-only", "append-only", "drop-box" (or rules, or roles), got nothing',
        'config/scpd.json:6:85 users.alice.prest: unknown key "prest"; did you mean "preset"?',
      ],
    ],
    [
      'wrong types and ranges',
      `{
  "listen": [],
  "hostKeys": "../keys/ed25519",
  "audit": { "dir": 5 },
  "log": "info",
  "limits": { "connections": 0, "idleSeconds": 1.5, "drainSeconds": "10", "authAttempts": 1e999, "workerMemoryMax": "1MiB" },
  "users": null
}`,
      [
        'config/scpd.json:2:13 listen: expected a list of 1 to 16 listeners such as [{ "host": "127.0.0.1", "port": 2222 }], got an empty list',
        'config/scpd.json:3:15 hostKeys: expected a list of 1 to 8 paths of private keys, got "../keys/ed25519"',
        'config/scpd.json:4:21 audit.dir: expected the path of a directory such as "../var/audit", got 5',
        'config/scpd.json:5:10 log: expected an object such as { "level": "info" }, got "info"',
        'config/scpd.json:6:30 limits.connections: expected a whole number from 1 to 65536, got 0',
        'config/scpd.json:6:48 limits.idleSeconds: expected a whole number from 1 to 86400, got 1.5',
        'config/scpd.json:6:69 limits.drainSeconds: expected a whole number from 0 to 3600, got "10"',
        'config/scpd.json:6:91 limits.authAttempts: expected a whole number from 1 to 20, got 1e999',
        'config/scpd.json:6:117 limits.workerMemoryMax: expected a size from 128MiB such as "1GiB", got "1MiB"',
        'config/scpd.json:7:12 users: expected an object of users by name, got null',
      ],
    ],
    [
      'syntax, and what else can be told',
      `{
  "listen": [{ "host": "127.0.0.1", "port": 2222 }]
  "hostKeys": ["../keys/ed25519", "../keys/missing"],
  "audit": { "dir": "../audit" },
  "users": {
    "alice": { "root": "../data/alice", "authorizedKeys": "../keys/alice", "preset": full },
    "alice": { "root": "../data/alice", "authorizedKeys": "../keys/alice", "preset": "full" }
  }
}}`,
      [
        'config/scpd.json:3:3 syntax: expected a comma, got "hostKeys"',
        'config/scpd.json:3:35 hostKeys[1]: expected a private key, got no file at keys/missing',
        'config/scpd.json:6:86 syntax: expected a key or a text in double quotes, a number, true, false or null, got full',
        'config/scpd.json:7:5 users.alice: expected each key once, got "alice" again; the first is at 6:5',
        'config/scpd.json:9:2 syntax: expected nothing after the end of the configuration, got }',
      ],
    ],
    [
      'files and directories',
      `{
  "listen": [{ "host": "127.0.0.1", "port": 2222 }, { "host": "127.0.0.1", "port": 2222 }],
  "hostKeys": ["../keys/ed25519", "../keys/ed25519", "../keys/ed25519.pub", "../keys", "../keys/open"],
  "audit": { "dir": "../keys/alice" },
  "users": {
    "alice": { "root": "../data/none", "authorizedKeys": "../keys/none", "preset": "full" },
    "bob": { "root": "../keys/alice", "authorizedKeys": "../keys/shared", "preset": "full" },
    "carol": { "root": "/", "authorizedKeys": "../keys", "preset": "full" },
  },
}`,
      [
        'config/scpd.json:2:53 listen[1]: expected each address once, got that of listen[0] again',
        'config/scpd.json:3:35 hostKeys[1]: expected one key of each type, got a second ssh-ed25519 key; the first is hostKeys[0]',
        'config/scpd.json:3:54 hostKeys[2]: expected an OpenSSH private key in keys/ed25519.pub, got a public key; the private one is the file without ".pub"',
        'config/scpd.json:3:77 hostKeys[3]: expected a private key, got a directory at keys',
        'config/scpd.json:3:88 hostKeys[4]: expected a private key closed to group and others, got mode 0640; correct it with: chmod 600 keys/open',
        'config/scpd.json:4:21 audit.dir: expected a directory, got something else at keys/alice',
        'config/scpd.json:6:24 users.alice.root: expected a directory, got no directory at data/none; make it with: mkdir -p data/none',
        'config/scpd.json:6:58 users.alice.authorizedKeys: expected an authorized_keys file, got no file at keys/none',
        'config/scpd.json:7:22 users.bob.root: expected a directory, got something else at keys/alice',
        'config/scpd.json:7:57 users.bob.authorizedKeys: expected a file that only its owner can write, got mode 0664; correct it with: chmod go-w keys/shared',
        'config/scpd.json:8:24 users.carol.root: expected a directory of its own, got "/", the whole file system',
        'config/scpd.json:8:47 users.carol.authorizedKeys: expected an authorized_keys file, got a directory at keys',
      ],
    ],
  ];
  for (const [name, text, expected] of rows) {
    t.test(name, async (t) => {
      const place = makePlace(t);
      place.write('keys/open', generateHostKey('ecdsa', 'test').privateKey, 0o640);
      place.write('keys/shared', '', 0o664);
      const problems = await place.problems(text);
      t.same(problems, expected);
    });
  }
});

t.test('line and column hold with comments, CRLF, a lone CR and a byte-order mark', async (t) => {
  const place = makePlace(t);
  const keys = '"hostKeys":["../keys/ed25519"],"audit":{"dir":"../audit"},"users":{}';
  const listen = '"listen":[{"host":"::1","port":1}]';
  const rows: readonly (readonly [text: string, position: string])[] = [
    [`{"log":7,${listen},${keys}}`, '1:8'],
    [`\ufeff{"log":7,${listen},${keys}}`, '1:8'],
    [`// one\r\n/* two\r\n three */ {\r\n"log" : /* here */ 7,${listen},${keys}}`, '4:20'],
    [`{\r${listen},\r\t"log":7,${keys}}`, '3:8'],
    [`{${listen}, // "log": 8\n\n"log":\n7,${keys},}`, '4:1'],
    [`{"$schema":"\u{1f511}","log":7,${listen},${keys}}`, '1:23'],
  ];
  for (const [text, position] of rows) {
    const expected = `config/scpd.json:${position} log: expected an object such as { "level": "info" }, got 7`;
    t.same(await place.problems(text), [expected]);
  }
});

t.test('names that JavaScript treats specially are names like others', async (t) => {
  const place = makePlace(t);
  const user = '{"root":"../data/alice","authorizedKeys":"../keys/alice","preset":"drop-box"}';
  const names = ['__proto__', 'constructor', 'prototype', 'tostring', 'a.b-c'];
  const text = (users: string): string =>
    `{"listen":[{"host":"::1","port":0}],"hostKeys":["../keys/ecdsa"],"audit":{"dir":"../audit"},"users":{${users}}}`;
  const { config } = await place.load(text(names.map((name) => `"${name}":${user}`).join()));
  t.same(
    config?.users.map((entry) => entry.user.name),
    names,
  );
  t.equal(config?.users[0]?.user.preset, 'drop-box');
  t.equal(Object.hasOwn(Object.prototype, 'preset'), false);

  const wrong = await place.problems(text('"__proto__":5,"Bob":{},"a.b":{"__proto__":1},"x\\u001b[0m":2'));
  t.match(wrong, [
    /users\.__proto__: expected a user such as/,
    /users\.Bob: expected a user name of at most 32 characters .*, got "Bob"$/,
    /users\.Bob\.root: .*got nothing$/,
    /users\.Bob\.authorizedKeys: /,
    /users\.Bob\.preset: /,
    /users\["a\.b"\]\.root: /,
    /users\["a\.b"\]\.authorizedKeys: /,
    /users\["a\.b"\]\.preset: /,
    /users\["a\.b"\]\.__proto__: unknown key "__proto__"$/,
    /users\["x\\u001b\[0m"\]: expected a user name/,
    /users\["x\\u001b\[0m"\]: expected a user such as/,
  ]);
});

t.test('what can not be read as text at all', async (t) => {
  const place = makePlace(t);
  const missing = place.path('config/none.json');
  t.same(await problemsOf(missing), [
    `${missing}: expected a configuration, got no file at ${missing}; "scpd init" makes one`,
  ]);
  const directory = place.path('config');
  t.same(await problemsOf(directory), [
    `${directory}: expected a configuration, got a directory at ${directory}`,
  ]);
  const latin1 = place.write('config/latin1.json', Buffer.from('{\n"log": "\xe9" }', 'latin1'));
  t.same(await problemsOf(latin1), [`${latin1}:2:1 syntax: expected UTF-8 text, got other bytes`]);
  const large = place.write('config/large.json', Buffer.alloc(17 * 1024 * 1024, ' '));
  t.match(await problemsOf(large), [
    /: expected a configuration, got 17825792 bytes, more than the 16777216 allowed$/,
  ]);
  t.same(await place.problems('['.repeat(200_000)), [
    'config/scpd.json:1:1 syntax: expected less nesting, got too much',
  ]);
  t.same(await place.problems(''), [
    'config/scpd.json:1:1 syntax: expected a value, got the end of the file',
  ]);
  t.match(await place.problems('[]'), [
    /^config\/scpd\.json:1:1 configuration: expected an object, got an empty list$/,
  ]);
});
