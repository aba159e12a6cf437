/** Sizes as people write them. Binary units are powers of 1024, decimal ones of 1000; nothing is rounded. */

const unitBytes: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['B', 1],
  ['kB', 1000],
  ['MB', 1000 ** 2],
  ['GB', 1000 ** 3],
  ['TB', 1000 ** 4],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
  ['TiB', 1024 ** 4],
]);

/** The bytes of `1024`, `"1024"`, `"10MB"` or `"50GiB"`; undefined if it is no size from 1 to 2^53 - 1 bytes. */
export function parseSizeBytes(size: string | number): number | undefined {
  const match = /^([0-9]{1,16})([A-Za-z]*)$/.exec(String(size));
  const factor = unitBytes.get(match?.[2] ?? '');
  if (match === null || factor === undefined) return undefined;
  // A product beyond 2^53 - 1 is never a safe integer, so an inexact one can't slip through.
  const bytes = Number(match[1]) * factor;
  return Number.isSafeInteger(bytes) && bytes >= 1 ? bytes : undefined;
}
