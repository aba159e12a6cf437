/**
 * What the companion commands have in common: where they read and write, how they name files, and how they take options
 * and complain. Each obeys the user's rules because it has nothing but `Files` to reach a file by.
 */
import { clientWords } from '../errors.ts';
import type { Files } from '../guard/files.ts';
import { virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { commandOutputBytes } from '../limits.ts';
import { encodeName } from '../name-bytes.ts';
import type { CommandPath } from '../protocol/command/parse-command.ts';
import type { Channel } from './channel.ts';
import { GlobExpansion } from './glob-expansion.ts';
import { attempt, type ScpOptions } from './scp-attempt.ts';

/** What a command has to work with. */
export interface CommandContext {
  readonly files: Files;
  readonly userName: string;
  /** Standard input. */
  readonly input: AsyncIterable<Buffer>;
  readonly output: CommandOutput;
  readonly options: ScpOptions;
  /** Where relative names start. `cd` changes it. */
  directory: VirtualPath;
}

/** Runs one command; returns its exit status. Throws what is no failed attempt on `Files`. */
export type RunCommand = (context: CommandContext, parameters: readonly CommandPath[]) => Promise<number>;

/** The path of a name as a command got it. Throws `ScpdError`. */
export function pathIn(directory: VirtualPath, text: string): VirtualPath {
  return virtualPath(text.startsWith('/') ? text : `${directory}/${text}`);
}

/** Standard output, collected into larger pieces, and standard error, in order with each other. */
export class CommandOutput {
  readonly #channel: Channel;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Text as `decodeName` makes it; the client gets the bytes. */
  async print(text: string): Promise<void> {
    const bytes = encodeName(text);
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= commandOutputBytes) await this.flush();
  }

  async complain(line: string): Promise<void> {
    await this.flush();
    await this.#channel.writeError(line);
  }

  async flush(): Promise<void> {
    if (this.#bytes === 0) return;
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    await this.#channel.write(bytes);
  }
}

/** The options and the operands of a command. */
export interface Parameters {
  /** Letters, and long options without their dashes. */
  readonly flags: ReadonlySet<string>;
  readonly operands: readonly CommandPath[];
}

/** Reads options wherever they stand, as GNU's programs do; undefined (and a complaint) if one is not `known`. */
export async function readParameters(
  context: CommandContext,
  words: readonly CommandPath[],
  { name, known }: { readonly name: string; readonly known: readonly string[] },
): Promise<Parameters | undefined> {
  const flags = new Set<string>();
  const operands: CommandPath[] = [];
  for (const [index, word] of words.entries()) {
    if (word.text === '--') {
      operands.push(...words.slice(index + 1));
      break;
    }
    if (!word.text.startsWith('-') || word.text === '-') {
      operands.push(word);
      continue;
    }
    const isLong = word.text.startsWith('--');
    for (const flag of isLong ? [word.text.slice(2)] : word.text.slice(1)) {
      if (!known.includes(flag)) {
        await context.output.complain(`${name}: option ${isLong ? '--' : '-'}${flag} is not available`);
        return undefined;
      }
      flags.add(flag);
    }
  }
  return { flags, operands };
}

/** What the operands mean, patterns included; undefined (and a complaint) if they are too many. */
export async function operandTexts(
  context: CommandContext,
  name: string,
  operands: readonly CommandPath[],
): Promise<readonly string[] | undefined> {
  const globs = new GlobExpansion(context.files, context.directory);
  const found = await attempt(context.options, async () => {
    const texts: string[] = [];
    for (const operand of operands) texts.push(...(await globs.expand(operand)));
    return texts;
  });
  if (found.ok) return found.value;
  await context.output.complain(`${name}: ${clientWords(found.error)}`);
  return undefined;
}

/** Does something with one file; what fails is told and the command goes on. True if it did not fail. */
export async function tryEach(
  context: CommandContext,
  complaint: string,
  act: () => Promise<void>,
): Promise<boolean> {
  const done = await attempt(context.options, act);
  if (!done.ok) await context.output.complain(`${complaint}: ${clientWords(done.error)}`);
  return done.ok;
}
