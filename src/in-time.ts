/** Waits that end, whatever they are for. */

/** Resolves when `done` does, or after this time: whether it was in time. Rejects if `done` does before. */
export async function isDoneInTime(done: Promise<unknown>, msMax: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), msMax)));
  try {
    return await Promise.race([done.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
