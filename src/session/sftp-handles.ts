/**
 * The open handles of one SFTP session. A handle is a name of ours for something open: a random word for the session
 * and a counter that never comes back, so that a closed, guessed or foreign handle is always unknown. What a handle
 * may be used for is kept with it and is not asked of the path again.
 */
import { randomBytes } from 'node:crypto';
import { ScpdError, type ErrorCode } from '../errors.ts';
import type { Download, Listing, Upload } from '../guard/files.ts';
import type { VirtualPath } from '../guard/virtual-path.ts';
import { sftpHandlesMax } from '../limits.ts';

export interface OpenUpload {
  readonly kind: 'upload';
  /** As OPEN named it. */
  readonly path: VirtualPath;
  readonly upload: Upload;
  /** Whether OPEN asked for reading too. */
  readonly readable: boolean;
  /**
   * Why the content is not what the client sent: a write, truncation or fsync that failed. From then on nothing but
   * that is answered, and CLOSE drops the upload: a client may close without having read the bad news.
   */
  failure?: ErrorCode;
}

export interface OpenDownload {
  readonly kind: 'download';
  readonly path: VirtualPath;
  readonly download: Download;
}

export interface OpenListing {
  readonly kind: 'listing';
  readonly path: VirtualPath;
  readonly listing: Listing;
}

export type OpenHandle = OpenUpload | OpenDownload | OpenListing;

export class HandleTable {
  readonly #open = new Map<string, OpenHandle>();
  readonly #prefix = randomBytes(4).toString('latin1');
  #counter = 0;
  #opening = 0;

  /**
   * Opens something and returns the handle for it: eight bytes, one character a byte. Several may be about to be opened
   * at once, so the room is taken before. Throws TOO_MANY_HANDLES, and what `act` throws.
   */
  async open(act: () => Promise<OpenHandle>): Promise<string> {
    if (this.#open.size + this.#opening >= sftpHandlesMax) throw new ScpdError('TOO_MANY_HANDLES');
    this.#opening += 1;
    try {
      return this.#add(await act());
    } finally {
      this.#opening -= 1;
    }
  }

  /** Undefined for a handle that is not open. */
  find(handle: string): OpenHandle | undefined {
    return this.#open.get(handle);
  }

  /** The upload that goes on under this name, if there is one; of several any. */
  uploadAt(path: VirtualPath): { readonly handle: string; readonly opened: OpenUpload } | undefined {
    for (const [handle, opened] of this.#open) {
      if (opened.kind === 'upload' && opened.path === path) return { handle, opened };
    }
    return undefined;
  }

  /** Throws INVALID_HANDLE. */
  get(handle: string): OpenHandle {
    const opened = this.#open.get(handle);
    if (opened === undefined) throw new ScpdError('INVALID_HANDLE');
    return opened;
  }

  /** Forgets the handle, so that it can be closed only once. Throws INVALID_HANDLE. */
  remove(handle: string): OpenHandle {
    const opened = this.get(handle);
    this.#open.delete(handle);
    return opened;
  }

  /** Ends everything that is still open. Never throws. */
  async abortAll(reason: ErrorCode): Promise<void> {
    const left = [...this.#open.values()];
    this.#open.clear();
    for (const opened of left) await abort(opened, reason);
  }

  #add(opened: OpenHandle): string {
    this.#counter += 1;
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(this.#counter);
    const handle = this.#prefix + counter.toString('latin1');
    this.#open.set(handle, opened);
    return handle;
  }
}

async function abort(opened: OpenHandle, reason: ErrorCode): Promise<void> {
  switch (opened.kind) {
    case 'upload':
      return opened.upload.abort(opened.failure ?? reason);
    case 'download':
      return opened.download.abort(reason);
    case 'listing':
      return opened.listing.close().catch(() => undefined); // nothing was to be kept
  }
}
