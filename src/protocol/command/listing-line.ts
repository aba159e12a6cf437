/**
 * Lines of `ls -l` as GNU's prints them, for clients that parse them: WinSCP in SCP mode, scripts around pscp. Months are
 * English and times are UTC, whatever the server's locale.
 */

export interface ListingFacts {
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly modifiedSeconds: number;
  readonly linkCount: number;
  /** Stands for the owner and for the group. */
  readonly owner: string;
  readonly name: string;
  /** Where a link leads, if that is known. */
  readonly target?: string;
}

export interface ListingStyle {
  /** `--full-time`: the time to the second, with its zone. */
  readonly fullTime: boolean;
  /** Decides whether the time of day or the year is shown. */
  readonly nowSeconds: number;
  /** Width of the column of sizes. */
  readonly sizeWidth: number;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const halfYearSeconds = 15_778_476; // as in GNU's ls: half of 365.2425 days
const kindLetters = { file: '-', directory: 'd', link: 'l', other: '?' } as const;

/** One line, without its end. */
export function listingLine(facts: ListingFacts, style: ListingStyle): string {
  return [
    kindLetters[facts.kind] + permissionLetters(facts.mode),
    String(facts.linkCount),
    facts.owner,
    facts.owner,
    String(facts.sizeBytes).padStart(style.sizeWidth),
    style.fullTime ? fullTime(facts.modifiedSeconds) : shortTime(facts.modifiedSeconds, style.nowSeconds),
    facts.target === undefined ? facts.name : `${facts.name} -> ${facts.target}`,
  ].join(' ');
}

function permissionLetters(mode: number): string {
  return Array.from('rwxrwxrwx', (letter, index) => ((mode & (0o400 >> index)) === 0 ? '-' : letter)).join(
    '',
  );
}

/** `2026-04-17 10:20:30.000000000 +0000` */
function fullTime(seconds: number): string {
  return `${validDate(seconds).toISOString().slice(0, 19).replace('T', ' ')}.000000000 +0000`;
}

/** `Apr 17 10:20`, or `Apr 17  2024` for what is older than half a year or in the future. */
function shortTime(seconds: number, nowSeconds: number): string {
  const date = validDate(seconds);
  const day = `${months[date.getUTCMonth()] ?? ''} ${String(date.getUTCDate()).padStart(2)}`;
  const isRecent = seconds <= nowSeconds && nowSeconds - seconds < halfYearSeconds;
  if (!isRecent) return `${day}  ${date.getUTCFullYear()}`;
  return `${day} ${date.toISOString().slice(11, 16)}`;
}

/** Files may have times that no calendar has. */
function validDate(seconds: number): Date {
  const date = new Date(Math.floor(seconds) * 1000);
  return Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 ? new Date(0) : date;
}
