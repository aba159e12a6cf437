import t from 'tap';
import { parseSizeBytes } from '../../src/config/size.ts';

t.test('sizes are exact, and anything else is none', async (t) => {
  const rows: readonly (readonly [size: string | number, bytes: number | undefined])[] = [
    ['1024', 1024],
    [1024, 1024],
    ['7B', 7],
    ['10kB', 10_000],
    ['10MB', 10_000_000],
    ['1GB', 1e9],
    ['1TB', 1e12],
    ['1KiB', 1024],
    ['3MiB', 3 * 1024 ** 2],
    ['50GiB', 50 * 1024 ** 3],
    ['1TiB', 1024 ** 4],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['9007199254740992', undefined],
    [Number.MAX_SAFE_INTEGER + 1, undefined],
    ['8192TiB', undefined],
    ['9999999999999999TiB', undefined],
    ['0', undefined],
    [0, undefined],
    [-1, undefined],
    [1.5, undefined],
    [1e21, undefined],
    ['1.5GiB', undefined],
    ['50 GiB', undefined],
    ['50gib', undefined],
    ['50 gigs', undefined],
    ['50KB', undefined],
    ['', undefined],
    ['GiB', undefined],
    ['0x10', undefined],
    ['-1', undefined],
  ];
  for (const [size, bytes] of rows) t.equal(parseSizeBytes(size), bytes, JSON.stringify(size));
});
