/** The options by which records are chosen, and how records are shown. */
import type { JournalQuery } from '../audit/journal-query.ts';
import { operations } from '../audit/record-schema.ts';
import type { WrittenRecord } from '../audit/record.ts';
import { parseSizeBytes } from '../config/size.ts';
import { didYouMean } from '../config/suggest.ts';
import { PathPattern } from '../guard/glob.ts';
import type { VirtualPath } from '../guard/virtual-path.ts';
import { printable } from '../name-bytes.ts';
import { UsageError } from './options.ts';
import { sizeText } from './progress.ts';

const outcomes = ['done', 'refused', 'failed'] as const;
const verdicts = ['verified', 'closed', 'aborted'] as const;

export const timeOptions = {
  since: { value: 'TIME', summary: 'from then on: 2d, 12h, 30m, or 2026-11-25[T13:00Z]', default: '' },
  until: { value: 'TIME', summary: 'up to then', default: '' },
} as const;

export const queryOptions = {
  ...timeOptions,
  user: { value: 'NAME', summary: 'of this user', default: '' },
  path: { value: 'PATTERN', summary: 'of paths such as /incoming/**', default: '' },
  op: { value: 'OPERATION', summary: 'such as upload, login, remove', default: '' },
  outcome: { value: 'OUTCOME', summary: outcomes.join(', '), default: '' },
  verdict: { value: 'VERDICT', summary: verdicts.join(', '), default: '' },
  'min-bytes': { value: 'SIZE', summary: 'of transfers of at least so much', default: '' },
} as const;

/** What the options ask for. Throws `UsageError`. */
export function queryFrom(values: Readonly<Record<string, string>>): JournalQuery {
  const { since = '', until = '', user = '', path = '', op = '', outcome = '', verdict = '' } = values;
  const minBytes = values['min-bytes'] ?? '';
  return {
    sinceMs: timeIn('since', since),
    untilMs: timeIn('until', until),
    user: user === '' ? undefined : user,
    path: path === '' ? undefined : matcherOf(path),
    pathText: textIn(path),
    operation: op === '' ? undefined : oneOf('op', op, operations),
    outcome: outcome === '' ? undefined : oneOf('outcome', outcome, outcomes),
    verdict: verdict === '' ? undefined : oneOf('verdict', verdict, verdicts),
    bytesMin: minBytes === '' ? undefined : sizeIn(minBytes),
  };
}

function oneOf<T extends string>(option: string, word: string, known: readonly T[]): T {
  const found = known.find((one) => one === word);
  if (found !== undefined) return found;
  throw new UsageError(`--${option}: unknown "${printable(word, 60)}"${didYouMean(word, known)}`);
}

function sizeIn(text: string): number {
  const bytes = parseSizeBytes(text);
  if (bytes === undefined) throw new UsageError(`--min-bytes: no size "${printable(text, 60)}"`);
  return bytes;
}

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const;

/** A time, or how long ago. Throws `UsageError`. */
export function timeIn(option: string, text: string): number | undefined {
  if (text === '') return undefined;
  const [, count = '', unit = ''] = /^([0-9]{1,6})([smhdw])$/.exec(text) ?? [];
  if (unit !== '') return Date.now() - Number(count) * unitMs[unit as keyof typeof unitMs];
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new UsageError(
    `--${option}: expected a time such as 2d, 12h or 2026-11-25T13:00Z, got "${printable(text, 60)}"`,
  );
}

/** Patterns are those of the rules; a directory stands for what is in it. */
function matcherOf(pattern: string): (path: string) => boolean {
  try {
    const compiled = new PathPattern(pattern);
    return (path) => path.startsWith('/') && compiled.matches(path as VirtualPath);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(`--path: ${printable(error.message)}`, { cause: error });
  }
}

/**
 * The longest run of names that a pattern has without anything special: each path that it matches has them in it. Where parts
 * of the pattern are alternatives, what stands in them need not be there.
 */
function textIn(pattern: string): string | undefined {
  if (/[{}()[\]\\!]/.test(pattern)) return undefined;
  let [longest, run] = ['', ''];
  for (const name of pattern.split('/')) {
    const isPlain = /^[A-Za-z0-9 _.-]+$/.test(name);
    run = isPlain ? [run, name].filter(Boolean).join('/') : '';
    if (run.length > longest.length) longest = run;
  }
  return longest === '' ? undefined : longest;
}

/** One line for a person. What is in a record is printable. */
export function rowOf(record: WrittenRecord): string {
  const { seq, time, user, address, operation, phase, outcome } = record;
  const what = phase === 'begin' ? `${operation} begins` : operation;
  const how = phase === 'begin' ? '' : outcome;
  const left = `${String(seq).padStart(9)}  ${time}  ${(user ?? '-').padEnd(12)} ${(address || '-').padEnd(15)}`;
  return `${left} ${what.padEnd(16)} ${how.padEnd(8)}${detailsOf(record)}`.trimEnd();
}

function detailsOf(record: WrittenRecord): string {
  const { path, target, stored, bytes, durationMs, verdict, error, rule, attempt = 1, sha256 } = record;
  const rulePlace = rule === undefined ? [] : [[rule.reason, rule.place, rule.key].filter(Boolean).join(' ')];
  const parts = [
    path ?? '',
    ...(target === undefined ? [] : [`-> ${target}`]),
    ...(stored === undefined ? [] : [`(at ${stored})`]),
    ...(error === undefined ? [] : [error]),
    ...rulePlace.map((words) => `[${words}]`),
    ...(bytes === undefined ? [] : [sizeText(bytes)]),
    ...(bytes === undefined || durationMs === undefined ? [] : [`in ${(durationMs / 1000).toFixed(1)} s`]),
    ...(verdict === undefined ? [] : [verdict]),
    ...(sha256 === undefined ? [] : [`sha256:${sha256.slice(0, 12)}…`]),
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
  ];
  return parts.join(' ');
}
