/**
 * Drives `scp -f` against `Files`: the client fetches. Exactly as many bytes as were declared are sent of each file,
 * whatever becomes of it meanwhile; what can't be sent is told, and the rest goes on. Links are followed (`Files` keeps
 * them beneath the root); below a directory that was reached through a link no further link to a directory is, so that
 * a loop of links ends and the work is bounded.
 */
import { blocks } from '../blocks.ts';
import { clientWords, errorCode, ScpdError, type ErrorCode } from '../errors.ts';
import type { Attributes, Download, Files } from '../guard/files.ts';
import { baseName, childPath, virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { scpDepthMax, scpReadAheadBytes } from '../limits.ts';
import type { CommandPath, ScpSourceCommand } from '../protocol/command/parse-command.ts';
import { aboutPath } from '../protocol/scp/replies.ts';
import { ScpSource } from '../protocol/scp/source.ts';
import type { Channel } from './channel.ts';
import { GlobExpansion } from './glob-expansion.ts';
import { attempt, complaint, type Attempted, type ScpOptions } from './scp-attempt.ts';
import { SortedListing } from './scp-listing.ts';

/**
 * Sends what the command names and returns the exit status: 0 if the client took all of it, else 1. Throws
 * `ProtocolError` or what `Files.settle` throws; downloads are ended in any case. Neither channel nor files are closed.
 */
export async function runScpSource(
  channel: Channel,
  files: Files,
  command: ScpSourceCommand,
  options: ScpOptions = {},
): Promise<number> {
  return await new SourceSession({ channel, files, ...options }, command).run();
}

interface ScpSourceRun extends ScpOptions {
  readonly channel: Channel;
  readonly files: Files;
}

/** Something that is to be sent. */
interface Entry {
  readonly path: VirtualPath;
  /** How the client would write the path, for messages. */
  readonly text: string;
  /** What the client is told that it is called. */
  readonly name: string;
  readonly attributes: Attributes;
  /** Whether a directory link was followed to get here. */
  readonly isBehindLink: boolean;
}

interface OpenDirectory {
  readonly entry: Entry;
  readonly listing: SortedListing;
}

/** What the client made of a record: `gone` is its end, after which nothing can be sent. */
type Taken = 'yes' | 'no' | 'gone';

/** One half is read while the other is sent. */
const blockBytes = scpReadAheadBytes / 2;
const zeros = Buffer.alloc(blockBytes);

class SourceSession {
  readonly #channel: Channel;
  readonly #files: Files;
  readonly #options: ScpOptions;
  readonly #command: ScpSourceCommand;
  readonly #source = new ScpSource();
  readonly #input: AsyncIterator<Buffer>;
  /** From the one that the client named to the one that is being sent. */
  readonly #directories: OpenDirectory[] = [];
  #isGone = false;
  #hasFailed = false;

  constructor({ channel, files, ...options }: ScpSourceRun, command: ScpSourceCommand) {
    this.#channel = channel;
    this.#files = files;
    this.#options = options;
    this.#command = command;
    this.#input = channel.input[Symbol.asyncIterator]();
  }

  async run(): Promise<number> {
    try {
      await this.#serve();
    } catch (error) {
      if (errorCode(error) === 'CONNECTION_LOST') return 1;
      throw error;
    } finally {
      for (const { listing } of this.#directories) await listing.close();
    }
    await this.#files.settle();
    return this.#hasFailed ? 1 : 0;
  }

  async #serve(): Promise<void> {
    if ((await this.#taken()) !== 'yes') return;
    const globs = new GlobExpansion(this.#files);
    for (const source of this.#command.sources) {
      for (const text of await this.#expand(globs, source)) {
        if (this.#isGone) return this.#fail();
        await this.#sendNamed(text);
        while (this.#directories.length > 0) {
          if (this.#isGone) return this.#fail();
          await this.#sendNext();
        }
      }
    }
  }

  /** What a source of the command means. */
  async #expand(globs: GlobExpansion, source: CommandPath): Promise<readonly string[]> {
    const found = await attempt(this.#options, () => globs.expand(source));
    if (found.ok) return found.value;
    if (found.error.code === 'TOO_MANY_MATCHES') {
      await this.#options.onRefusal?.({ operation: 'download', path: source.text, error: found.error.code });
    }
    await this.#warn(complaint(source.text, found.error));
    return [];
  }

  /** Sends what the client named; of a directory only the beginning. */
  async #sendNamed(source: string): Promise<void> {
    const text = source.replace(/(?<=.)\/+$/, '');
    const found = await attempt(this.#options, async () => {
      const path = virtualPath(source);
      return { path, attributes: await this.#files.stat(path, { follow: true }) };
    });
    if (!found.ok) return await this.#warn(complaint(text, found.error));
    const name = nameToSend(text, found.value.path);
    await this.#send({ ...found.value, text, name, isBehindLink: false });
  }

  /** Sends the next entry of the innermost directory, or leaves it. */
  async #sendNext(): Promise<void> {
    const directory = this.#directories.at(-1);
    if (directory === undefined) return;
    const { entry: parent, listing } = directory;
    const next = await attempt(this.#options, () => listing.next());
    if (!next.ok) await this.#warn(complaint(parent.text, next.error));
    if (next.ok && next.value !== undefined) {
      const { name, attributes } = next.value;
      const text = parent.text.endsWith('/') ? `${parent.text}${name}` : `${parent.text}/${name}`;
      const found = await attempt(this.#options, () => this.#resolve(parent, name, attributes));
      if (!found.ok) return await this.#warn(complaint(text, found.error));
      return await this.#send({ ...found.value, text, name });
    }
    this.#directories.pop();
    await listing.close();
    await this.#channel.write(this.#source.leave());
    await this.#taken();
  }

  /** What an entry of a directory is, links followed. */
  async #resolve(
    parent: Entry,
    name: string,
    attributes: Attributes,
  ): Promise<Pick<Entry, 'path' | 'attributes' | 'isBehindLink'>> {
    const path = childPath(parent.path, name);
    if (attributes.kind !== 'link') return { path, attributes, isBehindLink: parent.isBehindLink };
    const target = await this.#files.stat(path, { follow: true });
    const isDirectory = target.kind === 'directory';
    if (isDirectory && parent.isBehindLink) throw new ScpdError('TOO_MANY_LINKS');
    return { path, attributes: target, isBehindLink: parent.isBehindLink || isDirectory };
  }

  async #send(entry: Entry): Promise<void> {
    if (entry.attributes.kind === 'file') return await this.#sendFile(entry);
    if (entry.attributes.kind === 'directory' && this.#command.recursive) return await this.#enter(entry);
    await this.#warn(complaint(entry.text, new ScpdError('NOT_A_REGULAR_FILE')));
  }

  async #enter(entry: Entry): Promise<void> {
    const listed = await attempt(this.#options, async () => {
      if (this.#directories.length === scpDepthMax)
        throw new ScpdError('NAME_TOO_LONG', 'too many directories');
      return await this.#files.list(entry.path);
    });
    if (!listed.ok) return await this.#warn(complaint(entry.text, listed.error));
    // Remembered first, so that its listing is closed whatever happens.
    this.#directories.push({ entry, listing: new SortedListing(listed.value) });
    const record = (): Buffer => this.#source.directory({ mode: entry.attributes.mode, name: entry.name });
    if ((await this.#announce(entry.attributes, record)) === 'yes') return;
    this.#directories.pop();
    await listed.value.close();
  }

  async #sendFile(entry: Entry): Promise<void> {
    const opened = await attempt(this.#options, () => this.#files.download(entry.path));
    if (!opened.ok) return await this.#warn(complaint(entry.text, opened.error));
    const download = opened.value;
    try {
      const reason = await this.#sendOpenFile(entry, download);
      if (reason !== undefined) await download.abort(reason);
    } catch (error) {
      await download.abort(errorCode(error));
      throw error;
    }
  }

  /** Returns why the download is to be aborted, if it is. */
  async #sendOpenFile({ text, name }: Entry, download: Download): Promise<ErrorCode | undefined> {
    const found = await attempt(this.#options, () => download.attributes());
    if (!found.ok) {
      await this.#warn(complaint(text, found.error));
      return found.error.code;
    }
    const { mode, sizeBytes } = found.value;
    const record = (): Buffer => this.#source.file({ mode, name }, sizeBytes);
    if ((await this.#announce(found.value, record)) !== 'yes') return 'CLIENT_FAILED';

    const problem = await this.#sendBytes(download, sizeBytes);
    if (problem !== undefined) this.#hasFailed = true;
    await this.#channel.write(this.#source.fileEnd(problem && aboutPath(text, problem.words)));
    const taken = await this.#taken(true);
    if (problem !== undefined) return problem.code;
    if (taken === 'no') return 'CLIENT_FAILED';
    return await this.#finish(download, taken === 'yes' ? 'verified' : 'closed');
  }

  async #finish(download: Download, verdict: 'verified' | 'closed'): Promise<undefined> {
    const finished = await attempt(this.#options, () => download.finish(verdict));
    if (!finished.ok) this.#fail();
  }

  /** T if times are wanted, then the C or D record; each waits for the client's answer. */
  async #announce(attributes: Attributes, record: () => Buffer): Promise<Taken> {
    if (this.#command.preserve) {
      await this.#channel.write(this.#source.times(attributes));
      const taken = await this.#taken();
      if (taken !== 'yes') return taken;
    }
    await this.#channel.write(record());
    return await this.#taken();
  }

  /** Exactly `sizeBytes` bytes; zeros where the file has none any more, for both sides count on them. */
  async #sendBytes(download: Download, sizeBytes: number): Promise<Problem | undefined> {
    let offset = 0;
    let ahead = this.#readBlock(download, { offset, sizeBytes });
    while (offset < sizeBytes) {
      const block = await ahead;
      const bytes = block.ok ? block.value : Buffer.alloc(0);
      const wantedBytes = Math.min(blockBytes, sizeBytes - offset);
      offset += bytes.length;
      if (bytes.length < wantedBytes) {
        await this.#channel.write(bytes);
        await this.#sendZeros(sizeBytes - offset);
        return block.ok ? changedSize : { code: block.error.code, words: clientWords(block.error) };
      }
      ahead = this.#readBlock(download, { offset, sizeBytes });
      // If the client is gone, nobody waits for this block any more.
      ahead.catch(() => undefined);
      await this.#channel.write(bytes);
      blocks.giveBack(bytes);
    }
    return undefined;
  }

  async #readBlock(
    download: Download,
    { offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number },
  ): Promise<Attempted<Buffer>> {
    const lengthBytes = Math.min(blockBytes, sizeBytes - offset);
    if (lengthBytes === 0) return { ok: true, value: Buffer.alloc(0) };
    return await attempt(this.#options, () => download.read(offset, lengthBytes));
  }

  async #sendZeros(lengthBytes: number): Promise<void> {
    for (let rest = lengthBytes; rest > 0; rest -= blockBytes) {
      await this.#channel.write(rest < blockBytes ? zeros.subarray(0, rest) : zeros);
    }
  }

  /**
   * Waits for the answer to the last record. An error in it has been shown to its user by the client.
   * @param mayBeGone whether a client that ends its input here may have all that it wanted
   */
  async #taken(mayBeGone = false): Promise<Taken> {
    for (;;) {
      const answer = this.#source.answer();
      if (answer?.kind === 'ok') return 'yes';
      if (answer !== undefined) {
        this.#fail();
        this.#isGone = answer.fatal;
        return 'no';
      }
      const { done, value } = await this.#input.next();
      if (done === true) {
        this.#isGone = true;
        if (!mayBeGone) this.#fail();
        return 'gone';
      }
      this.#source.push(value);
    }
  }

  async #warn(words: string): Promise<void> {
    this.#fail();
    await this.#channel.write(this.#source.warning(words));
  }

  #fail(): void {
    this.#hasFailed = true;
  }
}

interface Problem {
  readonly code: ErrorCode;
  readonly words: string;
}

const changedSize: Problem = { code: 'INCOMPLETE', words: 'file changed size' };

/**
 * The last component as the client wrote it, which it compares with what it asked for. Where it wrote no name ("sub/..",
 * "."), that of what it meant; the root has none, and OpenSSH's client refuses the names that scp.c would send for it.
 */
function nameToSend(text: string, path: VirtualPath): string {
  const written = text.slice(text.lastIndexOf('/') + 1);
  if (written !== '' && written !== '.' && written !== '..') return written;
  return baseName(path) || 'root';
}
