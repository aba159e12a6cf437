/**
 * Makes one write of many. PuTTY sends 4 KiB at a time, curl 30,000 bytes; a trip to the disk for each would cost more than
 * the bytes do. What waits for its turn on one handle, and goes on where the one before it ended, becomes one WRITE, and
 * each of its parts gets the answer of the whole: if it fails, all of them have.
 */
import { sftpGatheredBytesMax, sftpGatheredWriteBytesMax } from '../limits.ts';
import type { WriteRequest } from '../protocol/sftp/file-requests.ts';
import type { SftpReply } from '../protocol/sftp/replies.ts';

interface Gathered {
  readonly first: WriteRequest;
  readonly parts: Buffer[];
  lengthBytes: number;
  readonly reply: Promise<SftpReply>;
}

export class WriteGatherer {
  /** By handle: the last write that has not begun, with nothing else behind it. */
  readonly #open = new Map<string, Gathered>();

  /** The answer to a write that could be added to one that waits; undefined if there is none. */
  join(request: WriteRequest): Promise<SftpReply> | undefined {
    const gathered = this.#open.get(request.handle);
    if (gathered === undefined || !fits(gathered, request)) return undefined;
    gathered.parts.push(request.data);
    gathered.lengthBytes += request.data.length;
    return gathered.reply;
  }

  /** Begins a write that later ones may join. @param run calls its argument when the write's turn has come */
  begin(request: WriteRequest, run: (take: () => WriteRequest) => Promise<SftpReply>): Promise<SftpReply> {
    const parts = [request.data];
    const gathered: Gathered = {
      first: request,
      parts,
      lengthBytes: request.data.length,
      reply: run(() => {
        if (this.#open.get(request.handle) === gathered) this.#open.delete(request.handle);
        return parts.length === 1 ? request : { ...request, data: Buffer.concat(parts) };
      }),
    };
    this.#open.set(request.handle, gathered);
    return gathered.reply;
  }

  /** Something else was asked of the handle: what comes later must not get in front of it. */
  end(handle: string): void {
    this.#open.delete(handle);
  }
}

function fits({ first, lengthBytes }: Gathered, { offset, data }: WriteRequest): boolean {
  return (
    offset === first.offset + lengthBytes &&
    data.length <= sftpGatheredWriteBytesMax &&
    lengthBytes + data.length <= sftpGatheredBytesMax
  );
}
