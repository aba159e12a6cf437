/** A client program in a real terminal, by node-pty. */
import type { Test } from 'tap';
import type * as nodePty from 'node-pty';
import { setTimeout as pause } from 'node:timers/promises';

const quietMs = 250;

export interface Terminal {
  /** Everything that appeared so far, with the terminal's control sequences. */
  readonly shown: string;
  /** Resolves with the exit status when the program ended and what it had printed is there. */
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
  let shownAtMs = 0;
  terminal.onData((text) => {
    shown += text;
    shownAtMs = performance.now();
  });
  const exited = new Promise<number>((resolve) =>
    terminal.onExit(({ exitCode, signal }) => {
      ended = true;
      resolve(signal === undefined || signal === 0 ? exitCode : 128 + signal);
    }),
  );
  // The end is told by the kernel, and may overtake the last words.
  const status = exited.then(async (code) => {
    const endedAtMs = performance.now();
    while (performance.now() - Math.max(endedAtMs, shownAtMs) < quietMs) await pause(quietMs / 5);
    return code;
  });
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
