/**
 * Files that lose their last name. The kernel gives the room of one back in the very call that ends it, which takes 60 to
 * 200 ms for each GiB: a large one is held open over that call, and a thread closes it.
 */
import { closeSync, openSync } from 'node:fs';
import { freedAtOnceBytesMax } from '../limits.ts';
import { openFlags } from './descriptor.ts';
import { host } from './host-calls.ts';

/** Runs a synchronous `act` that may take the name of a file from it. @param sizeBytes of what was found under the name */
export function overwriting(name: string | Buffer, sizeBytes: number | undefined, act: () => void): void {
  const held = (sizeBytes ?? 0) > freedAtOnceBytesMax ? openIfThere(name) : undefined;
  try {
    act();
  } finally {
    if (held !== undefined) void closeQuietly(held, Infinity);
  }
}

/** Closes a file; errors of its data were reported by fsync. @param sizeBytes that may be given back by that */
export async function closeQuietly(descriptor: number, sizeBytes: number): Promise<void> {
  try {
    if (sizeBytes > freedAtOnceBytesMax) await host.close(descriptor);
    else closeSync(descriptor);
  } catch {
    // It is closed all the same, close(2).
  }
}

/** Without it, it only takes longer. */
function openIfThere(name: string | Buffer): number | undefined {
  try {
    return openSync(name, openFlags.anything);
  } catch {
    return undefined;
  }
}
