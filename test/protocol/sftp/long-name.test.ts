/** The line of `ls -l`, in OpenSSH's columns. */
import t from 'tap';
import type { WireAttributes } from '../../../src/protocol/sftp/attributes.ts';
import { longName } from '../../../src/protocol/sftp/long-name.ts';

const now = Date.UTC(2026, 10, 20, 12, 0) / 1000;
const day = 24 * 60 * 60;

function line(changes: WireAttributes, name = 'a.txt', linkCount = 1): string {
  const attributes = {
    sizeBytes: 12,
    owner: { uid: 1000, gid: 1000 },
    permissions: 0o100644,
    times: { accessedSeconds: 0, modifiedSeconds: now - day },
    ...changes,
  };
  return longName({ name, attributes, linkCount }, now);
}

for (const [expected, actual] of [
  ['-rw-r--r--    1 1000     1000           12 Nov 19 12:00 a.txt', line({})],
  [
    'drwxr-x---   42 1000     1000           12 Nov 19 12:00 a.txt',
    line({ permissions: 0o40750 }, 'a.txt', 42),
  ],
  ['lrwxrwxrwx    1 1000     1000           12 Nov 19 12:00 a.txt', line({ permissions: 0o120777 })],
  ['?---------    1 1000     1000           12 Nov 19 12:00 a.txt', line({ permissions: 0 })],
  ['-rw-r--r--    1 1000     1000     9007199254740991 Nov 19 12:00 a.txt', line({ sizeBytes: 2 ** 53 - 1 })],
  [
    '-rw-r--r--    1 0        4294967295       12 Nov 19 12:00 a.txt',
    line({ owner: { uid: 0, gid: 0xffffffff } }),
  ],
  ['-rw-r--r--    1 1000     1000           12 Jan  1  1970 a.txt', line({ times: times(0) })],
  [
    '-rw-r--r--    1 1000     1000           12 May 22 00:00 a.txt',
    line({ times: times(now - 182.5 * day + 1) }),
  ],
  [
    '-rw-r--r--    1 1000     1000           12 May 22  2026 a.txt',
    line({ times: times(now - 182.5 * day) }),
  ],
  ['-rw-r--r--    1 1000     1000           12 Feb  7 06:28 a.txt', line({ times: times(0xffffffff) })],
  ['-rw-r--r--    1 1000     1000           12 Nov 19 12:00 \udcff b', line({}, '\udcff b')],
] as const) {
  t.test(expected, async (t) => t.equal(actual, expected));
}

t.test('what is not known is shown as 0', async (t) => {
  t.equal(
    longName({ name: 'x', attributes: {}, linkCount: 1 }, now),
    '?---------    1 0        0               0 Jan  1  1970 x',
  );
});

function times(modifiedSeconds: number): { accessedSeconds: number; modifiedSeconds: number } {
  return { accessedSeconds: 0, modifiedSeconds };
}
