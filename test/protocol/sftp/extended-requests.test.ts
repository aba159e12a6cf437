/** The extensions of OpenSSH, byte by byte. */
import t from 'tap';
import { decodeRequest } from '../../../src/protocol/sftp/requests.ts';
import { hex } from '../../support/sftp-wire.ts';
import { testRequests } from '../../support/sftp-request-table.ts';

testRequests([
  [
    'posix-rename@openssh.com',
    hex('0000002d c8 00000001', "00000018 'posix-rename@openssh.com'", "00000002 '/f'", "00000002 '/g'"),
    { kind: 'posix-rename', id: 1, from: '/f', to: '/g' },
  ],
  [
    'hardlink@openssh.com',
    hex('00000029 c8 00000001', "00000014 'hardlink@openssh.com'", "00000002 '/f'", "00000002 '/g'"),
    { kind: 'hardlink', id: 1, from: '/f', to: '/g' },
  ],
  [
    'fsync@openssh.com',
    hex('0000001f c8 00000002', "00000011 'fsync@openssh.com'", "00000001 'h'"),
    { kind: 'fsync', id: 2, handle: 'h' },
  ],
  [
    'limits@openssh.com',
    hex('0000001b c8 00000003', "00000012 'limits@openssh.com'"),
    { kind: 'limits', id: 3 },
  ],
  [
    'statvfs@openssh.com',
    hex('00000021 c8 00000004', "00000013 'statvfs@openssh.com'", "00000001 '/'"),
    { kind: 'statvfs', id: 4, path: '/' },
  ],
  [
    'fstatvfs@openssh.com',
    hex('00000022 c8 00000004', "00000014 'fstatvfs@openssh.com'", "00000001 'h'"),
    { kind: 'fstatvfs', id: 4, handle: 'h' },
  ],
  [
    'lsetstat@openssh.com',
    hex('0000002b c8 00000005', "00000014 'lsetstat@openssh.com'", "00000002 '/l'", '00000004 000001ff'),
    { kind: 'lsetstat', id: 5, path: '/l', attributes: { permissions: 0o777 } },
  ],
  [
    'expand-path@openssh.com',
    hex('00000027 c8 00000006', "00000017 'expand-path@openssh.com'", "00000003 '~/x'"),
    { kind: 'expand-path', id: 6, path: '~/x' },
  ],
  [
    'copy-data',
    hex(
      '00000034 c8 00000007',
      "00000009 'copy-data'",
      "00000001 'r'",
      '0000000000000001',
      '0000000100000002',
      "00000001 'w'",
      '0000000000000003',
    ),
    {
      kind: 'copy-data',
      id: 7,
      fromHandle: 'r',
      fromOffset: 1,
      lengthBytes: 0x100000002,
      toHandle: 'w',
      toOffset: 3,
    },
  ],
  [
    'home-directory',
    hex('00000020 c8 00000008', "0000000e 'home-directory'", "00000005 'alice'"),
    { kind: 'home-directory', id: 8, userName: 'alice' },
  ],
  [
    'users-groups-by-id@openssh.com',
    hex(
      '0000003b c8 00000009',
      "0000001e 'users-groups-by-id@openssh.com'",
      '00000008 000003e8 00000000',
      '00000004 000003e8',
    ),
    { kind: 'owner-names', id: 9, userIds: [1000, 0], groupIds: [1000] },
  ],
  [
    'space-available',
    hex('0000001d c8 0000000a', "0000000f 'space-available'", "00000001 '/'"),
    { kind: 'space-available', id: 10, path: '/' },
  ],
  ['vendor-id', hex('00000012 c8 0000000b', "00000009 'vendor-id'"), { kind: 'vendor-id', id: 11 }],
]);

for (const [name, packet] of [
  ['copy-file', hex('c8 00000009', "00000009 'copy-file'", "00000001 '/'")],
  ['an extension without a name', hex('c8 00000009', '00000000')],
  ['an extension named like a member of every object', hex('c8 00000009', "00000009 '__proto__'")],
  ['LINK of version 6', hex('15 00000009', "00000001 '/' 00000001 'l'")],
  ['a VERSION', hex('02 00000009')],
  ['a STATUS', hex('65 00000009')],
  ['packet type 0', hex('00 00000009')],
  ['packet type 255', hex('ff 00000009')],
] as const) {
  t.test(`${name} is not supported`, async (t) => {
    t.match(decodeRequest(packet), { kind: 'unsupported', id: 9, what: /^sftp (packet \d+|extension )/ });
  });
}

t.test('numbers that are not packed in fours are malformed', async (t) => {
  const packet = hex('c8 00000009', "0000001e 'users-groups-by-id@openssh.com'", '00000003 000000 00000000');
  t.match(decodeRequest(packet), { kind: 'malformed', id: 9, code: 'BAD_MESSAGE' });
});
