/**
 * What the tests of faults have seen, as rows from which `docs/faults.md` is made. Where the environment variable
 * SCPD_FAULT_TABLE names a file, each row is appended to it as a line of JSON; otherwise nothing is written.
 */
import { appendFileSync } from 'node:fs';
import { randomNumbers } from '../random-numbers.ts';
import type { Standing } from './fault-site.ts';

export interface FaultRow {
  /** The part of the page in which it stands. */
  readonly group: string;
  readonly fault: string;
  /** How files were sent. */
  readonly way: string;
  readonly rounds: number;
  /** What stood under the name afterwards. */
  readonly counts: Readonly<Record<Standing, number>>;
  /** Staged files and descriptors that were left. */
  readonly leaks: number;
  readonly note?: string;
}

export function noteFault(row: FaultRow): void {
  const file = process.env['SCPD_FAULT_TABLE'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}

/** Counts for one row. */
export function newCounts(): Record<Standing, number> {
  return { old: 0, new: 0, half: 0 };
}

/** "make faults" runs all; a test run only as many as there is time for. */
export const isFullRun = process.env['FAULTS'] === 'all';

export function rounds({ few, all }: { readonly few: number; readonly all: number }): number {
  return isFullRun ? all : few;
}

/** What is random in the tests; FAULTS_SEED=N repeats a run. */
export const seed = Number(process.env['FAULTS_SEED'] ?? Date.now() % 1_000_000);
export const below = randomNumbers(seed);
