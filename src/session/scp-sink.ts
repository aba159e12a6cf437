/**
 * Drives `scp -t` against `Files`: the client sends, and every answer tells it the truth. The last answer for a file is
 * sent when the file stands under its name, and the exit status when everything is durable.
 *
 * A file that is refused before its first byte is not asked for: the C record is answered with the error, and the client
 * goes on with its next file. It must be told there and not later: libssh2 (curl) never reads the answer to the bytes.
 * A client that does not wait for answers sends the bytes all the same; then they are received and dropped, and the error
 * is told at their end. Which of the two a client is can be seen by whether bytes have come that it sent before our
 * answer. See `ScpSink` for what happens should a client that looked patient send the bytes after all.
 */
import { clientWords, errorCode, ProtocolError, ScpdError, type ErrorCode } from '../errors.ts';
import type { AttributeChange, Files, Upload } from '../guard/files.ts';
import type { ScpSinkCommand } from '../protocol/command/parse-command.ts';
import type { ScpTimes } from '../protocol/scp/records.ts';
import {
  ScpSink,
  type ScpDirectoryEvent,
  type ScpFileEvent,
  type ScpSinkEvent,
} from '../protocol/scp/sink.ts';
import type { Channel } from './channel.ts';
import { GlobExpansion } from './glob-expansion.ts';
import { attempt, complaint, type ScpOptions, type ScpRefusal } from './scp-attempt.ts';
import { ScpDirectories } from './scp-directories.ts';
import { resolveTarget, type Place, type Target } from './scp-target.ts';

interface ScpSinkRun extends ScpOptions {
  readonly channel: Channel;
  readonly files: Files;
}

/**
 * Receives what the client sends and returns the exit status: 0 if all of it is stored and durable, else 1. Throws
 * `ProtocolError` or what `Files.settle` throws; uploads are ended in any case. Neither channel nor files are closed.
 */
export async function runScpSink(
  channel: Channel,
  files: Files,
  command: ScpSinkCommand,
  options: ScpOptions = {},
): Promise<number> {
  return await new SinkSession({ channel, files, ...options }, command).run();
}

/** A file on its way. Without `upload` its bytes are dropped, and `complaint` says why. */
interface Incoming {
  readonly place: string;
  readonly change: AttributeChange;
  upload: Upload | undefined;
  complaint: string | undefined;
  offset: number;
}

const namesRefused: ReadonlySet<ErrorCode> = new Set(['INVALID_NAME', 'NAME_TOO_LONG', 'TOO_MANY_MATCHES']);

class SinkSession {
  readonly #channel: Channel;
  readonly #files: Files;
  readonly #options: ScpOptions;
  readonly #command: ScpSinkCommand;
  readonly #sink: ScpSink;
  readonly #input: AsyncIterator<Buffer>;
  readonly #directories: ScpDirectories;
  #incoming: Incoming | undefined;
  #hasFailed = false;

  constructor({ channel, files, ...options }: ScpSinkRun, command: ScpSinkCommand) {
    this.#channel = channel;
    this.#files = files;
    this.#options = options;
    this.#command = command;
    this.#sink = new ScpSink(command);
    this.#directories = new ScpDirectories(files, command);
    this.#input = channel.input[Symbol.asyncIterator]();
  }

  async run(): Promise<number> {
    try {
      await this.#serve();
    } catch (error) {
      await this.#abandon(errorCode(error));
      // What was already answered with a yes is owed its durability, whatever became of the rest.
      await attempt(this.#options, () => this.#files.settle());
      if (errorCode(error) === 'CONNECTION_LOST') return 1;
      throw error;
    }
    await this.#settle();
    return this.#hasFailed ? 1 : 0;
  }

  /** Every record is answered, so a client reads no more replies: only standard error can say why it is no success. */
  async #settle(): Promise<void> {
    try {
      await this.#files.settle();
    } catch (error) {
      await this.#channel.writeError(`scp: ${clientWords(error)}`).catch(() => undefined);
      throw error;
    }
  }

  async #serve(): Promise<void> {
    const target = await this.#target();
    if (target === undefined) return;
    this.#directories.begin(target);
    await this.#channel.write(this.#sink.accept());
    while (!this.#sink.isOver) {
      const { done, value } = await this.#input.next();
      for (const event of done === true ? this.#sink.end() : this.#sink.push(value)) {
        await this.#handle(event);
      }
    }
    await this.#abandon('CLIENT_FAILED');
  }

  /** Where the client's files go; undefined if it was told that they can't. */
  async #target(): Promise<Target | undefined> {
    const { target: text, targetPattern: pattern } = this.#command;
    const found = await attempt(this.#options, async () => {
      const meant = await new GlobExpansion(this.#files).expand({ text, pattern });
      if (meant.length > 1) return undefined;
      return await resolveTarget(this.#files, { ...this.#command, target: meant[0] ?? text });
    });
    if (found.ok && found.value !== undefined) return found.value;
    if (!found.ok) await this.#recordRefusal({ operation: 'upload', path: text, error: found.error.code });
    await this.#refuse(found.ok ? 'ambiguous target' : complaint(text, found.error));
    return undefined;
  }

  async #handle(event: ScpSinkEvent): Promise<void> {
    switch (event.kind) {
      case 'times':
        return await this.#channel.write(this.#sink.accept());
      case 'file':
        return await this.#beginFile(event);
      case 'data':
        return await this.#receive(event.bytes);
      case 'fileEnd':
        return await this.#endFile(event.clientError);
      case 'directory':
        return await this.#enter(event);
      case 'leave':
        return await this.#leave();
      case 'remoteError':
        // The client has told its user already; what it could not read is missing here, and so this was no success.
        this.#hasFailed = true;
        return;
      case 'hostileName':
        // Only an attack or a broken client sends one: the operator should know.
        this.#options.onFault?.(new ProtocolError('unexpected filename'));
        await this.#recordRefusal({ operation: 'upload', path: event.name, error: 'INVALID_NAME' });
        return await this.#refuse(`error: unexpected filename: ${event.name}`);
      case 'end':
        return await this.#end(event.complete);
    }
  }

  async #beginFile(event: ScpFileEvent): Promise<void> {
    const text = this.#directories.textOf(event.name);
    const opened = await attempt(this.#options, () => this.#open(event));
    if (!opened.ok && !this.#clientIsAhead()) return await this.#refuse(complaint(text, opened.error));
    this.#incoming = {
      place: text,
      change: {
        ...timesChange(event.times),
        ...(this.#command.preserve ? { mode: event.mode & 0o777 } : {}),
      },
      upload: opened.ok ? opened.value : undefined,
      complaint: opened.ok ? undefined : complaint(text, opened.error),
      offset: 0,
    };
    await this.#channel.write(this.#sink.accept());
  }

  async #open({ name, mode, sizeBytes }: ScpFileEvent): Promise<Upload> {
    const place = await this.#placeOf('upload', name);
    if (sizeBytes > BigInt(Number.MAX_SAFE_INTEGER)) throw new ScpdError('FILE_TOO_LARGE');
    return await this.#files.upload(place.path, {
      existing: 'replace',
      missing: 'create',
      newFileMode: mode & 0o777,
      declaredBytes: Number(sizeBytes),
    });
  }

  /** Where an entry belongs. Throws `ScpdError` for a name that can't be, and writes its record: `Files` never hears of it. */
  async #placeOf(operation: ScpRefusal['operation'], name: string): Promise<Place> {
    try {
      return this.#directories.placeOf(name);
    } catch (error) {
      const path = this.#directories.textOf(name);
      await this.#recordRefusal({ operation, path, error: errorCode(error) });
      throw error;
    }
  }

  /** Only of what a rule of names refused: what `Files` refuses it writes down itself. */
  async #recordRefusal(refusal: ScpRefusal): Promise<void> {
    if (namesRefused.has(refusal.error)) await this.#options.onRefusal?.(refusal);
  }

  #clientIsAhead(): boolean {
    return this.#sink.hasUnread || this.#channel.input.hasArrived;
  }

  async #receive(bytes: Buffer): Promise<void> {
    const incoming = this.#incoming;
    if (incoming?.upload === undefined) return;
    const { upload, offset } = incoming;
    const written = await attempt(this.#options, () => upload.write(bytes, offset));
    if (written.ok) {
      incoming.offset += bytes.length;
    } else {
      // The rest must be read all the same, to stay in step; scp.c does so, too.
      incoming.upload = undefined;
      incoming.complaint = complaint(incoming.place, written.error);
      await upload.abort(written.error.code);
    }
  }

  async #endFile(clientError: string | undefined): Promise<void> {
    const incoming = this.#incoming;
    this.#incoming = undefined;
    if (incoming?.upload === undefined)
      return await this.#refuse(incoming?.complaint ?? clientWords(undefined));
    if (clientError !== undefined) {
      await incoming.upload.abort('CLIENT_FAILED');
      return await this.#refuse(complaint(incoming.place, new ScpdError('CLIENT_FAILED')));
    }
    const stored = await attempt(this.#options, () => store(incoming.upload, incoming.change));
    if (!stored.ok) return await this.#refuse(complaint(incoming.place, stored.error));
    await this.#channel.write(this.#sink.accept());
  }

  async #enter(event: ScpDirectoryEvent): Promise<void> {
    const entered = await attempt(this.#options, async () => {
      await this.#placeOf('mkdir', event.name);
      await this.#directories.enter(event);
    });
    if (entered.ok) return await this.#channel.write(this.#sink.accept());
    const words = complaint(this.#directories.textOf(event.name), entered.error);
    // Its entries are on their way, and there is no place for them: they must not end up in another directory.
    if (this.#clientIsAhead()) return await this.#giveUp(words);
    await this.#refuse(words);
  }

  async #leave(): Promise<void> {
    const left = await attempt(this.#options, () => this.#directories.leave());
    if (left.ok) return await this.#channel.write(this.#sink.accept());
    await this.#refuse(complaint(this.#directories.lastLeft, left.error));
  }

  async #end(isComplete: boolean): Promise<void> {
    if (isComplete) return;
    const place = this.#incoming?.place ?? this.#command.target;
    await this.#abandon('INCOMPLETE');
    await this.#giveUp(complaint(place, new ScpdError('INCOMPLETE')));
  }

  /** The one answer that is owed is no. */
  async #refuse(words: string): Promise<void> {
    this.#hasFailed = true;
    await this.#channel.write(this.#sink.warn(words));
  }

  async #giveUp(words: string): Promise<void> {
    this.#hasFailed = true;
    await this.#channel.write(this.#sink.fail(words));
  }

  /** Ends what is still open. The directories get their modes and times, also when the rest of them never comes. */
  async #abandon(reason: ErrorCode): Promise<void> {
    const upload = this.#incoming?.upload;
    this.#incoming = undefined;
    if (upload !== undefined) {
      this.#hasFailed = true;
      await upload.abort(reason);
    }
    while (this.#directories.isInside) await attempt(this.#options, () => this.#directories.leave());
  }
}

/** Ends the upload, one way or the other. */
async function store(upload: Upload | undefined, change: AttributeChange): Promise<void> {
  if (upload === undefined) return;
  if (Object.keys(change).length > 0) {
    try {
      await upload.setAttributes(change);
    } catch (error) {
      await upload.abort(errorCode(error));
      throw error;
    }
  }
  await upload.commit('verified');
}

function timesChange(times: ScpTimes | undefined): AttributeChange {
  return times === undefined ? {} : { ...times };
}
