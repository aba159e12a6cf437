/** What the commands that read the journal share. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { journalFiles, type JournalFile } from '../audit/journal-files.ts';
import { journalPublicKeyName, readPublicKeyFile, type PublicJournalKey } from '../audit/journal-key.ts';
import { shownFile } from '../config/host-files.ts';
import { printable } from '../name-bytes.ts';
import { configOption, loadReported } from './config-option.ts';
import { printProblem } from './output.ts';

/** Where the journal is: in a directory, or where a configuration says. */
export const journalOptions = {
  ...configOption,
  dir: { value: 'DIR', summary: 'the audit directory, instead of that of the configuration', default: '' },
} as const;

export interface FoundJournal {
  readonly directory: string;
  readonly files: readonly JournalFile[];
}

/** The journal that the options name; undefined after it was said what is wrong. */
export async function findJournal(
  values: Readonly<Record<string, string>>,
): Promise<FoundJournal | undefined> {
  const { dir = '', config: file = '' } = values;
  const directory = dir === '' ? (await loadReported(file))?.audit.dir : dir;
  if (directory === undefined) return undefined;
  const files = existsSync(directory) ? await journalFiles(directory) : [];
  if (files.length > 0) return { directory, files };
  printProblem(`scpd: there is no audit journal in ${shownFile(directory)}`);
  return undefined;
}

/** The public key in a file, by default the one beside the journal; undefined after it was said what is wrong. */
export async function findKey(directory: string, file: string): Promise<PublicJournalKey | undefined> {
  const path = file === '' ? join(directory, journalPublicKeyName) : file;
  try {
    return await readPublicKeyFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    printProblem(`scpd: can't read the journal's public key: ${printable(reason)}`);
    return undefined;
  }
}
