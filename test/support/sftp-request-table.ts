/** How the tests of each packet family use their table of bytes: read, written, cut at every byte. */
import t from 'tap';
import { decodeRequest, type ServedRequest } from '../../src/protocol/sftp/requests.ts';
import { encodeRequest } from './sftp-wire.ts';

export type RequestTable = readonly (readonly [name: string, bytes: Buffer, request: ServedRequest])[];

/** `bytes` is the whole packet with its length field. */
export function testRequests(table: RequestTable): void {
  for (const [name, bytes, request] of table) {
    const packet = bytes.subarray(4);
    t.test(`${name} is read`, async (t) => {
      t.equal(bytes.readUInt32BE(), packet.length, 'the table is right about the length');
      t.strictSame(decodeRequest(packet), request);
    });
    t.test(`${name} is what a client writes`, async (t) => {
      t.strictSame(encodeRequest(request), bytes);
    });
    t.test(`${name}, cut anywhere behind its id, is malformed`, async (t) => {
      for (let length = 5; length < packet.length; length += 1) {
        // A cut name of an extension is one that nobody knows.
        const expected = { kind: 'malformed', id: request.id, code: 'BAD_MESSAGE' };
        t.match(decodeRequest(packet.subarray(0, length)), expected, `cut to ${length}`);
      }
    });
    t.test(`${name} with more behind it is the same`, async (t) => {
      t.strictSame(decodeRequest(Buffer.concat([packet, Buffer.alloc(9, 0xff)])), request);
    });
  }
}
