/** OPEN, CLOSE, READ, WRITE, FSTAT and FSETSTAT, byte by byte. */
import t from 'tap';
import { decodeRequest } from '../../../src/protocol/sftp/requests.ts';
import { hex, noFlags } from '../../support/sftp-wire.ts';
import { testRequests } from '../../support/sftp-request-table.ts';

const handle = '\x00\xffh1';

testRequests([
  [
    'OPEN for reading',
    hex('00000016 03 00000007', "00000005 '/a.gz'", '00000001', '00000000'),
    { kind: 'open', id: 7, path: '/a.gz', flags: { ...noFlags, read: true }, attributes: {} },
  ],
  [
    'OPEN as psftp does, with type bits',
    hex('00000018 03 ffffffff', "00000003 'x y'", '0000001a', '00000004 000081a4'),
    {
      kind: 'open',
      id: 0xffffffff,
      path: 'x y',
      flags: { ...noFlags, write: true, create: true, truncate: true },
      attributes: { permissions: 0o100644 },
    },
  ],
  [
    'OPEN with every flag and a name that is not UTF-8',
    hex('00000013 03 00000000', '00000002 fffe', '0000003f', '00000000'),
    {
      kind: 'open',
      id: 0,
      path: '\udcff\udcfe',
      flags: { read: true, write: true, append: true, create: true, truncate: true, exclusive: true },
      attributes: {},
    },
  ],
  ['CLOSE', hex('0000000d 04 00000001', "00000004 00ff 'h1'"), { kind: 'close', id: 1, handle }],
  ['CLOSE of an empty handle', hex('00000009 04 00000001', '00000000'), { kind: 'close', id: 1, handle: '' }],
  [
    'READ',
    hex('00000019 05 00000002', "00000004 00ff 'h1'", '0000000100000000', 'ffffffff'),
    { kind: 'read', id: 2, handle, offset: 2 ** 32, lengthBytes: 0xffffffff },
  ],
  [
    'WRITE',
    hex('0000001c 06 00000003', "00000004 00ff 'h1'", '001ffffffffffff0', "00000003 'abc'"),
    { kind: 'write', id: 3, handle, offset: Number.MAX_SAFE_INTEGER - 15, data: Buffer.from('abc') },
  ],
  [
    'WRITE of nothing',
    hex('00000019 06 00000003', "00000004 00ff 'h1'", '0000000000000000', '00000000'),
    { kind: 'write', id: 3, handle, offset: 0, data: Buffer.alloc(0) },
  ],
  ['FSTAT', hex('0000000d 08 00000004', "00000004 00ff 'h1'"), { kind: 'fstat', id: 4, handle }],
  [
    'FSETSTAT of a size',
    hex('00000019 0a 00000005', "00000004 00ff 'h1'", '00000001 0000000000000004'),
    { kind: 'fsetstat', id: 5, handle, attributes: { sizeBytes: 4 } },
  ],
]);

t.test('the data of a WRITE is a slice of the packet', async (t) => {
  const packet = hex('06 00000003', "00000001 'h'", '0000000000000000', "00000003 'abc'");
  const request = decodeRequest(packet);
  t.equal(request.kind === 'write' && request.data.buffer, packet.buffer);
});

for (const [name, packet, code] of [
  ['READ at 2^53', hex('05 00000009', "00000001 'h'", '0020000000000000', '00000001'), 'FILE_TOO_LARGE'],
  ['READ at 2^64-1', hex('05 00000009', "00000001 'h'", 'ffffffffffffffff', '00000001'), 'FILE_TOO_LARGE'],
  [
    'WRITE that ends at 2^53',
    hex('06 00000009', "00000001 'h'", '001fffffffffffff', '00000001 61'),
    'FILE_TOO_LARGE',
  ],
  [
    'WRITE of 2^32-1 bytes',
    hex('06 00000009', "00000001 'h'", '0000000000000000', 'ffffffff 61'),
    'BAD_MESSAGE',
  ],
  ['CLOSE of a handle of 257 bytes', hex('04 00000009 00000101', '61'.repeat(257)), 'BAD_MESSAGE'],
  [
    'OPEN of a path of 4097 bytes',
    hex('03 00000009 00001001', '61'.repeat(4097), '00000001 00000000'),
    'NAME_TOO_LONG',
  ],
] as const) {
  t.test(`${name} is ${code}`, async (t) => {
    t.match(decodeRequest(packet), { kind: 'malformed', id: 9, code });
  });
}
