/** OPENDIR, READDIR, MKDIR and RMDIR, byte by byte. */
import { hex } from '../../support/sftp-wire.ts';
import { testRequests } from '../../support/sftp-request-table.ts';

testRequests([
  ['OPENDIR', hex('0000000b 0b 00000001', "00000002 '/d'"), { kind: 'opendir', id: 1, path: '/d' }],
  ['READDIR', hex('0000000a 0c 00000002', "00000001 'h'"), { kind: 'readdir', id: 2, handle: 'h' }],
  [
    'MKDIR with a mode',
    hex('00000013 0e 00000003', "00000002 '/d'", '00000004 000001ed'),
    { kind: 'mkdir', id: 3, path: '/d', attributes: { permissions: 0o755 } },
  ],
  [
    'MKDIR without a mode',
    hex('0000000d 0e 00000003', '00000000', '00000000'),
    { kind: 'mkdir', id: 3, path: '', attributes: {} },
  ],
  ['RMDIR', hex('0000000b 0f 00000004', "00000002 '/d'"), { kind: 'rmdir', id: 4, path: '/d' }],
]);
