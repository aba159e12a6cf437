/** What a server says: one table of bytes, written by it and read by the tests' client. */
import t from 'tap';
import { encodeReply, encodeVersion, type SftpReply } from '../../../src/protocol/sftp/replies.ts';
import { decodeReply, hex } from '../../support/sftp-wire.ts';

t.test('VERSION is 3 and announces the extensions', async (t) => {
  t.strictSame(
    encodeVersion(),
    hex(
      '0000005b 02 00000003',
      "00000018 'posix-rename@openssh.com' 00000001 '1'",
      "00000011 'fsync@openssh.com' 00000001 '1'",
      "00000012 'limits@openssh.com' 00000001 '1'",
    ),
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
