/**
 * The `longname` of a NAME reply: one line as `ls -l` prints it. The draft leaves the format open and tells clients to
 * show it and not to parse it; the sftp of OpenSSH shows it, older graphical clients parse it. So it is the line that
 * OpenSSH's sftp-server makes (`ls_file`), with the date in UTC: this code does not know a time zone.
 */
import type { WireAttributes } from './attributes.ts';

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const halfYearSeconds = (365 * 24 * 60 * 60) / 2;

/** The letter of each file type; what is none of these is shown as "?". */
const typeLetters = new Map([
  [0o010000, 'p'],
  [0o020000, 'c'],
  [0o040000, 'd'],
  [0o060000, 'b'],
  [0o100000, '-'],
  [0o120000, 'l'],
  [0o140000, 's'],
]);
const typeMask = 0o170000;
const permissionLetters = ['r', 'w', 'x', 'r', 'w', 'x', 'r', 'w', 'x'] as const;

export interface LongNameFacts {
  readonly name: string;
  readonly attributes: WireAttributes;
  readonly linkCount: number;
}

/** @param nowSeconds decides whether the time of day or the year is shown */
export function longName({ name, attributes, linkCount }: LongNameFacts, nowSeconds: number): string {
  const { permissions = 0, owner, sizeBytes = 0, times } = attributes;
  return [
    `${modeLetters(permissions)} `,
    String(linkCount).padStart(3),
    String(owner?.uid ?? 0).padEnd(8),
    String(owner?.gid ?? 0).padEnd(8),
    String(sizeBytes).padStart(8),
    dateText(times?.modifiedSeconds ?? 0, nowSeconds),
    name,
  ].join(' ');
}

function modeLetters(permissions: number): string {
  const letters = permissionLetters.map((letter, index) => {
    const bit = 0o400 >> index;
    return (permissions & bit) === 0 ? '-' : letter;
  });
  return (typeLetters.get(permissions & typeMask) ?? '?') + letters.join('');
}

function dateText(seconds: number, nowSeconds: number): string {
  const date = new Date(seconds * 1000);
  const day = `${months[date.getUTCMonth()] ?? ''} ${String(date.getUTCDate()).padStart(2)}`;
  if (nowSeconds - seconds >= halfYearSeconds) return `${day}  ${date.getUTCFullYear()}`;
  return `${day} ${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
