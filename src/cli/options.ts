/** Reads a command's arguments. Says what is wrong with them in our own words, with a suggestion where one is near. */
import { parseArgs } from 'node:util';
import { didYouMean } from '../config/suggest.ts';
import { printable } from '../name-bytes.ts';
import type { CommandArgument, CommandOptions } from './command.ts';

/** The command line is wrong. `message` is for the operator; the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface ReadOptions {
  /** `--help` or `-h` was among them; the values then don't matter. */
  readonly help: boolean;
  readonly values: Readonly<Record<string, string>>;
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];

/** The value of each option and argument, given or default. Throws `UsageError`. */
export function readOptions(
  words: readonly string[],
  options: CommandOptions,
  expected: readonly CommandArgument[] = [],
): ReadOptions {
  const known = Object.keys(options);
  const { tokens } = parseArgs({
    args: [...words],
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(
        known.map((name) => [name, { type: typeOf(options[name]), ...shortOf(options[name]) }]),
      ),
    },
    strict: false,
    tokens: true,
  });
  if (tokens.some((token) => token.kind === 'option' && token.name === 'help'))
    return { help: true, values: {} };
  const given = new Map<string, string>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional' && positionals.length < expected.length) {
      positionals.push(token.value);
      continue;
    }
    const { name, value } = checkedOption(token, options);
    if (given.has(name)) throw new UsageError(`option --${name} is given twice`);
    given.set(name, value);
  }
  const values = known.map((name) => [name, given.get(name) ?? defaultOf(options[name])]);
  const wordValues = expected.map((argument, index) => [
    argument.name,
    positional(argument, positionals[index]),
  ]);
  return { help: false, values: Object.fromEntries([...values, ...wordValues]) as Record<string, string> };
}

function typeOf(option: CommandOptions[string] | undefined): 'boolean' | 'string' {
  return option?.value === undefined ? 'boolean' : 'string';
}

function shortOf(option: CommandOptions[string] | undefined): { readonly short?: string } {
  return option?.value === undefined && option?.short !== undefined ? { short: option.short } : {};
}

function defaultOf(option: CommandOptions[string] | undefined): string {
  return option?.value === undefined ? '' : option.default;
}

function positional({ name, required }: CommandArgument, given: string | undefined): string {
  if (given === undefined && required) throw new UsageError(`argument ${name} is missing`);
  if (given === '') throw new UsageError(`argument ${name} is empty`);
  return given ?? '';
}

function checkedOption(
  token: Token,
  options: CommandOptions,
): { readonly name: string; readonly value: string } {
  if (token.kind === 'option-terminator') throw new UsageError('unexpected argument "--"');
  if (token.kind === 'positional')
    throw new UsageError(`unexpected argument "${printable(token.value, 60)}"`);
  const known = Object.keys(options);
  if (!known.includes(token.name)) {
    throw new UsageError(`unknown option ${printable(token.rawName, 60)}${suggestion(token.name, known)}`);
  }
  if (options[token.name]?.value === undefined) {
    if (token.value !== undefined) throw new UsageError(`option --${token.name} takes no value`);
    return { name: token.name, value: 'yes' };
  }
  // parseArgs takes the next word whatever it is; a word with a dash is far more often a forgotten value.
  const isForgotten = token.value === undefined || (!token.inlineValue && token.value.startsWith('-'));
  if (isForgotten || token.value === '') throw new UsageError(`option --${token.name} needs a value`);
  return { name: token.name, value: token.value };
}

function suggestion(name: string, known: readonly string[]): string {
  return didYouMean(name, [...known, 'help']).replace('"', '"--');
}
