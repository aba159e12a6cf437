/** The two ways to tell the operator something. Results go to standard output, problems to standard error. */

/** Writes a line to standard output. */
export function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The same for very many lines: waits where the reader is slower than we are. */
export async function printSlowly(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`) || process.stdout.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = (): void => {
      process.stdout.off('drain', go).off('close', go).off('error', go);
      resolve();
    };
    process.stdout.on('drain', go).on('close', go).on('error', go);
  });
}

/** Writes a line to standard error. */
export function printProblem(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** A reader that goes away early (`scpd --help | head -1`) is not a fault; without this it would end in a stack trace. */
export function tolerateClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
