/**
 * Checkpoints: records that sign the chain up to themselves. What is signed is the text
 *
 *     scpd audit checkpoint
 *     <seq of the checkpoint>
 *     <its time>
 *     <hash of the record before it>
 *
 * each line with a newline. Whoever can make all hashes again still can't make this without the key.
 */
import type { Link } from './chain.ts';

/** Enough of a record to sign it, or to check that it was signed. */
export type Signed = Pick<Link, 'seq' | 'time' | 'prev'>;

export function checkpointText({ seq, time, prev }: Signed): string {
  return `scpd audit checkpoint\n${seq}\n${time}\n${prev}\n`;
}
