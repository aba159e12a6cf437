/**
 * Names for uploads whose own name is taken: `report.pdf` becomes `report.1.pdf`, then `report.2.pdf`. The end of the name
 * stays, because what picks up the files goes by it (`*.pdf`, `*.tar.gz`), and so do the name filters of rules. After
 * the numbers come words of chance, so that a box full of one name never makes an upload slow.
 */
import { randomBytes } from 'node:crypto';
import { conflictNamesMax, nameBytesMax } from '../limits.ts';
import { takesMoreBytes } from '../name-bytes.ts';

/** The name to try after `tried` others; undefined when it is time to give up. */
export function conflictName(name: string, tried: number): string | undefined {
  if (tried >= conflictNamesMax + 3) return undefined;
  const mark = tried < conflictNamesMax ? String(tried + 1) : randomBytes(8).toString('hex');
  const [stem, end] = split(name);
  const tail = `.${mark}${end}`;
  let start = Array.from(stem);
  while (start.length > 1 && takesMoreBytes(start.join('') + tail, nameBytesMax)) start = start.slice(0, -1);
  return start.join('') + tail;
}

/** Whether `candidate` may have been made from `name`. */
export function mayBeConflictName(candidate: string, name: string): boolean {
  const [stem, end] = split(name);
  if (!candidate.endsWith(end)) return false;
  const marked = /^(.+)\.(?:[0-9]+|[0-9a-f]{16})$/su.exec(candidate.slice(0, candidate.length - end.length));
  return marked?.[1] !== undefined && stem.startsWith(marked[1]);
}

/** `backup.tar.gz` → `backup`, `.tar.gz`. A dot at the start begins no ending. */
function split(name: string): readonly [stem: string, end: string] {
  const end = /(?<=.)(?:\.tar)?\.[^.]{1,16}$/su.exec(name)?.[0] ?? '';
  return [name.slice(0, name.length - end.length), end];
}
