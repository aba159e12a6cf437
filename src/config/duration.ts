/** Times as people write them, in whole hours, days or weeks. */

const hourMs = 60 * 60 * 1000;
const unitMs: ReadonlyMap<string, number> = new Map([
  ['h', hourMs],
  ['d', 24 * hourMs],
  ['w', 7 * 24 * hourMs],
]);

/** The milliseconds of `"12h"`, `"30d"` or `"52w"`; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,4})([hdw])$/u.exec(text);
  const factor = unitMs.get(match?.[2] ?? '');
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}
