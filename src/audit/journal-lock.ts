/** One writer: a file in the audit directory that names the process. What a process that is gone has left there is no lock. */
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../name-bytes.ts';

export const lockFileName = 'audit.lock';

/** How a process is told from another. */
export interface Processes {
  readonly own: string;
  isAlive(name: string): boolean;
}

/** Takes the lock. Throws an Error that names the process that has it. Answers how to give it back. */
export async function lockJournal(directory: string, processes: Processes): Promise<() => Promise<void>> {
  const path = join(directory, lockFileName);
  for (let tries = 0; tries < 2; tries += 1) {
    if (await makeLock(path, processes.own)) return () => rm(path, { force: true });
    const owner = await readFile(path, 'utf8').catch(() => '');
    if (processes.isAlive(owner.trim()))
      throw new Error(`process ${printable(owner.trim().split('-')[0] ?? '', 20)} writes it already`);
    await rm(path, { force: true });
  }
  throw new Error(`another process is taking ${lockFileName} at this moment`);
}

async function makeLock(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${owner}\n`);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
