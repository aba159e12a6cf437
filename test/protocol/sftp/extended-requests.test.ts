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
    'fsync@openssh.com',
    hex('0000001f c8 00000002', "00000011 'fsync@openssh.com'", "00000001 'h'"),
    { kind: 'fsync', id: 2, handle: 'h' },
  ],
  [
    'limits@openssh.com',
    hex('0000001b c8 00000003', "00000012 'limits@openssh.com'"),
    { kind: 'limits', id: 3 },
  ],
]);

for (const [name, packet] of [
  ['statvfs@openssh.com', hex('c8 00000009', "00000013 'statvfs@openssh.com'", "00000001 '/'")],
  ['an extension without a name', hex('c8 00000009', '00000000')],
  ['an extension named like a member of every object', hex('c8 00000009', "00000009 '__proto__'")],
  ['READLINK', hex('13 00000009', "00000001 '/'")],
  ['SYMLINK', hex('14 00000009', "00000001 '/' 00000001 'l'")],
  ['a VERSION', hex('02 00000009')],
  ['a STATUS', hex('65 00000009')],
  ['packet type 0', hex('00 00000009')],
  ['packet type 255', hex('ff 00000009')],
] as const) {
  t.test(`${name} is not supported`, async (t) => {
    t.strictSame(decodeRequest(packet), { kind: 'unsupported', id: 9 });
  });
}
