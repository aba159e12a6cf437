/**
 * One upload in the staging area. The file that it will replace is never touched before the rename, and what of its
 * content a client keeps (an SFTP OPEN without TRUNC, a resume, an APPEND) is copied over only as far as it is needed:
 *
 * - `#reached` is the end of what stands in the staged file; everything below it is right.
 * - above it, up to `#oldEnd`, the old file's bytes still count. A write that goes on at `#reached` needs none of them; one
 *   that leaves a gap first copies what lies in the gap; publishing copies the rest, unless the client cut it off.
 *
 * So the plain overwrite of OpenSSH's scp (no TRUNC, all bytes, then FSETSTAT size) copies nothing, and an overwrite whose
 * size was never set keeps the old tail exactly as POSIX would.
 *
 * An upload that goes on where an interrupted one ended begins with what that one left, and grows where that file is.
 */
import { fchmodSync, fstatSync, futimesSync, lstatSync } from 'node:fs';
import { newId } from '../ids.ts';
import { errorCode, ScpdError } from '../errors.ts';
import type { AttributeChange, Attributes } from '../guard/files.ts';
import type { Published, Replacement, StagedFile, StageOptions } from '../guard/store.ts';
import { at, attributesOf, lookSync, release, SharedDescriptor } from './descriptor.ts';
import type { Unsynced, Durability } from './durability.ts';
import { EarlyFlush } from './early-flush.ts';
import { onHost, onHostSync } from './errno.ts';
import { host } from './host-calls.ts';
import type { Modes } from './modes.ts';
import { moveExclusively } from './exclusive-move.ts';
import { closeQuietly, overwriting } from './last-names.ts';
import { moveToPartials, openPartial } from './partial-area.ts';
import { RunningHash } from './running-hash.ts';
import { stagedName as nameOf, type StagingArea } from './staging-area.ts';
import { readFully } from './stored-file.ts';
import { replaceKeeping, type Original } from './version-area.ts';
import { isInPlace, lookBeneath } from './walk.ts';

const copyChunkBytes = 1024 * 1024;

/** What a staged file needs to know. */
export interface StagingRequest {
  /** Where the file will stand. */
  readonly final: Original;
  /** The size of what was found there. */
  readonly replacedBytes: number | undefined;
  /** Whose the descriptors in `final` are: held until the file is published or removed. */
  readonly held: readonly SharedDescriptor[];
  readonly area: StagingArea;
  /** Whether what it replaces stays as a version. */
  readonly keepsVersion: boolean;
  /** Opens the content to start from, if any is to be kept. */
  readonly openOld: (() => number) | undefined;
  /** The interrupted upload that it goes on with. */
  readonly partial: StageOptions['partial'];
  /** What stands under the name is another's, and stays: see `StageOptions.apart`. */
  readonly isApart: boolean;
  readonly mode: number;
  /** What becomes of a mode that the client sets. */
  readonly modes: Modes;
  /** Asked at the moment of publishing. */
  readonly replaces: () => Replacement;
  readonly otherName: StageOptions['otherName'];
  readonly durability: Durability;
  readonly changed: Unsynced;
  /** Until the file stands under its name, this ends the upload. */
  readonly gone: AbortSignal | undefined;
}

interface Opened {
  readonly id: string;
  /** The directory of ours in which the file grows, and its name there. */
  readonly staging: SharedDescriptor;
  readonly stagedName: string;
  readonly staged: number;
  readonly old: { readonly descriptor: number; readonly sizeBytes: number } | undefined;
}

/** Creates a staged file. Throws ScpdError and leaves nothing behind then. */
export async function stageFile(request: StagingRequest): Promise<StagedFile> {
  const held = request.held.map((shared) => shared.hold());
  let old: Opened['old'];
  try {
    return await onHost(async () => {
      old = openOld(request);
      const id = newId();
      return new DiskStagedFile(request, { id, old, ...(await openStaged(request, id)) });
    });
  } catch (error) {
    if (old !== undefined) release(old.descriptor);
    for (const shared of held) shared.letGo();
    throw error;
  }
}

async function openStaged(
  { partial, final, area }: StagingRequest,
  id: string,
): Promise<Pick<Opened, 'staging' | 'stagedName' | 'staged'>> {
  if (partial !== undefined) {
    const waiting = await openPartial(final.root, partial);
    return { staging: new SharedDescriptor(waiting.area), stagedName: partial.id, staged: waiting.file };
  }
  const stagedName = nameOf(id);
  const { file, directory } = area.make(stagedName, fstatSync(final.parent).dev);
  return { staging: directory, stagedName, staged: file };
}

function openOld(request: StagingRequest): Opened['old'] {
  if (request.openOld === undefined) return undefined;
  const descriptor = request.openOld();
  return { descriptor, sizeBytes: fstatSync(descriptor).size };
}

class DiskStagedFile implements StagedFile {
  readonly #request: StagingRequest;
  readonly #opened: Opened;
  readonly #descriptor: number;
  #reached: number;
  #oldEnd: number;
  #mode: number;
  #times: { readonly accessedSeconds: number; readonly modifiedSeconds: number } | undefined;
  readonly #hash: RunningHash;
  #failure: unknown;
  readonly #flush: EarlyFlush | undefined;

  constructor(request: StagingRequest, opened: Opened) {
    this.#request = request;
    this.#opened = opened;
    this.#descriptor = opened.staged;
    this.#reached = request.partial?.sizeBytes ?? 0;
    this.#oldEnd = opened.old?.sizeBytes ?? 0;
    this.#hash = new RunningHash({ descriptor: opened.staged, sizeBytes: this.#reached }, request.gone);
    this.#mode = request.mode;
    if (request.durability === 'full') {
      this.#flush = new EarlyFlush(opened.staged, (error) => (this.#failure ??= error));
    }
  }

  get id(): string {
    return this.#opened.id;
  }

  get name(): string {
    return this.#opened.stagedName;
  }

  get sizeBytes(): number {
    return Math.max(this.#reached, this.#oldEnd);
  }

  async write(bytes: Buffer, offset: number): Promise<void> {
    if (bytes.length === 0) return; // does not move the end, write(2)
    await this.#act(async () => {
      if (offset > this.#reached) await this.#copyOld(offset);
      if (this.#request.partial !== undefined) this.#hash.catchUp();
      await this.#writeFully(bytes, offset);
      this.#hash.wrote(bytes, offset);
      this.#reached = Math.max(this.#reached, offset + bytes.length);
      this.#flush?.wrote(bytes.length);
    });
  }

  async read(offset: number, lengthBytes: number): Promise<Buffer> {
    return await this.#act(async () => {
      await this.#copyOld(this.#oldEnd);
      return await this.#readFully(this.#descriptor, offset, lengthBytes);
    });
  }

  async attributes(): Promise<Attributes> {
    const attributes = attributesOf(onHostSync(() => fstatSync(this.#descriptor)));
    return { ...attributes, ...this.#times, mode: this.#mode, sizeBytes: this.sizeBytes };
  }

  async setAttributes(change: AttributeChange): Promise<void> {
    const { sizeBytes, mode, modifiedSeconds, accessedSeconds } = change;
    if (sizeBytes !== undefined) await this.#act(() => this.#resize(sizeBytes));
    if (mode !== undefined) this.#mode = this.#request.modes.changed('file', mode);
    if (modifiedSeconds !== undefined || accessedSeconds !== undefined) {
      const now = Date.now() / 1000;
      this.#times = {
        accessedSeconds: accessedSeconds ?? this.#times?.accessedSeconds ?? now,
        modifiedSeconds: modifiedSeconds ?? this.#times?.modifiedSeconds ?? now,
      };
    }
  }

  async sync(): Promise<void> {
    if (this.#request.durability === 'full') await this.#act(() => host.fsync(this.#descriptor));
  }

  async publish(note?: Parameters<StagedFile['publish']>[0]): Promise<Published> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const { sha256, ...place } = await onHost(async () => {
        await this.#copyOld(this.#oldEnd);
        const digest = await this.#hash.digest();
        this.#applyAttributes();
        await this.#flush?.ended();
        if (this.#request.durability === 'full') await host.fsync(this.#descriptor);
        return { sha256: digest, ...(await this.#moveIntoPlace()) };
      });
      const { inode, identity, mode, modifiedSeconds } = attributesOf(fstatSync(this.#descriptor));
      const published = { bytes: this.#reached, sha256, inode, identity, mode, modifiedSeconds, ...place };
      // Before the file is closed, so that its inode can't be another file's.
      await note?.(published, (path) => lookBeneath(this.#request.final.root, path));
      await this.#release({ isGone: false });
      return published;
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  async suspend(id: string, sizeBytes: number): Promise<boolean> {
    const { staging, stagedName } = this.#opened;
    const { root, parent, name } = this.#request.final;
    await this.#hash.stop();
    try {
      await this.#flush?.ended();
      if (this.#failure !== undefined || sizeBytes > this.#reached) throw new ScpdError('STORAGE_FAILED');
      // What stands there now is what the client will be shown, and what it will go on with.
      const isTaken = onHostSync(() => lookSync(parent, name)) !== undefined;
      if (isTaken && !this.#request.isApart) throw new ScpdError('ALREADY_EXISTS');
      await onHost(async () => {
        await host.ftruncate(this.#descriptor, sizeBytes);
        await host.fsync(this.#descriptor);
        await moveToPartials(root, { from: at(staging.number, stagedName), id });
      });
    } catch {
      await this.discard();
      return false;
    }
    await this.#release({ isGone: false });
    return true;
  }

  async discard(): Promise<void> {
    // A file that can't be removed now is an orphan that the next start sweeps; the one who aborts has a reason already.
    await host.unlink(at(this.#opened.staging.number, this.#opened.stagedName)).catch(() => undefined);
    await this.#release({ isGone: true });
  }

  async #release({ isGone }: { readonly isGone: boolean }): Promise<void> {
    const { staging, old } = this.#opened;
    await this.#hash.stop();
    await this.#flush?.ended().catch(() => undefined); // it needs the descriptor
    // Either may have no name any more.
    await closeQuietly(this.#descriptor, isGone ? this.#reached : 0);
    if (old !== undefined) await closeQuietly(old.descriptor, old.sizeBytes);
    for (const shared of [staging, ...this.#request.held]) shared.letGo();
  }

  /** Runs a step; once one failed, the file can no longer be what the client believes it is. */
  async #act<T>(step: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return await onHost(step);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  async #readFully(descriptor: number, offset: number, lengthBytes: number): Promise<Buffer> {
    return await readFully(descriptor, { offset, lengthBytes }, this.#request.gone);
  }

  async #writeFully(bytes: Buffer, offset: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const rest = bytes.length - written;
      written += (await host.write(this.#descriptor, bytes, written, rest, offset + written)).bytesWritten;
    }
  }

  /** Brings the old file's bytes from where the staged file ends up to `end` (or to their own end) into it. */
  async #copyOld(end: number): Promise<void> {
    const { old } = this.#opened;
    if (old === undefined) return;
    const stop = Math.min(end, this.#oldEnd);
    while (this.#reached < stop) {
      const length = Math.min(copyChunkBytes, stop - this.#reached);
      const bytes = await this.#readFully(old.descriptor, this.#reached, length);
      if (bytes.length === 0) throw new ScpdError('STORAGE_FAILED', 'the file to be kept shrank meanwhile');
      await this.#writeFully(bytes, this.#reached);
      this.#hash.wrote(bytes, this.#reached);
      this.#reached += bytes.length;
    }
  }

  async #resize(sizeBytes: number): Promise<void> {
    if (sizeBytes > this.sizeBytes) await this.#copyOld(this.#oldEnd);
    this.#oldEnd = Math.min(this.#oldEnd, sizeBytes);
    if (sizeBytes < this.#reached || sizeBytes > this.sizeBytes) {
      await host.ftruncate(this.#descriptor, sizeBytes);
      this.#hash.resized(sizeBytes);
      this.#reached = sizeBytes;
    }
  }

  #applyAttributes(): void {
    fchmodSync(this.#descriptor, this.#mode);
    if (this.#times !== undefined) {
      futimesSync(this.#descriptor, this.#times.accessedSeconds, this.#times.modifiedSeconds);
    }
  }

  async #moveIntoPlace(): Promise<Pick<Published, 'name' | 'kept'>> {
    const { staging, stagedName } = this.#opened;
    const { final, replacedBytes, keepsVersion, changed } = this.#request;
    const [from, to] = [at(staging.number, stagedName), at(final.parent, final.name)];
    // Synchronous: nothing of this server comes between the question and the rename.
    const takeOver = {
      isAllowed: () => this.#mayReplace(),
      act: () => overwriting(to, replacedBytes, () => host.renameSync(from, to)),
    };
    if (keepsVersion && takeOver.isAllowed()) {
      const { taken, ...kept } = await replaceKeeping(final, changed, takeOver);
      if (taken) return { name: final.name, ...kept };
    }
    return await changed.during([final.parent], async () => {
      // What has to be kept was just found not to be replaced.
      if (keepsVersion || !takeOver.isAllowed()) return { name: this.#moveToFreeName(from) };
      takeOver.act();
      return { name: final.name };
    });
  }

  /** Asked at the last moment. Throws if the client is gone: after the rename it is done, whoever hears of it. */
  #mayReplace(): boolean {
    this.#request.gone?.throwIfAborted();
    // The rules were asked about that path; elsewhere the new file may only be one more.
    if (!isInPlace(this.#request.final)) return false;
    const replacement = this.#request.replaces();
    return replacement === 'anything' || (replacement === 'unchanged' && this.#isUnchanged());
  }

  /** Whether what stands under the name is still the file whose content was kept. Stored files are replaced, not changed. */
  #isUnchanged(): boolean {
    const { old } = this.#opened;
    const { parent, name } = this.#request.final;
    if (old === undefined) return false;
    const there = lstatSync(at(parent, name), { throwIfNoEntry: false });
    const kept = fstatSync(old.descriptor);
    return there !== undefined && there.ino === kept.ino && there.dev === kept.dev;
  }

  /** The name itself if it is free, else the first free one of those that may be tried. */
  #moveToFreeName(from: string | Buffer): string {
    const { final, otherName } = this.#request;
    let { name } = final;
    for (let tried = 0; ; tried += 1) {
      try {
        onHostSync(() => moveExclusively(from, at(final.parent, name)));
        return name;
      } catch (error) {
        const next = errorCode(error) === 'ALREADY_EXISTS' ? otherName?.(tried) : undefined;
        if (next === undefined) throw error;
        name = next;
      }
    }
  }
}
