/** Attribute blocks: one table of bytes, read and written. */
import t from 'tap';
import { ScpdError } from '../../../src/errors.ts';
import {
  readAttributes,
  writeAttributes,
  type WireAttributes,
} from '../../../src/protocol/sftp/attributes.ts';
import { FieldReader } from '../../../src/protocol/sftp/field-reader.ts';
import { PacketWriter } from '../../../src/protocol/sftp/packet-writer.ts';
import { hex } from '../../support/sftp-wire.ts';

const table: readonly (readonly [name: string, bytes: Buffer, attributes: WireAttributes])[] = [
  ['nothing', hex('00000000'), {}],
  ['size', hex('00000001 0000000100000002'), { sizeBytes: 2 ** 32 + 2 }],
  ['the largest size', hex('00000001 001fffffffffffff'), { sizeBytes: Number.MAX_SAFE_INTEGER }],
  ['owner', hex('00000002 000003e8 ffffffff'), { owner: { uid: 1000, gid: 0xffffffff } }],
  ['permissions with type', hex('00000004 000081a4'), { permissions: 0o100644 }],
  [
    'times, accessed first',
    hex('00000008 65000001 ffffffff'),
    { times: { accessedSeconds: 0x65000001, modifiedSeconds: 0xffffffff } },
  ],
  [
    'extended',
    hex('80000000 00000002', "00000001 'a' 00000002 'bc'", '00000000 00000001 ff'),
    {
      extended: [
        { type: 'a', data: 'bc' },
        { type: '', data: '\xff' },
      ],
    },
  ],
  ['no extended', hex('80000000 00000000'), { extended: [] }],
  [
    'all of it',
    hex('8000000f', '0000000000000005', '00000001 00000002', '000041ed', '00000003 00000004', '00000000'),
    {
      sizeBytes: 5,
      owner: { uid: 1, gid: 2 },
      permissions: 0o40755,
      times: { accessedSeconds: 3, modifiedSeconds: 4 },
      extended: [],
    },
  ],
];

for (const [name, bytes, attributes] of table) {
  t.test(`${name} is read, exactly`, async (t) => {
    const fields = new FieldReader(bytes);
    t.strictSame(readAttributes(fields), attributes);
    t.equal(fields.remainingBytes, 0);
  });
  t.test(`${name} is written`, async (t) => {
    const writer = new PacketWriter(0);
    writeAttributes(writer, attributes);
    t.strictSame(writer.finish().subarray(5), bytes);
  });
  t.test(`${name}, cut anywhere, is malformed`, async (t) => {
    for (let length = 0; length < bytes.length; length += 1) {
      t.throws(
        () => readAttributes(new FieldReader(bytes.subarray(0, length))),
        new ScpdError('BAD_MESSAGE'),
      );
    }
  });
}

for (const [name, bytes, code] of [
  ['a size above 2^53-1', hex('00000001 0020000000000000'), 'FILE_TOO_LARGE'],
  ['a size of 2^64-1', hex('00000001 ffffffffffffffff'), 'FILE_TOO_LARGE'],
  ['an unknown flag', hex('00000010 0000000000000000'), 'BAD_MESSAGE'],
  ['2^32-1 extended attributes', hex('80000000 ffffffff 00000000 00000000'), 'BAD_MESSAGE'],
  [
    'one extended attribute more than there is room for',
    hex('80000000 00000002', '00'.repeat(15)),
    'BAD_MESSAGE',
  ],
  ['an extended attribute that is too long', hex('80000000 00000001 7fffffff 00000000'), 'BAD_MESSAGE'],
] as const) {
  t.test(`${name} is ${code}`, async (t) => {
    t.throws(() => readAttributes(new FieldReader(bytes)), { name: 'ScpdError', code });
  });
}
