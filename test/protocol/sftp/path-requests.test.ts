/** STAT, LSTAT, SETSTAT, REMOVE, RENAME, REALPATH, READLINK and SYMLINK, byte by byte. */
import { hex } from '../../support/sftp-wire.ts';
import { testRequests } from '../../support/sftp-request-table.ts';

testRequests([
  ['STAT', hex('0000000b 11 00000001', "00000002 '/f'"), { kind: 'stat', id: 1, path: '/f' }],
  [
    'LSTAT of a UTF-8 name',
    hex('0000000b 07 00000002', '00000002 c3a4'),
    { kind: 'lstat', id: 2, path: 'ä' },
  ],
  [
    'LSTAT of a Latin-1 name',
    hex('0000000b 07 00000002', '00000002 e461'),
    { kind: 'lstat', id: 2, path: '\udce4a' },
  ],
  [
    'SETSTAT of mode and times',
    hex('0000001b 09 00000003', "00000002 '/f'", '0000000c 000001a4', '00000005 00000006'),
    {
      kind: 'setstat',
      id: 3,
      path: '/f',
      attributes: { permissions: 0o644, times: { accessedSeconds: 5, modifiedSeconds: 6 } },
    },
  ],
  ['REMOVE', hex('0000000b 0d 00000004', "00000002 '/f'"), { kind: 'remove', id: 4, path: '/f' }],
  [
    'RENAME',
    hex('00000012 12 00000005', "00000002 '/f'", "00000003 '/ g'"),
    { kind: 'rename', id: 5, from: '/f', to: '/ g' },
  ],
  ['REALPATH', hex('0000000a 10 00000006', "00000001 '.'"), { kind: 'realpath', id: 6, path: '.' }],
  ['REALPATH of nothing', hex('00000009 10 00000006', '00000000'), { kind: 'realpath', id: 6, path: '' }],
  ['READLINK', hex('0000000b 13 00000007', "00000002 '/l'"), { kind: 'readlink', id: 7, path: '/l' }],
  [
    'SYMLINK, the target first',
    hex('00000014 14 00000008', "00000005 '../to'", "00000002 '/l'"),
    { kind: 'symlink', id: 8, path: '/l', target: '../to' },
  ],
]);
