/**
 * md5sum and its like: hashes of stored files in the format of GNU coreutils. rclone compares files by them, and first asks
 * for the hash of an empty standard input to see whether they are there.
 */
import { createHash } from 'node:crypto';
import { ScpdError } from '../errors.ts';
import type { HashAlgorithm } from '../guard/files.ts';
import { commandInputBytesMax } from '../limits.ts';
import {
  operandTexts,
  pathIn,
  readParameters,
  tryEach,
  type CommandContext,
  type RunCommand,
} from './command.ts';

const standardInput = '-';

/** `NAME [-b] [FILE...]`, for one algorithm. */
export function hashCommand(name: string, algorithm: HashAlgorithm): RunCommand {
  return async (context, words) => {
    const parameters = await readParameters(context, words, { name, known: ['b', 't', 'binary', 'text'] });
    if (parameters === undefined) return 1;
    const texts = await operandTexts(context, name, parameters.operands);
    if (texts === undefined) return 1;
    const mark = parameters.flags.has('b') || parameters.flags.has('binary') ? '*' : ' ';
    let status = 0;
    for (const text of texts.length === 0 ? [standardInput] : texts) {
      const done = await tryEach(context, `${name}: ${text}`, async () => {
        const digest = await digestOf(context, text, algorithm);
        await context.output.print(hashLine(digest, mark, text));
      });
      if (!done) status = 1;
    }
    return status;
  };
}

async function digestOf(context: CommandContext, text: string, algorithm: HashAlgorithm): Promise<Buffer> {
  if (text === standardInput) return await inputDigest(context.input, algorithm);
  const path = pathIn(context.directory, text);
  // What a directory answers differs from one system to the next; coreutils has words for it.
  const { kind } = await context.files.stat(path, { follow: true });
  if (kind === 'directory') throw new ScpdError('IS_A_DIRECTORY');
  return await context.files.hash(path, { algorithm });
}

async function inputDigest(input: AsyncIterable<Buffer>, algorithm: HashAlgorithm): Promise<Buffer> {
  const hash = createHash(algorithm);
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > commandInputBytesMax) throw new ScpdError('FILE_TOO_LARGE', 'standard input');
    hash.update(chunk);
  }
  return hash.digest();
}

/** A name with a backslash or a line end is escaped, and the line says so with a backslash of its own. */
function hashLine(digest: Buffer, mark: string, name: string): string {
  const escaped = name.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `${escaped === name ? '' : '\\'}${digest.toString('hex')} ${mark}${escaped}\n`;
}
