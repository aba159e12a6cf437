/** Goal: rules, roles and conditions become what the configuration says, in its order, and mistakes are named where they stand. */
import t from 'tap';
import { makePlace, soundSettings } from '../support/config-place.ts';

t.test('the own rules, the preset, and the roles in their order', async (t) => {
  const place = makePlace(t);
  const settings = soundSettings();
  settings['roles'] = {
    partner: {
      rules: [{ path: '/incoming/**', preset: 'drop-box', onConflict: 'rename' }],
      networks: ['192.0.2.0/24'],
    },
    office: { hours: [{ days: ['mon-wed', 'sat'], from: '06:00', to: '20:00', zone: 'Europe/Berlin' }, {}] },
  };
  settings.users = {
    alice: {
      root: '../data/alice',
      authorizedKeys: '../keys/alice',
      preset: 'read-only',
      roles: ['office', 'partner'],
      rules: [
        {
          path: '/log/*.txt',
          allow: ['append'],
          deny: ['hash'],
          names: { allow: ['*.txt'] },
          fileSizeMax: '10MB',
        },
      ],
      networks: ['2001:db8::/32'],
      ownershipMinutes: 3,
    },
  };
  const { config, problems } = await place.load(settings);
  t.same(problems, []);
  const user = config?.users[0]?.user;
  t.match(user, {
    preset: 'read-only',
    onConflict: 'refuse',
    ownershipMs: 180_000,
    rules: [
      {
        key: 'users.alice.rules[0]',
        path: '/log/*.txt',
        allow: ['append'],
        deny: ['hash'],
        names: { allow: ['*.txt'] },
        fileBytesMax: 10_000_000,
      },
      { key: 'users.alice.preset', path: '/**', preset: 'read-only' },
      { key: 'roles.partner.rules[0]', path: '/incoming/**', preset: 'drop-box', onConflict: 'rename' },
    ],
    networks: [['2001:db8::/32'], ['192.0.2.0/24']],
    hours: [
      [
        { days: [0, 1, 2, 5], fromMinute: 360, toMinute: 1200, zone: 'Europe/Berlin' },
        { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440, zone: 'UTC' },
      ],
    ],
  });
  t.match(user?.rules?.[0]?.place, /config\/scpd\.json:\d+:\d+$/);
});

t.test('what is wrong is named where it stands', async (t) => {
  const place = makePlace(t);
  const problems = await place.problems(`{
"listen": [{ "host": "::1", "port": 0 }], "hostKeys": ["../keys/ed25519"], "audit": { "dir": "../audit" },
"roles": { "partner": { "rules": [
{ "path": "incoming/**", "preset": "drop-box" },
{ "path": "/a**", "preset": "drop-box" },
{ "path": "/b/**", "deny": ["delete"] },
{ "path": "/c/**", "preset": "backups" },
{ "path": "/d/**", "allow": ["raed"] },
{ "path": "/e/**", "allow": [], "names": { "deny": ["[a"] } },
{ "path": "/f/**", "allow": [], "fileSizeMax": "10 big" },
] } },
"users": {
"alice": { "root": "../data/alice", "authorizedKeys": "../keys/alice", "roles": ["partnr"],
"networks": ["192.0.2.0/33"],
"hours": [{ "days": ["monday"], "from": "6:00", "to": "24:30", "zone": "Mars/Base" }],
"ownershipMinutes": -1,
"onConflict": "replace" },
"bob": { "root": "../data/bob", "authorizedKeys": "../keys/alice", "networks": ["192.0.2.1"] },
} }`);
  t.same(problems, [
    'config/scpd.json:4:11 roles.partner.rules[0].path: expected a pattern, got one with no "/" at its start',
    'config/scpd.json:5:11 roles.partner.rules[1].path: expected a pattern, got one with "**" beside other characters',
    'config/scpd.json:6:1 roles.partner.rules[2]: expected a preset, or verbs to allow ([] for none), got neither; nothing would be allowed',
    'config/scpd.json:7:30 roles.partner.rules[3].preset: expected one of "full", "backup", "read-only", "append-only", "drop-box", got "backups"; did you mean "backup"?',
    'config/scpd.json:8:30 roles.partner.rules[4].allow[0]: expected one of "list", "stat", "read", "hash", "create", "overwrite", "append", "delete", "rename", "mkdir", "rmdir", "attributes", "symlink", got "raed"; did you mean "read"?',
    'config/scpd.json:9:53 roles.partner.rules[5].names.deny[0]: expected a pattern, got one with "[" without "]"',
    'config/scpd.json:10:48 roles.partner.rules[6].fileSizeMax: expected a size such as "50GiB", got "10 big"',
    'config/scpd.json:13:82 users.alice.roles[0]: expected the name of a role, got "partnr"; did you mean "partner"?',
    'config/scpd.json:14:14 users.alice.networks[0]: expected a network such as "192.0.2.0/24" or "2001:db8::/32", or an address, got "192.0.2.0/33"',
    'config/scpd.json:15:22 users.alice.hours[0].days[0]: expected a day such as "sat" or days such as "mon-fri", got "monday"',
    'config/scpd.json:15:41 users.alice.hours[0].from: expected a time of day from "00:00" to "24:00", got "6:00"',
    'config/scpd.json:15:55 users.alice.hours[0].to: expected a time of day from "00:00" to "24:00", got "24:30"',
    'config/scpd.json:15:72 users.alice.hours[0].zone: expected the name of a time zone such as "UTC" or "Europe/Berlin", got "Mars/Base"',
    'config/scpd.json:16:21 users.alice.ownershipMinutes: expected a whole number from 0 to 1440, got -1',
    'config/scpd.json:17:15 users.alice.onConflict: expected one of "refuse", "rename", got "replace"',
    'config/scpd.json:18:8 users.bob.preset: expected one of "full", "backup", "read-only", "append-only", "drop-box" (or rules, or roles), got nothing',
  ]);
});
