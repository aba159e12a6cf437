/** How a command reaches a running server, and what it says if there is none. */
import { controlSocketOf } from '../config/control-socket.ts';
import { ConfigError } from '../config/config-error.ts';
import { askControl, type ControlRequest } from '../supervisor/control.ts';
import type { CommandOptions } from './command.ts';
import { configOption } from './config-option.ts';
import { printProblem } from './output.ts';

export const controlOptions = {
  ...configOption,
  json: { summary: 'print JSON, for programs' },
} as const satisfies CommandOptions;

/** The answer; undefined after it was printed why there is none. */
export async function askServer(
  config: string | undefined,
  request: ControlRequest,
): Promise<object | undefined> {
  let socket: string;
  try {
    socket = await controlSocketOf(config ?? configOption.config.default);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) printProblem(problem);
    return undefined;
  }
  try {
    return await askControl(socket, request);
  } catch (error) {
    printProblem(`scpd: ${reason(error, socket)}`);
    return undefined;
  }
}

function reason(error: unknown, socket: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return `no server is running with the control socket ${socket}`;
  if (code === 'EACCES')
    return `the control socket ${socket} may only be used by the user that scpd runs as, and by root`;
  return `the server at ${socket} gave no answer (${code === '' ? String(error) : code})`;
}
