/**
 * The directories of an `scp -r -t`: made when they are entered, writable for us while they are filled, and given the
 * mode and times that the client declared when they are left - the inner before the outer, because filling a directory
 * changes its time.
 */
import { ScpdError, errorCode } from '../errors.ts';
import type { AttributeChange, Files } from '../guard/files.ts';
import type { ScpSinkCommand } from '../protocol/command/parse-command.ts';
import type { ScpDirectoryEvent } from '../protocol/scp/sink.ts';
import { look, placeIn, textIn, type Place, type Target } from './scp-target.ts';

interface Frame extends Place {
  readonly isNew: boolean;
  readonly event: ScpDirectoryEvent;
}

/** What we need on a directory to fill it. */
const ownerAll = 0o700;

export class ScpDirectories {
  readonly #files: Files;
  readonly #command: ScpSinkCommand;
  readonly #frames: Frame[] = [];
  #target: Target | undefined;
  #lastLeft = '';

  constructor(files: Files, command: ScpSinkCommand) {
    this.#files = files;
    this.#command = command;
  }

  begin(target: Target): void {
    this.#target = target;
  }

  /** Whether a directory was entered and not left. */
  get isInside(): boolean {
    return this.#frames.length > 0;
  }

  /** How the client wrote the directory that was left last. */
  get lastLeft(): string {
    return this.#lastLeft;
  }

  /** How the client would write the place of the entry `name`. */
  textOf(name: string): string {
    const { directory, target } = this.#here();
    return directory === undefined ? target.text : textIn(directory, name);
  }

  /** Where the entry `name` belongs. Throws `ScpdError` for a name that can't be. */
  placeOf(name: string): Place {
    const { directory, target } = this.#here();
    return directory === undefined ? target : placeIn(directory, name);
  }

  /** Makes the directory if it is not there. Throws `ScpdError`; then it was not entered. */
  async enter(event: ScpDirectoryEvent): Promise<void> {
    const { directory, target } = this.#here();
    const place = this.placeOf(event.name);
    try {
      await this.#enter(place, event);
    } catch (error) {
      // `scp -r dir host:copy/` where there is no "copy": it becomes the copy.
      const becomesCopy =
        target.kind === 'supposed' && directory === target && !this.#command.targetMustBeDirectory;
      if (!becomesCopy || errorCode(error) !== 'NOT_FOUND') throw error;
      await this.#enter(target, event);
    }
  }

  /** Leaves the innermost directory, if there is one. Throws `ScpdError`; it was left nevertheless. */
  async leave(): Promise<void> {
    const frame = this.#frames.pop();
    if (frame === undefined) return;
    this.#lastLeft = frame.text;
    const change: AttributeChange = { ...(await this.#finalMode(frame)), ...frame.event.times };
    if (Object.keys(change).length > 0) await this.#files.setAttributes(frame.path, change, { follow: true });
  }

  async #enter(place: Place, event: ScpDirectoryEvent): Promise<void> {
    const there = await look(this.#files, place.path);
    if (there !== undefined && there.kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    if (there === undefined) await this.#files.makeDirectory(place.path, (event.mode & 0o777) | ownerAll);
    this.#frames.push({ ...place, isNew: there === undefined, event });
  }

  /** With -p the client's mode; else an existing directory keeps its own, and a new one loses what it got from us. */
  async #finalMode({ path, isNew, event }: Frame): Promise<AttributeChange> {
    const mode = event.mode & 0o777;
    if (this.#command.preserve) return { mode };
    if (!isNew || (mode & ownerAll) === ownerAll) return {};
    const now = await this.#files.stat(path, { follow: true });
    return { mode: now.mode & mode };
  }

  /** The directory that entries go into, if it is one, and the target. */
  #here(): { readonly directory: Place | undefined; readonly target: Target } {
    const target = this.#target;
    if (target === undefined) throw new Error('no target yet');
    const directory = this.#frames.at(-1) ?? (target.kind === 'name' ? undefined : target);
    return { directory, target };
  }
}
