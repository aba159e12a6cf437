/** cd, mkdir and pwd. */
import { ScpdError, errorCode } from '../errors.ts';
import { componentsOf, fromComponents, rootPath, type VirtualPath } from '../guard/virtual-path.ts';
import {
  operandTexts,
  pathIn,
  readParameters,
  tryEach,
  type CommandContext,
  type RunCommand,
} from './command.ts';

const newDirectoryMode = 0o777; // less the server's umask

export const pwd: RunCommand = async (context) => {
  await context.output.print(`${context.directory}\n`);
  return 0;
};

/** Only a shell has a directory to change. */
export const cd: RunCommand = async (context, words) => {
  const texts = await operandTexts(context, 'cd', words);
  if (texts === undefined) return 1;
  if (texts.length > 1) {
    await context.output.complain('cd: too many arguments');
    return 1;
  }
  const [text = '/'] = texts;
  const done = await tryEach(context, `cd: ${text}`, async () => {
    const path = pathIn(context.directory, text);
    const { kind } = await context.files.stat(path, { follow: true });
    if (kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    context.directory = path;
  });
  return done ? 0 : 1;
};

export const mkdir: RunCommand = async (context, words) => {
  const parameters = await readParameters(context, words, { name: 'mkdir', known: ['p', 'parents'] });
  if (parameters === undefined) return 1;
  const texts = await operandTexts(context, 'mkdir', parameters.operands);
  if (texts === undefined) return 1;
  if (texts.length === 0) {
    await context.output.complain('mkdir: missing operand');
    return 1;
  }
  const withParents = parameters.flags.has('p') || parameters.flags.has('parents');
  let status = 0;
  for (const text of texts) {
    const done = await tryEach(context, `mkdir: cannot create directory '${text}'`, async () => {
      const path = pathIn(context.directory, text);
      if (withParents) await makeAll(context, path);
      else await context.files.makeDirectory(path, newDirectoryMode);
    });
    if (!done) status = 1;
  }
  return status;
};

/** Makes a directory and those above it; what is there already is fine if it is one. */
async function makeAll({ files }: CommandContext, path: VirtualPath): Promise<void> {
  const components = componentsOf(path);
  for (let length = 1; length <= components.length; length += 1) {
    const step = fromComponents(components.slice(0, length));
    if (await isDirectory({ files }, step)) continue;
    await files.makeDirectory(step, newDirectoryMode);
  }
}

/** False if nothing is there; throws if something else is. */
async function isDirectory({ files }: Pick<CommandContext, 'files'>, path: VirtualPath): Promise<boolean> {
  if (path === rootPath) return true;
  try {
    const { kind } = await files.stat(path, { follow: true });
    if (kind !== 'directory') throw new ScpdError('NOT_A_DIRECTORY');
    return true;
  } catch (error) {
    if (errorCode(error) === 'NOT_FOUND') return false;
    throw error;
  }
}
