/**
 * What the tests that kill, restart and reload have seen, as rows from which `docs/processes.md` is made. Where the environment
 * variable SCPD_PROCESS_TABLE names a file, each row is appended to it as a line of JSON; otherwise nothing is written.
 */
import { appendFileSync } from 'node:fs';
import { randomNumbers } from '../random-numbers.ts';
import { isWrong, wasRefused, type Transfer } from './load.ts';

/** "make soak-processes" runs all; a test run only as many as there is time for. */
export const isSoak = process.env['SCPD_SOAK'] === 'processes';

export function rounds({ few, all }: { readonly few: number; readonly all: number }): number {
  return isSoak ? all : few;
}

/** What is random; SCPD_SOAK_SEED=N repeats a run. */
export const seed = Number(process.env['SCPD_SOAK_SEED'] ?? Date.now() % 1_000_000);
export const below = randomNumbers(seed);

export interface ProcessRow {
  readonly event: string;
  readonly rounds: number;
  readonly transfers: readonly Transfer[];
  /** Between the event and the next success of a client, at most. */
  readonly backMsMax?: number;
  /** Processes, staged files, claims and connections that should be gone. */
  readonly left: number;
}

/** Something that an operator sees, for the page to show. */
export function noteShown(title: string, text: string): void {
  const file = process.env['SCPD_PROCESS_TABLE'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ title, text })}\n`);
}

export function noteProcesses({ event, rounds: count, transfers, backMsMax, left }: ProcessRow): void {
  const file = process.env['SCPD_PROCESS_TABLE'];
  if (file === undefined) return;
  const row = {
    event,
    rounds: count,
    transfers: transfers.length,
    wrong: transfers.filter(isWrong).length,
    broken: transfers.filter((one) => one.status !== 0 && !wasRefused(one)).length,
    refused: transfers.filter(wasRefused).length,
    backMsMax,
    left,
  };
  appendFileSync(file, `${JSON.stringify(row)}\n`);
}
