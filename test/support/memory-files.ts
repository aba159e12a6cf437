/**
 * A faithful small `Files` in memory, for tests of the protocol drivers: one tree, no rules, links that are not followed, uploads staged as
 * the contract says. `journal` tells what was asked for and how it ended, in order; `faults` makes a call fail.
 */
import { createHash } from 'node:crypto';
import type { Verb } from '../../src/guard/access.ts';
import { ScpdError, type ErrorCode } from '../../src/errors.ts';
import type {
  AttributeChange,
  Attributes,
  Download,
  Files,
  HashOptions,
  Listing,
  Space,
  Upload,
  UploadOptions,
} from '../../src/guard/files.ts';
import {
  baseName,
  isWithin,
  parentPath,
  virtualPath,
  type VirtualPath,
} from '../../src/guard/virtual-path.ts';

interface Node {
  readonly kind: 'file' | 'directory';
  bytes: Buffer;
  mode: number;
  modifiedSeconds: number;
  accessedSeconds: number;
}

/** The calls that `faults` can make fail. */
export type Faulty =
  'write' | 'sync' | 'setAttributes' | 'commit' | 'settle' | 'read' | 'list' | 'stat' | 'finish';

const umask = 0o022;

/** A sparse file would take all its memory here. */
const fileBytesMax = 64 * 1024 * 1024;

function checkSize(sizeBytes: number): void {
  if (sizeBytes > fileBytesMax) throw new ScpdError('FILE_TOO_LARGE');
}

export class MemoryFiles implements Files {
  /** Such as "upload /a replace create", "commit /a closed", "settle". */
  readonly journal: string[] = [];
  /** The next call of that name throws this error; set it again for the one after. */
  readonly faults = new Map<Faulty, unknown>();
  /** Verbs that `mayEver` says no to. */
  readonly forbidden = new Set<Verb>();
  /** What was refused before it came here. */
  readonly refusals: Parameters<Files['noteRefusal']>[0][] = [];
  /** Transfers and listings that were opened and not yet ended. */
  openCount = 0;
  readonly #nodes = new Map<VirtualPath, Node>([[virtualPath('/'), newNode('directory', 0o755)]]);
  /** Once it is aborted, content can't be read, as it is with the real ones. */
  gone: AbortSignal | undefined;
  /** Links are remembered, not followed. */
  readonly #links = new Map<VirtualPath, string>();

  /** Puts a file there with its parent directories. */
  put(path: string, bytes: Buffer | string, mode = 0o644): void {
    const file = virtualPath(path);
    for (let at = parentPath(file); !this.#nodes.has(at); at = parentPath(at)) this.putDirectory(at);
    this.#nodes.set(file, { ...newNode('file', mode), bytes: Buffer.from(bytes) });
  }

  putDirectory(path: string): void {
    this.#nodes.set(virtualPath(path), newNode('directory', 0o755));
  }

  /** Content of a committed file; undefined if there is none of that name. */
  content(path: string): Buffer | undefined {
    const node = this.#nodes.get(virtualPath(path));
    return node?.kind === 'file' ? node.bytes : undefined;
  }

  attributesOf(path: string): Attributes | undefined {
    const node = this.#nodes.get(virtualPath(path));
    return node === undefined ? undefined : attributesOf(node);
  }

  noteRefusal(refusal: Parameters<Files['noteRefusal']>[0]): void {
    this.refusals.push(refusal);
  }

  mayEver(verb: Verb): boolean {
    return !this.forbidden.has(verb);
  }

  async stat(path: VirtualPath): Promise<Attributes> {
    this.failIfAsked('stat');
    return attributesOf(this.#node(path));
  }

  async list(path: VirtualPath): Promise<Listing> {
    this.failIfAsked('list');
    if (this.#node(path).kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    this.journal.push(`list ${path}`);
    const rest = [...this.#nodes].filter(([at]) => at !== '/' && parentPath(at) === path);
    this.openCount += 1;
    return {
      read: async (entriesMax) => {
        this.failIfAsked('read');
        return rest
          .splice(0, entriesMax)
          .map(([at, node]) => ({ name: baseName(at), attributes: attributesOf(node) }));
      },
      close: async () => {
        this.openCount -= 1;
      },
    };
  }

  async download(path: VirtualPath): Promise<Download> {
    const node = this.#node(path);
    if (node.kind !== 'file') throw new ScpdError('IS_A_DIRECTORY');
    this.journal.push(`download ${path}`);
    this.openCount += 1;
    return {
      attributes: async () => attributesOf(node),
      read: async (offset, lengthBytes) => {
        this.gone?.throwIfAborted();
        this.failIfAsked('read');
        return node.bytes.subarray(offset, offset + lengthBytes);
      },
      finish: async (verdict) => {
        this.ended(`finish ${path} ${verdict}`);
        this.failIfAsked('finish');
      },
      abort: async (reason) => this.ended(`abort ${path} ${reason}`),
    };
  }

  async upload(path: VirtualPath, options: UploadOptions): Promise<Upload> {
    const old = this.#nodes.get(path);
    if (this.#node(parentPath(path)).kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    if (old?.kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
    if (old !== undefined && options.existing === 'refuse') throw new ScpdError('ALREADY_EXISTS');
    if (old === undefined && options.missing === 'refuse') throw new ScpdError('NOT_FOUND');
    this.journal.push(
      `upload ${path} ${options.existing} ${options.missing}${options.append ? ' append' : ''}`,
    );
    const staged = newNode('file', old?.mode ?? options.newFileMode & ~umask);
    if (old !== undefined && options.existing === 'modify') staged.bytes = Buffer.from(old.bytes);
    this.openCount += 1;
    return new MemoryUpload(this, path, staged, options.append === true);
  }

  async makeDirectory(path: VirtualPath, mode: number): Promise<void> {
    if (this.#nodes.has(path)) throw new ScpdError('ALREADY_EXISTS');
    if (this.#node(parentPath(path)).kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    this.journal.push(`mkdir ${path} ${mode.toString(8)}`);
    this.#nodes.set(path, newNode('directory', mode & ~umask));
  }

  async removeDirectory(path: VirtualPath): Promise<void> {
    if (this.#node(path).kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    if ([...this.#nodes.keys()].some((at) => at !== path && isWithin(at, path))) {
      throw new ScpdError('DIRECTORY_NOT_EMPTY');
    }
    this.journal.push(`rmdir ${path}`);
    this.#nodes.delete(path);
  }

  async remove(path: VirtualPath): Promise<void> {
    if (this.#node(path).kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
    this.journal.push(`remove ${path}`);
    this.#nodes.delete(path);
  }

  async rename(from: VirtualPath, to: VirtualPath, options: { readonly replace: boolean }): Promise<void> {
    this.#node(from);
    if (this.#node(parentPath(to)).kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    if (this.#nodes.has(to) && !options.replace) throw new ScpdError('ALREADY_EXISTS');
    if (from !== to && isWithin(to, from)) throw new ScpdError('INVALID_RENAME');
    this.journal.push(`rename ${from} ${to}`);
    for (const [at, node] of [...this.#nodes].filter(([candidate]) => isWithin(candidate, from))) {
      this.#nodes.delete(at);
      this.#nodes.set(virtualPath(to + at.slice(from.length)), node);
    }
  }

  async setAttributes(path: VirtualPath, change: AttributeChange): Promise<void> {
    const node = this.#node(path);
    this.failIfAsked('setAttributes');
    this.journal.push(`set ${path} ${JSON.stringify(change)}`);
    applyChange(node, change);
  }

  async readLink(path: VirtualPath): Promise<string> {
    const target = this.#links.get(path);
    if (target === undefined) throw new ScpdError(this.#nodes.has(path) ? 'NOT_A_LINK' : 'NOT_FOUND');
    return target;
  }

  async makeLink(path: VirtualPath, target: string): Promise<void> {
    if (this.#nodes.has(path) || this.#links.has(path)) throw new ScpdError('ALREADY_EXISTS');
    this.journal.push(`link ${path} ${target}`);
    this.#links.set(path, target);
  }

  async makeHardLink(from: VirtualPath, to: VirtualPath): Promise<void> {
    const node = this.#node(from);
    if (this.#nodes.has(to)) throw new ScpdError('ALREADY_EXISTS');
    this.journal.push(`hardlink ${from} ${to}`);
    this.#nodes.set(to, node);
  }

  async resolve(path: VirtualPath): Promise<VirtualPath> {
    return path;
  }

  async space(path: VirtualPath): Promise<Space> {
    this.#node(path);
    const half = 2 ** 30;
    return {
      blockBytes: 4096,
      totalBytes: 2 * half,
      freeBytes: half,
      availableBytes: half / 2,
      totalFiles: 1000,
      freeFiles: 900,
    };
  }

  async hash(path: VirtualPath, { algorithm, offset = 0, lengthBytes }: HashOptions): Promise<Buffer> {
    const { bytes } = this.#node(path);
    const end = lengthBytes === undefined ? undefined : offset + lengthBytes;
    return createHash(algorithm).update(bytes.subarray(offset, end)).digest();
  }

  async settle(): Promise<void> {
    this.journal.push('settle');
    this.failIfAsked('settle');
  }

  async close(reason: ErrorCode): Promise<void> {
    this.journal.push(`close ${reason}`);
  }

  /** For `MemoryUpload`. */
  publish(path: VirtualPath, staged: Node): void {
    this.#nodes.set(path, staged);
  }

  ended(line: string): void {
    this.openCount -= 1;
    this.journal.push(line);
  }

  failIfAsked(call: Faulty): void {
    const error = this.faults.get(call);
    this.faults.delete(call);
    if (error !== undefined) throw error;
  }

  #node(path: VirtualPath): Node {
    const node = this.#nodes.get(path);
    if (node === undefined) throw new ScpdError('NOT_FOUND');
    return node;
  }
}

class MemoryUpload implements Upload {
  readonly #files: MemoryFiles;
  readonly #path: VirtualPath;
  readonly #staged: Node;
  readonly #append: boolean;
  #open = true;

  constructor(files: MemoryFiles, path: VirtualPath, staged: Node, append: boolean) {
    this.#files = files;
    this.#path = path;
    this.#staged = staged;
    this.#append = append;
  }

  async write(bytes: Buffer, offset: number): Promise<void> {
    this.#files.failIfAsked('write');
    const start = this.#append ? this.#staged.bytes.length : offset;
    const end = Math.max(this.#staged.bytes.length, start + bytes.length);
    checkSize(end);
    const grown = Buffer.alloc(end);
    this.#staged.bytes.copy(grown);
    bytes.copy(grown, start);
    this.#staged.bytes = grown;
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    this.#files.failIfAsked('read');
    return this.#staged.bytes.subarray(offset, offset + lengthBytes);
  }

  async attributes(): Promise<Attributes> {
    return attributesOf(this.#staged);
  }

  async setAttributes(change: AttributeChange): Promise<void> {
    this.#files.failIfAsked('setAttributes');
    this.#files.journal.push(`set open ${this.#path} ${JSON.stringify(change)}`);
    applyChange(this.#staged, change);
  }

  async sync(): Promise<void> {
    this.#files.failIfAsked('sync');
    this.#files.journal.push(`sync ${this.#path}`);
  }

  async commit(verdict: 'verified' | 'closed'): Promise<void> {
    this.#end();
    this.#files.ended(`commit ${this.#path} ${verdict}`);
    this.#files.failIfAsked('commit');
    this.#files.publish(this.#path, this.#staged);
  }

  async abort(reason: ErrorCode): Promise<void> {
    this.#end();
    this.#files.ended(`abort ${this.#path} ${reason}`);
  }

  #end(): void {
    if (!this.#open) throw new Error(`${this.#path} was ended twice`);
    this.#open = false;
  }
}

function newNode(kind: 'file' | 'directory', mode: number): Node {
  return {
    kind,
    bytes: Buffer.alloc(0),
    mode,
    modifiedSeconds: 1_700_000_000,
    accessedSeconds: 1_700_000_000,
  };
}

function attributesOf(node: Node): Attributes {
  const { kind, mode, modifiedSeconds, accessedSeconds } = node;
  return { kind, mode, modifiedSeconds, accessedSeconds, sizeBytes: node.bytes.length, linkCount: 1 };
}

function applyChange(node: Node, change: AttributeChange): void {
  if (change.sizeBytes !== undefined) {
    checkSize(change.sizeBytes);
    const resized = Buffer.alloc(change.sizeBytes);
    node.bytes.copy(resized);
    node.bytes = resized;
  }
  node.mode = change.mode ?? node.mode;
  node.modifiedSeconds = change.modifiedSeconds ?? node.modifiedSeconds;
  node.accessedSeconds = change.accessedSeconds ?? node.accessedSeconds;
}
