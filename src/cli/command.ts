/** What a command is. Each has a file of its own that exports `command`; the table of them stands in `main.ts`. */

/** 0: done, nothing wrong. 1: a problem was found, or the server could not start or failed. 2: wrong usage. */
export type ExitCode = 0 | 1 | 2;

/** An option `--name VALUE`. */
export interface CommandOption {
  /** What stands for the value in the help, such as `FILE`. */
  readonly value: string;
  readonly summary: string;
  /** The value where the option is not given. */
  readonly default: string;
}

/** An option `--name` that has no value. Its value is `yes` where it is given and empty where it is not. */
export interface CommandFlag {
  readonly value?: undefined;
  readonly summary: string;
  /** A letter that does for it, as in `-f`. */
  readonly short?: string;
}

export type CommandOptions = Readonly<Record<string, CommandOption | CommandFlag>>;

/** A word that is no option. Its value is empty where it is not given. */
export interface CommandArgument {
  /** In capitals, as in the help; its value has this name. */
  readonly name: string;
  readonly summary: string;
  /** Whether it must be given. No required one follows one that is not. */
  readonly required: boolean;
}

export interface Command {
  /** What the command does, in a few lines for its help. */
  readonly description: string;
  readonly options: CommandOptions;
  /** In the order in which they are given. */
  readonly arguments?: readonly CommandArgument[];
  /**
   * Runs to the end. What it throws is a fault of ours, but for `UsageError`.
   * @param values one for each of `options` and of `arguments`
   */
  run(values: Readonly<Record<string, string>>): Promise<ExitCode>;
}

/** A row of the table. The command's own code loads only when it is needed. */
export interface CommandEntry {
  readonly name: string;
  /** A few words for the list of commands. */
  readonly summary: string;
  load(): Promise<{ readonly command: Command }>;
}

export type CommandTable = readonly CommandEntry[];
