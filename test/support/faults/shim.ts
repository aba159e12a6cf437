/** Lets the host fail under a real server: `shim.c` compiled, and the file through which it is told what to do. */
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../clients.ts';

const source = fileURLToPath(new URL('./shim.c', import.meta.url));
const controlBytes = 512;
/** Where the fields of `struct control` are. */
const at = { armed: 0, error: 4, skip: 8, times: 12, hits: 16, clockMs: 24, call: 32, path: 64 } as const;

export type FaultyCall =
  'open' | 'write' | 'fsync' | 'ftruncate' | 'fchmod' | 'rename' | 'link' | 'unlink' | 'mkdir';
export type Errno = 'EIO' | 'EDQUOT' | 'ENOSPC' | 'EMFILE' | 'ENFILE' | 'EACCES' | 'EROFS';

export interface HostFault {
  readonly call: FaultyCall;
  readonly error: Errno;
  /** A part of the host path of the file, or its end if it ends in "$"; of a rename or link, that of the new name. */
  readonly path: string;
  /** Calls that go well before. */
  readonly after?: number;
  /** Calls that fail then; without it all. */
  readonly times?: number;
}

export class HostFaults {
  readonly #library: string;
  readonly #control: string;

  private constructor(library: string, control: string) {
    this.#library = library;
    this.#control = control;
  }

  /** Compiles the shim into a directory. */
  static async make(directory: string): Promise<HostFaults> {
    const library = join(directory, 'faults.so');
    const compiled = await run('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-o', library, source, '-ldl']);
    if (compiled.status !== 0) throw new Error(`gcc: ${compiled.stderr}`);
    const control = join(directory, 'faults.control');
    writeFileSync(control, Buffer.alloc(controlBytes));
    return new HostFaults(library, control);
  }

  /** What a server that shall fail is started with. */
  get environment(): Readonly<Record<string, string>> {
    return { LD_PRELOAD: this.#library, SCPD_TEST_FAULTS: this.#control };
  }

  arm({ call, error, path, after = 0, times = -1 }: HostFault): void {
    const fields = Buffer.alloc(controlBytes - at.call);
    fields.write(call, 0);
    fields.write(path, at.path - at.call);
    this.disarm();
    this.#write(fields, at.call);
    const numbers = Buffer.alloc(at.hits + 4);
    numbers.writeInt32LE(1, at.armed);
    numbers.writeInt32LE(constants.errno[error as 'EIO'], at.error);
    numbers.writeInt32LE(after, at.skip);
    numbers.writeInt32LE(times, at.times);
    this.#write(numbers, 0);
  }

  /** Ends it. Answers how many calls failed. */
  disarm(): number {
    this.#write(Buffer.alloc(4), at.armed);
    return this.hits;
  }

  get hits(): number {
    const bytes = Buffer.alloc(4);
    const descriptor = openSync(this.#control, 'r');
    readSync(descriptor, bytes, 0, 4, at.hits);
    closeSync(descriptor);
    return bytes.readInt32LE(0);
  }

  /** Sets the wall clock of the server ahead (or, below 0, back) from the machine's. */
  setClock(aheadMs: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(aheadMs));
    this.#write(bytes, at.clockMs);
  }

  #write(bytes: Buffer, position: number): void {
    const descriptor = openSync(this.#control, 'r+');
    writeSync(descriptor, bytes, 0, bytes.length, position);
    closeSync(descriptor);
  }
}
