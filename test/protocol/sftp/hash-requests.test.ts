/** The three forms of asking for a hash, byte by byte. */
import { hex } from '../../support/sftp-wire.ts';
import { testRequests } from '../../support/sftp-request-table.ts';

testRequests([
  [
    'check-file',
    hex(
      '00000038 c8 00000001',
      "0000000a 'check-file'",
      "00000001 'h'",
      "00000008 'md5,sha1'",
      '0000000000000005',
      '0000000100000000',
      '00000100',
    ),
    {
      kind: 'check-file',
      id: 1,
      handle: 'h',
      algorithms: ['md5', 'sha1'],
      offset: 5,
      lengthBytes: 2 ** 32,
      blockBytes: 256,
    },
  ],
  [
    'check-file-handle',
    hex(
      '0000003f c8 00000002',
      "00000011 'check-file-handle'",
      "00000001 'h'",
      "00000008 'md5,sha1'",
      '0000000000000005',
      '0000000100000000',
      '00000100',
    ),
    {
      kind: 'check-file-handle',
      id: 2,
      handle: 'h',
      algorithms: ['md5', 'sha1'],
      offset: 5,
      lengthBytes: 2 ** 32,
      blockBytes: 256,
    },
  ],
  [
    'check-file-name',
    hex(
      '0000003c c8 00000003',
      "0000000f 'check-file-name'",
      "00000002 '/f'",
      "00000006 'sha256'",
      '0000000000000000',
      '0000000000000000',
      '00000000',
    ),
    {
      kind: 'check-file-name',
      id: 3,
      path: '/f',
      algorithms: ['sha256'],
      offset: 0,
      lengthBytes: 0,
      blockBytes: 0,
    },
  ],
]);
