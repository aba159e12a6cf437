/**
 * Files that are made once: whole or not at all, with the right mode from the first byte, and never in the place of
 * something that is there. Keeps a list of what was made and what was kept.
 */
import { randomUUID } from 'node:crypto';
import { link, lstat, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, shownFile } from '../config/host-files.ts';

const privateDirectoryMode = 0o700;

export class FileCreator {
  readonly #lines: string[] = [];

  /** One line a file, in the order of the calls: `created keys/host/…` or `kept    keys/host/…`. */
  get report(): readonly string[] {
    return this.#lines;
  }

  /** Makes a directory and what is missing above it, unless it is there. Answers whether it was made. */
  async directory(path: string, access: 'private' | 'shared'): Promise<boolean> {
    await mkdir(dirname(path), { recursive: true });
    try {
      await mkdir(path, access === 'private' ? { mode: privateDirectoryMode } : {});
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  /** Makes a file, unless something of that name is there. Answers whether it was made. */
  async file(path: string, content: string, mode: number): Promise<boolean> {
    if (await this.isThere(path)) {
      this.keep(path);
      return false;
    }
    const temporary = await writeTemporary(path, content, mode);
    const created = await moveUnlessThere(temporary, path);
    if (created) this.#lines.push(`created ${shownFile(path)}`);
    else this.keep(path);
    return created;
  }

  /** Notes that a file was there and stays as it is. */
  keep(path: string): void {
    this.#lines.push(`kept    ${shownFile(path)}`);
  }

  /** Makes a file that follows from others: it is replaced when it differs. */
  async derivedFile(path: string, content: string, mode: number): Promise<void> {
    const isThere = await this.isThere(path);
    if (isThere && (await readFile(path, 'utf8')) === content) {
      this.keep(path);
      return;
    }
    await rename(await writeTemporary(path, content, mode), path);
    this.#lines.push(`${isThere ? 'updated' : 'created'} ${shownFile(path)}`);
  }

  /** Whether anything of that name is there, be it a link that leads nowhere. */
  async isThere(path: string): Promise<boolean> {
    try {
      await lstat(path);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  }
}

async function writeTemporary(path: string, content: string, mode: number): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  const handle = await open(temporary, 'wx', mode);
  try {
    await handle.chmod(mode); // whatever the umask
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}

/** A hard link fails where something is there, and so never replaces it, even when two of us run at once. */
async function moveUnlessThere(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    // Some file systems have no hard links. That nothing was there a moment ago must do for them.
    await rename(temporary, path);
    return true;
  } finally {
    await rm(temporary, { force: true });
  }
  return true;
}
