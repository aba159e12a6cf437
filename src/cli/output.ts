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

/** Asked for late: a worker, which prints nothing, shares them and is not to open them. */
const outputs = (): NodeJS.WriteStream[] => [process.stdout, process.stderr];

/** A reader that goes away early (`scpd --help | head -1`) is not a fault; without this it would end in a stack trace. */
export function tolerateClosedOutput(): void {
  for (const stream of outputs()) stream.on('error', throwOthers);
}

/** The same for a server, which goes on whatever becomes of its output, such as a file on a disk that is full. */
export function tolerateFailingOutput(): void {
  for (const stream of outputs()) stream.on('error', () => undefined).off('error', throwOthers);
}

function throwOthers(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
