/** A client program in a real terminal, by node-pty. */
import type { Test } from 'tap';
import type * as nodePty from 'node-pty';

export interface Terminal {
  /** Everything that appeared so far, with the terminal's control sequences. */
  readonly shown: string;
  /** Resolves with the exit status when the program ended. */
  readonly status: Promise<number>;
  type(keys: string): void;
}

async function loadPty(): Promise<typeof nodePty | undefined> {
  try {
    return await import('node-pty');
  } catch {
    return undefined; // optional: it needs a compiler where no binary is shipped
  }
}

const pty = await loadPty();

/** For tap's `skip`; in CI a missing node-pty is a failure. */
export const terminalMissing: string | false =
  pty === undefined && process.env['CI'] !== 'true' ? 'node-pty is not built' : false;

/** Starts a program in an 120×30 terminal. It is ended with the test. */
export async function openTerminal(
  t: Test,
  program: string,
  parameters: readonly string[],
): Promise<Terminal> {
  if (pty === undefined) throw new Error('node-pty is not built');
  const terminal = pty.spawn(program, [...parameters], { cols: 120, rows: 30 });
  let shown = '';
  let ended = false;
  terminal.onData((text) => (shown += text));
  const status = new Promise<number>((resolve) =>
    terminal.onExit(({ exitCode, signal }) => {
      ended = true;
      resolve(signal === undefined || signal === 0 ? exitCode : 128 + signal);
    }),
  );
  t.teardown(() => {
    if (!ended) terminal.kill('SIGKILL');
  });
  return {
    get shown() {
      return shown;
    },
    status,
    type: (keys) => terminal.write(keys),
  };
}
