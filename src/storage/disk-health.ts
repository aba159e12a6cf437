/** Whether a root can be written, and how much room its file system has. */
import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';

export interface DiskHealth {
  readonly root: string;
  /** Why it can't be written; undefined if it can. */
  readonly problem: string | undefined;
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** Never rejects. */
export async function diskHealth(root: string): Promise<DiskHealth> {
  try {
    const { bavail, blocks, bsize } = await statfs(root);
    const facts = { root, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    return { ...facts, problem: await problemOf(access(root, constants.W_OK | constants.X_OK)) };
  } catch (error) {
    return { root, problem: words(error), freeBytes: 0, totalBytes: 0 };
  }
}

async function problemOf(act: Promise<void>): Promise<string | undefined> {
  try {
    await act;
    return undefined;
  } catch (error) {
    return words(error);
  }
}

function words(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
