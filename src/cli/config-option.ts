/** The option `--config`, which several commands share, and how they all report a configuration that can't be used. */
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { CommandOptions } from './command.ts';
import { printProblem } from './output.ts';

export const configOption = {
  config: { value: 'FILE', summary: 'the configuration', default: 'config/scpd.json' },
} as const satisfies CommandOptions;

/** The configuration, or undefined after its problems were printed, or reported in another way. */
export async function loadReported(
  path: string,
  report: (problems: readonly string[]) => void | Promise<void> = printAll,
): Promise<Config | undefined> {
  try {
    return await loadConfig(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    await report(error.problems);
    return undefined;
  }
}

function printAll(problems: readonly string[]): void {
  for (const problem of problems) printProblem(problem);
}
