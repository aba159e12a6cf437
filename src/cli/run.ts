/** From the words of a command line to an exit code: help, version, or one of the commands. */
import { readFileSync } from 'node:fs';
import { didYouMean } from '../config/suggest.ts';
import { printable } from '../name-bytes.ts';
import type { Command, CommandEntry, CommandTable, ExitCode } from './command.ts';
import { readOptions, UsageError } from './options.ts';
import { printLine, printProblem, tolerateClosedOutput } from './output.ts';

const exitCodesHelp = `Exit codes:
  0  done, nothing wrong
  1  a problem was found, or the server could not start or failed
  2  wrong usage`;

/** Runs one command line. Never rejects. @param words without the program's name */
export async function run(words: readonly string[], commands: CommandTable): Promise<ExitCode> {
  tolerateClosedOutput();
  const { first, rest } = splitWords(words, commands);
  try {
    if (first === '--help' || first === '-h') {
      printLine(globalHelp(commands));
      return 0;
    }
    if (first === '--version') {
      printLine(`scpd ${version()}`);
      return 0;
    }
    if (first === undefined) {
      printProblem(globalHelp(commands));
      return 2;
    }
    return await runCommand(findCommand(first, commands), rest);
  } catch (error) {
    if (error instanceof UsageError) {
      printProblem(`scpd: ${error.message}`);
      return 2;
    }
    // No foreseen problem gets here: each command reports its own.
    printProblem(`scpd: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return 1;
  }
}

/** The name of the command, which may have two words such as "audit verify", and what follows it. */
function splitWords(
  words: readonly string[],
  commands: CommandTable,
): { readonly first: string | undefined; readonly rest: readonly string[] } {
  const [first, second, ...more] = words;
  const isGroup = commands.some(({ name }) => name.startsWith(`${first} `));
  if (!isGroup || second === undefined || second.startsWith('-')) return { first, rest: words.slice(1) };
  return { first: `${first} ${second}`, rest: more };
}

/** The version of this program, such as `0.1.0`. */
export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

function findCommand(word: string, commands: CommandTable): CommandEntry {
  const found = commands.find(({ name }) => name === word);
  if (found !== undefined) return found;
  const shown = printable(word, 60);
  if (word.startsWith('-')) {
    const suggestion = didYouMean(word, ['--help', '--version']);
    throw new UsageError(
      `unknown option ${shown}${suggestion}\nRun "scpd --help" for the commands and options.`,
    );
  }
  const suggestion = didYouMean(
    word,
    commands.map(({ name }) => name),
  );
  throw new UsageError(
    `unknown command "${shown}"${suggestion}\nRun "scpd --help" for the list of commands.`,
  );
}

async function runCommand(entry: CommandEntry, words: readonly string[]): Promise<ExitCode> {
  const { command } = await entry.load();
  try {
    const { help, values } = readOptions(words, command.options, command.arguments);
    if (!help) return await command.run(values);
    printLine(commandHelp(entry, command));
    return 0;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message}\nRun "scpd ${entry.name} --help" for its options.`, {
      cause: error,
    });
  }
}

function globalHelp(commands: CommandTable): string {
  const rows = commands.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}`).join('\n');
  return `scpd ${version()}: a server that receives files from standard scp and sftp clients

Usage: scpd COMMAND [OPTIONS]
       scpd COMMAND --help | --help | --version

Commands:
${rows}

${exitCodesHelp}`;
}

function defaultWords(value: string): string {
  return value === '' ? '' : ` (default: ${value})`;
}

function commandHelp({ name, summary }: CommandEntry, command: Command): string {
  const { description, options, arguments: words = [] } = command;
  const rows = Object.entries(options).map(([option, facts]) => {
    if (facts.value === undefined) return `  ${`--${option}`.padEnd(16)}${facts.summary}`;
    return `  ${`--${option} ${facts.value}`.padEnd(16)}${facts.summary}${defaultWords(facts.default)}`;
  });
  const usage = [
    ...words.map((word) => (word.required ? ` ${word.name}` : ` [${word.name}]`)),
    ...Object.entries(options).map(([option, { value }]) =>
      value === undefined ? ` [--${option}]` : ` [--${option} ${value}]`,
    ),
  ];
  const wordRows = words.map((word) => `  ${word.name.padEnd(16)}${word.summary}`);
  const argumentsHelp = words.length === 0 ? '' : `\nArguments:\n${wordRows.join('\n')}\n`;
  return `scpd ${name}: ${summary}

Usage: scpd ${name}${usage.join('')}

${description}
${argumentsHelp}
Options:
${rows.join('\n')}
  ${'-h, --help'.padEnd(16)}show this help

${exitCodesHelp}`;
}
