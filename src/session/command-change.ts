/** rm, mv, cp, ln, chmod, and chown and chgrp, which are refused: what WinSCP uses in the shell of its SCP mode. */
import { errorCode } from '../errors.ts';
import { baseName, childPath, rootPath, type VirtualPath } from '../guard/virtual-path.ts';
import { modeChange } from '../protocol/command/mode-change.ts';
import { copyTree, forTree, removeTree } from './command-tree.ts';
import {
  operandTexts,
  pathIn,
  readParameters,
  tryEach,
  type CommandContext,
  type RunCommand,
} from './command.ts';
import { look } from './scp-target.ts';

export const rm: RunCommand = async (context, words) => {
  const parameters = await readParameters(context, words, { name: 'rm', known: ['f', 'r', 'R'] });
  const texts = parameters && (await operandTexts(context, 'rm', parameters.operands));
  if (parameters === undefined || texts === undefined) return 1;
  const { flags } = parameters;
  const isRecursive = flags.has('r') || flags.has('R');
  let status = 0;
  for (const text of texts) {
    const done = await tryEach(context, `rm: cannot remove '${text}'`, async () => {
      try {
        const path = pathIn(context.directory, text);
        if (isRecursive) await removeTree(context.files, path);
        else await context.files.remove(path);
      } catch (error) {
        if (!flags.has('f') || errorCode(error) !== 'NOT_FOUND') throw error;
      }
    });
    if (!done) status = 1;
  }
  return status;
};

export const mv: RunCommand = async (context, words) => {
  const pair = await readPair(context, words, { name: 'mv', known: ['f', 'T'] });
  if (pair === undefined) return 1;
  const { from, to, flags } = pair;
  const done = await tryEach(context, `mv: cannot move '${from}' to '${to}'`, async () => {
    const source = pathIn(context.directory, from);
    const target = await placeFor(context, source, { to, asNamed: flags.has('T') });
    await context.files.rename(source, target, { replace: true });
  });
  return done ? 0 : 1;
};

export const cp: RunCommand = async (context, words) => {
  const pair = await readPair(context, words, { name: 'cp', known: ['p', 'r', 'R', 'f', 'T'] });
  if (pair === undefined) return 1;
  const { from, to, flags } = pair;
  const done = await tryEach(context, `cp: cannot copy '${from}' to '${to}'`, async () => {
    const source = pathIn(context.directory, from);
    const target = await placeFor(context, source, { to, asNamed: flags.has('T') });
    await copyTree(context.files, source, { to: target, recursive: flags.has('r') || flags.has('R') });
  });
  return done ? 0 : 1;
};

export const ln: RunCommand = async (context, words) => {
  const pair = await readPair(context, words, { name: 'ln', known: ['s'] });
  if (pair === undefined) return 1;
  const { from, to, flags } = pair;
  const done = await tryEach(context, `ln: cannot make link '${to}'`, async () => {
    const path = pathIn(context.directory, to);
    if (flags.has('s')) await context.files.makeLink(path, from);
    else await context.files.makeHardLink(pathIn(context.directory, from), path);
  });
  return done ? 0 : 1;
};

export const chmod: RunCommand = async (context, words) => {
  // A mode such as "-w" looks like an option; WinSCP never sends one.
  const parameters = await readParameters(context, words, { name: 'chmod', known: ['R'] });
  const [mode, ...operands] = parameters?.operands ?? [];
  const change = modeChange(mode?.text ?? '');
  if (parameters === undefined || change === undefined) {
    if (parameters !== undefined) await context.output.complain(`chmod: invalid mode: '${mode?.text ?? ''}'`);
    return 1;
  }
  const texts = await operandTexts(context, 'chmod', operands);
  let status = texts === undefined ? 1 : 0;
  for (const text of texts ?? []) {
    const done = await tryEach(context, `chmod: changing permissions of '${text}'`, async () => {
      const path = pathIn(context.directory, text);
      if (parameters.flags.has('R')) {
        await forTree(context.files, path, async (at, { mode: now, kind }) => {
          await context.files.setAttributes(
            at,
            { mode: change(now, kind === 'directory') },
            { follow: false },
          );
        });
      } else {
        const { mode: now, kind } = await context.files.stat(path, { follow: true });
        await context.files.setAttributes(
          path,
          { mode: change(now, kind === 'directory') },
          { follow: true },
        );
      }
    });
    if (!done) status = 1;
  }
  return status;
};

/** Owners and groups are the daemon's; to say that it was done would be a lie. */
export const chown: RunCommand = async (context) => {
  await context.output.complain('chown: changing ownership: Operation not permitted');
  return 1;
};

export const chgrp: RunCommand = async (context) => {
  await context.output.complain('chgrp: changing group: Operation not permitted');
  return 1;
};

interface Pair {
  readonly flags: ReadonlySet<string>;
  readonly from: string;
  readonly to: string;
}

async function readPair(
  context: CommandContext,
  words: Parameters<RunCommand>[1],
  command: { readonly name: string; readonly known: readonly string[] },
): Promise<Pair | undefined> {
  const parameters = await readParameters(context, words, command);
  const texts = parameters && (await operandTexts(context, command.name, parameters.operands));
  if (parameters === undefined || texts === undefined) return undefined;
  const [from, to] = texts;
  if (from !== undefined && to !== undefined && texts.length === 2) {
    return { flags: parameters.flags, from, to };
  }
  await context.output.complain(`${command.name}: expected two names`);
  return undefined;
}

/** What `to` means: into it, if it is a directory and that is not ruled out. */
async function placeFor(
  { files, directory }: CommandContext,
  source: VirtualPath,
  { to, asNamed }: { readonly to: string; readonly asNamed: boolean },
): Promise<VirtualPath> {
  const path = pathIn(directory, to);
  if (asNamed) return path;
  const isDirectory = path === rootPath || (await look(files, path))?.kind === 'directory';
  return isDirectory ? childPath(path, baseName(source)) : path;
}
