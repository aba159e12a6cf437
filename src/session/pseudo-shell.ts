/**
 * The shell that WinSCP's SCP mode needs: it asks for a shell without a terminal, sends lines of one command and an `echo`
 * that marks the end with `$?`, and runs `scp -t` and `scp -f` among them. Here such lines are read and answered by the
 * companion commands (`protocol/command/programs.ts`) and by our own scp; nothing is executed.
 *
 * Only a client that begins with an `echo`, as such programs do, gets it. A person at a terminal, or a script that is piped
 * into ssh, is told that there is no shell, and no line of it is run.
 */
import { clientWords } from '../errors.ts';
import type { Files } from '../guard/files.ts';
import { rootPath } from '../guard/virtual-path.ts';
import { shellFirstLineMs } from '../limits.ts';
import {
  commandOfWords,
  type CommandPath,
  type ParseOptions,
  type ScpSinkCommand,
  type ScpSourceCommand,
} from '../protocol/command/parse-command.ts';
import { commandSequence } from '../protocol/command/sequence.ts';
import { shellWords } from '../protocol/command/shell-words.ts';
import { warningReply } from '../protocol/scp/replies.ts';
import type { Channel } from './channel.ts';
import { CommandOutput, type CommandContext } from './command.ts';
import { runCommand } from './commands.ts';
import type { ScpOptions } from './scp-attempt.ts';
import { runScpSink } from './scp-sink.ts';
import { runScpSource } from './scp-source.ts';
import { ShellInput } from './shell-input.ts';

const notFound = 127; // what sh answers for a command that is not there

export interface PseudoShellRun {
  readonly channel: Channel;
  readonly files: Files;
  readonly options: ScpOptions;
  readonly parse: ParseOptions & { readonly userName: string };
  /** Writes the record of a command that is not in the table. Must not reject. */
  readonly onRefused: (command: string) => Promise<void>;
}

/** The first line that a program sends at once, with the input behind it; undefined if there is none, or no `echo`. */
export async function programBehind(
  channel: Channel,
): Promise<{ readonly firstLine: Buffer; readonly input: ShellInput } | undefined> {
  const input = new ShellInput(channel.input);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), shellFirstLineMs);
  });
  try {
    const firstLine = await Promise.race([input.line(), patience]);
    return firstLine !== undefined && /^echo\s/.test(firstLine.toString('latin1'))
      ? { firstLine, input }
      : undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Serves lines until the client's EOF or `exit`; returns the status of the last command. */
export async function runPseudoShell(
  run: PseudoShellRun,
  { firstLine, input }: { readonly firstLine: Buffer; readonly input: ShellInput },
): Promise<number> {
  const shell = new PseudoShell(run, input);
  for (let line: Buffer | undefined = firstLine; line !== undefined; line = await input.line()) {
    await shell.runLine(line);
    if (shell.hasEnded) break;
  }
  await run.files.settle();
  return shell.status;
}

class PseudoShell {
  readonly #run: PseudoShellRun;
  readonly #input: ShellInput;
  readonly #context: CommandContext;
  #status = 0;
  #hasEnded = false;

  constructor(run: PseudoShellRun, input: ShellInput) {
    this.#run = run;
    this.#input = input;
    this.#context = {
      files: run.files,
      options: run.options,
      userName: run.parse.userName,
      output: new CommandOutput(run.channel),
      // A command such as `md5sum` without a name would wait for an end of input that never comes.
      input: noInput(),
      directory: rootPath,
    };
  }

  get status(): number {
    return this.#status;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  async runLine(line: Buffer): Promise<void> {
    for (const part of commandSequence(line)) {
      if (this.#hasEnded) return;
      const split = shellWords(part, {
        userName: this.#run.parse.userName,
        variable: (name) => (name === '?' ? String(this.#status) : ''),
      });
      if (split.kind === 'refused') await this.#refuse(part.toString(), split.reason);
      else if (split.words.length > 0) await this.#runWords(split.words, part);
    }
    await this.#context.output.flush();
  }

  async #runWords(words: Parameters<typeof commandOfWords>[0], part: Buffer): Promise<void> {
    const command = commandOfWords(words, 'shell', this.#run.parse);
    switch (command.kind) {
      case 'companion':
        if (command.name === 'exit') this.#hasEnded = true;
        else this.#status = await this.#durably(() => runCommand(this.#context, command));
        return;
      case 'scp-sink':
      case 'scp-source':
        this.#status = await this.#runScp(command);
        return;
      case 'scp-refused':
        await this.#run.onRefused(part.toString());
        await this.#context.output.flush();
        await this.#run.channel.write(warningReply(command.words));
        this.#status = 1;
        return;
      case 'sftp-server':
        return await this.#refuse(part.toString(), 'sftp-server is not available in a shell');
      case 'refused':
        return await this.#refuse(part.toString(), command.words);
    }
  }

  async #runScp(command: ScpSinkCommand | ScpSourceCommand): Promise<number> {
    const { channel, files, options } = this.#run;
    await this.#context.output.flush();
    const lent: Channel = {
      input: this.#input.forProgram,
      gone: channel.gone,
      write: (bytes) => channel.write(bytes),
      writeError: (line) => channel.writeError(line),
      finish: (status) => channel.finish(status),
    };
    return command.kind === 'scp-sink'
      ? await runScpSink(lent, files, this.#placed(command), options)
      : await runScpSource(lent, files, this.#sourcesPlaced(command), options);
  }

  #placed(command: ScpSinkCommand): ScpSinkCommand {
    const { text: target, pattern: targetPattern } = this.#absolute({
      text: command.target,
      pattern: command.targetPattern,
    });
    return { ...command, target, targetPattern };
  }

  #sourcesPlaced(command: ScpSourceCommand): ScpSourceCommand {
    return { ...command, sources: command.sources.map((source) => this.#absolute(source)) };
  }

  /** scp knows nothing of a current directory. */
  #absolute(path: CommandPath): CommandPath {
    const { directory } = this.#context;
    if (path.text.startsWith('/') || directory === rootPath) return path;
    const quoted = directory.replaceAll(/[*?[\]{},\\!^:-]/g, '\\$&');
    return { text: `${directory}/${path.text}`, pattern: `${quoted}/${path.pattern}` };
  }

  /** What a command did is on disk when its mark is printed. */
  async #durably(run: () => Promise<number>): Promise<number> {
    const status = await run();
    try {
      await this.#run.files.settle();
      return status;
    } catch (error) {
      this.#run.options.onFault?.(error);
      await this.#context.output.complain(clientWords(error));
      return 1;
    }
  }

  async #refuse(command: string, words: string): Promise<void> {
    await this.#run.onRefused(command);
    await this.#context.output.complain(words);
    this.#status = notFound;
  }
}

async function* noInput(): AsyncGenerator<Buffer> {
  // Ends at once.
}
