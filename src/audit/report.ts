/** Sums of a journal, by user: what an operator wants to see once a week. */
import type { WrittenRecord } from './record.ts';

export interface UserReport {
  readonly user: string;
  uploads: number;
  uploadBytes: number;
  downloads: number;
  downloadBytes: number;
  /** Transfers that did not end well, and transfers that were refused before they began. */
  failures: number;
  /** Of other requests. */
  denials: number;
  logins: number;
  loginsRefused: number;
  slowest: { readonly path: string; readonly bytesPerSecond: number; readonly transfer: string } | null;
  lastGoodUpload: { readonly path: string; readonly time: string } | null;
}

/** Slower than this is only told of transfers that had some bytes: a small file takes as long as its fsyncs. */
const slowBytesMin = 1024 * 1024;
/** Names that were tried at logins are anybody's words: a flood of them must not fill the memory. */
const usersMax = 10_000;

export class Report {
  readonly #users = new Map<string, UserReport>();

  /** In the order of the names. */
  get users(): UserReport[] {
    return [...this.#users.values()].toSorted((a, b) => (a.user < b.user ? -1 : 1));
  }

  add(record: WrittenRecord): void {
    if (record.user === null || record.phase === 'begin') return;
    const sums = this.#sumsOf(record.user);
    if (sums === undefined) return;
    const { operation, outcome } = record;
    if (operation === 'upload' || operation === 'download') addTransfer(sums, record);
    else if (operation === 'login') sums[outcome === 'done' ? 'logins' : 'loginsRefused'] += 1;
    else if (outcome === 'refused') sums.denials += 1;
  }

  #sumsOf(user: string): UserReport | undefined {
    const known = this.#users.get(user);
    if (known !== undefined || this.#users.size >= usersMax) return known;
    const sums: UserReport = {
      user,
      uploads: 0,
      uploadBytes: 0,
      downloads: 0,
      downloadBytes: 0,
      failures: 0,
      denials: 0,
      logins: 0,
      loginsRefused: 0,
      slowest: null,
      lastGoodUpload: null,
    };
    this.#users.set(user, sums);
    return sums;
  }
}

function addTransfer(sums: UserReport, record: WrittenRecord): void {
  const { operation, outcome, bytes = 0, bytesPerSecond, transfer = '', stored, time } = record;
  const path = stored ?? record.path ?? '';
  if (outcome !== 'done') {
    sums.failures += 1;
    return;
  }
  sums[operation === 'upload' ? 'uploads' : 'downloads'] += 1;
  sums[operation === 'upload' ? 'uploadBytes' : 'downloadBytes'] += bytes;
  if (operation === 'upload') sums.lastGoodUpload = { path, time };
  if (bytesPerSecond === undefined || bytes < slowBytesMin) return;
  if (sums.slowest === null || bytesPerSecond < sums.slowest.bytesPerSecond)
    sums.slowest = { path, bytesPerSecond, transfer };
}
