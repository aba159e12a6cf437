/** What a server says: one table of bytes, written by it and read by the tests' client. */
import t from 'tap';
import { encodeReply, encodeVersion, type SftpReply } from '../../../src/protocol/sftp/replies.ts';
import type { ServedKind } from '../../../src/protocol/sftp/requests.ts';
import { decodeReply, hex } from '../../support/sftp-wire.ts';

t.test('VERSION is 3 and announces the extensions', async (t) => {
  t.strictSame(
    encodeVersion(() => true),
    hex(
      '00000207 02 00000003',
      "00000018 'posix-rename@openssh.com' 00000001 '1'",
      "00000013 'statvfs@openssh.com' 00000001 '2'",
      "00000014 'fstatvfs@openssh.com' 00000001 '2'",
      "00000014 'hardlink@openssh.com' 00000001 '1'",
      "00000011 'fsync@openssh.com' 00000001 '1'",
      "00000014 'lsetstat@openssh.com' 00000001 '1'",
      "00000012 'limits@openssh.com' 00000001 '1'",
      "00000017 'expand-path@openssh.com' 00000001 '1'",
      "00000009 'copy-data' 00000001 '1'",
      "0000000e 'home-directory' 00000001 '1'",
      "0000001e 'users-groups-by-id@openssh.com' 00000001 '1'",
      "0000000a 'check-file' 00000016 'sha256,sha512,sha1,md5'",
      "00000011 'check-file-handle' 00000016 'sha256,sha512,sha1,md5'",
      "0000000f 'check-file-name' 00000016 'sha256,sha512,sha1,md5'",
      "0000000f 'space-available' 00000001 '1'",
      "00000009 'vendor-id' 0000001c 00000004 'scpd' 00000004 'scpd' 00000000 0000000000000000",
    ),
  );
});

t.test('VERSION announces what it is told to', async (t) => {
  t.strictSame(
    encodeVersion((kind) => kind === 'fsync'),
    hex('0000001f 02 00000003', "00000011 'fsync@openssh.com' 00000001 '1'"),
  );
});

const table: readonly (readonly [name: string, bytes: Buffer, id: number, reply: SftpReply])[] = [
  [
    'STATUS',
    hex('0000001c 65 00000001', '00000002', "0000000b 'No such one'", '00000000'),
    1,
    { kind: 'status', status: 2, words: 'No such one' },
  ],
  [
    'HANDLE',
    hex('0000000c 66 ffffffff', '00000003 00ff61'),
    0xffffffff,
    { kind: 'handle', handle: '\x00\xffa' },
  ],
  ['DATA', hex('0000000c 67 00000002', "00000003 'abc'"), 2, { kind: 'data', data: Buffer.from('abc') }],
  ['DATA of nothing', hex('00000009 67 00000002', '00000000'), 2, { kind: 'data', data: Buffer.alloc(0) }],
  [
    'NAME with two entries',
    hex(
      '00000037 68 00000003 00000002',
      "00000001 'a' 00000006 '-rw- a' 00000001 0000000000000005",
      '00000002 c3a4 00000001 ff 00000004 000041ed',
    ),
    3,
    {
      kind: 'names',
      entries: [
        { name: 'a', longName: '-rw- a', attributes: { sizeBytes: 5 } },
        { name: 'ä', longName: '\udcff', attributes: { permissions: 0o40755 } },
      ],
    },
  ],
  [
    'ATTRS',
    hex('00000025 69 00000004 0000000f', '0000000000000005 000003e8 000003e8 000081a4 00000006 00000007'),
    4,
    {
      kind: 'attributes',
      attributes: {
        sizeBytes: 5,
        owner: { uid: 1000, gid: 1000 },
        permissions: 0o100644,
        times: { accessedSeconds: 6, modifiedSeconds: 7 },
      },
    },
  ],
  [
    'EXTENDED_REPLY to limits@openssh.com',
    hex('00000025 c9 00000005', '0000000000040000 000000000003fc00 000000000003fc00 0000000000000100'),
    5,
    { kind: 'limits' },
  ],
];

for (const [name, bytes, id, reply] of table) {
  t.test(`${name} is written`, async (t) => {
    t.strictSame(Buffer.concat(encodeReply(id, reply)), bytes);
  });
  t.test(`${name} is read by a client`, async (t) => {
    t.equal(bytes.readUInt32BE(), bytes.length - 4, 'the table is right about the length');
    t.strictSame(decodeReply(bytes.subarray(4)), { id, reply });
  });
}

const extended: readonly (readonly [name: string, asked: ServedKind, bytes: Buffer, reply: SftpReply])[] = [
  [
    'statvfs@openssh.com',
    'statvfs',
    hex(
      '0000005d c9 00000001',
      '0000000000001000',
      '0000000000001000',
      '0000000000000064',
      '000000000000000a',
      '0000000000000002',
      '000000000000004d',
      '0000000000000007',
      '0000000000000007',
      '0000000000000000',
      '0000000000000002',
      '00000000000000ff',
    ),
    {
      kind: 'file-system',
      facts: {
        blockBytes: 4096,
        totalBytes: 409600,
        freeBytes: 40960,
        availableBytes: 8192,
        totalFiles: 77,
        freeFiles: 7,
      },
    },
  ],
  [
    'space-available',
    'space-available',
    hex(
      '00000029 c9 00000001',
      '0000000000064000',
      '000000000000a000',
      '000000000005c000',
      '0000000000002000',
      '00001000',
    ),
    {
      kind: 'space',
      facts: {
        blockBytes: 4096,
        totalBytes: 409600,
        freeBytes: 40960,
        availableBytes: 8192,
        totalFiles: 0,
        freeFiles: 0,
      },
    },
  ],
  [
    'users-groups-by-id@openssh.com',
    'owner-names',
    hex('00000022 c9 00000001', '0000000d 00000005 616c696365 00000000', '00000008 00000004 73637064'),
    { kind: 'owner-names', userNames: ['alice', ''], groupNames: ['scpd'] },
  ],
  [
    'check-file',
    'check-file',
    hex('0000001d c9 00000001', "0000000a 'check-file'", "00000003 'md5'", '0102ff'),
    { kind: 'hashes', named: true, algorithm: 'md5', digests: hex('0102ff') },
  ],
  [
    'check-file-name',
    'check-file-name',
    hex('0000000f c9 00000001', "00000003 'md5'", '0102ff'),
    { kind: 'hashes', named: false, algorithm: 'md5', digests: hex('0102ff') },
  ],
];

for (const [name, asked, bytes, reply] of extended) {
  t.test(`EXTENDED_REPLY to ${name}`, async (t) => {
    t.strictSame(Buffer.concat(encodeReply(1, reply)), bytes);
    t.equal(bytes.readUInt32BE(), bytes.length - 4, 'the table is right about the length');
    t.strictSame(decodeReply(bytes.subarray(4), asked), { id: 1, reply });
  });
}

t.test('the data of a DATA is not copied', async (t) => {
  const data = Buffer.from('abc');
  const [header, payload] = encodeReply(1, { kind: 'data', data });
  t.equal(payload, data);
  t.strictSame(header, hex('0000000c 67 00000001 00000003'));
});

t.test('a NAME that outgrows the first guess is whole', async (t) => {
  const entries = Array.from({ length: 40 }, (_, index) => ({
    name: `${index}`.padStart(255, 'n'),
    longName: `${index}`.padStart(255, 'l'),
    attributes: { sizeBytes: index },
  }));
  const bytes = Buffer.concat(encodeReply(6, { kind: 'names', entries }));
  t.strictSame(decodeReply(bytes.subarray(4)), { id: 6, reply: { kind: 'names', entries } });
});
