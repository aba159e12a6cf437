/** What a running server can't change, nor one that takes over: where it keeps what it is in the middle of writing. */
import { resolve } from 'node:path';
import { printable } from '../name-bytes.ts';
import type { Config } from './config.ts';
import { shownPath, type KeyPath } from './document.ts';
import { readConfigDocument } from './load.ts';

/** As much of a configuration as these keys are read from. */
export type Locked = Pick<Config, 'audit' | 'catalog' | 'control' | 'durability'>;

const locked: readonly { readonly key: KeyPath; readonly of: (config: Locked) => string }[] = [
  { key: ['audit', 'dir'], of: ({ audit }) => audit.dir },
  { key: ['catalog', 'url'], of: ({ catalog }) => catalog.file },
  { key: ['control', 'socket'], of: ({ control }) => control.socket },
  { key: ['durability'], of: ({ durability }) => durability },
];

/** One line for each such change, as `loadConfig` reports problems. @param path as the operator gave it */
export async function lockedChanges(path: string, before: Locked, after: Locked): Promise<string[]> {
  const changed = locked.filter(({ of }) => of(before) !== of(after));
  if (changed.length === 0) return [];
  const document = await readConfigDocument(resolve(path));
  return changed.map(({ key, of }) => {
    const where = `${printable(path)}:${document.position(document.offsetOf(key))} ${shownPath(key)}`;
    return `${where}: expected ${printable(of(before))} as at the start, got ${printable(of(after))}; this changes only when it is stopped and started`;
  });
}
