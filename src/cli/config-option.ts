/** The option `--config`, which several commands share, and how they all report a configuration that can't be used. */
import { ConfigError } from '../config/config-error.ts';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import type { CommandOptions } from './command.ts';
import { printProblem } from './output.ts';

export const configOption = {
  config: { value: 'FILE', summary: 'the configuration', default: 'config/scpd.json' },
} as const satisfies CommandOptions;

/** The configuration, or undefined after its problems were printed. */
export async function loadReported(path: string): Promise<Config | undefined> {
  try {
    return await loadConfig(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) printProblem(problem);
    return undefined;
  }
}
