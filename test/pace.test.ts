/** Goal: short work is done on the spot, until something is slow. */
import t from 'tap';
import { setTimeout as sleep } from 'node:timers/promises';
import { spotBytesMax, spotRestMs, spotSlowMs, spotTurnMsMax } from '../src/limits.ts';
import { paced } from '../src/pace.ts';

async function where(byteCount: number): Promise<string> {
  return await paced(
    byteCount,
    () => 'spot',
    async () => 'thread',
  );
}

function slowly(): string {
  const until = performance.now() + spotSlowMs + 1;
  while (performance.now() < until);
  return 'spot';
}

t.test('a slow call sends the next ones to threads, for a while', async (t) => {
  t.equal(await where(spotBytesMax), 'spot');
  t.equal(await where(spotBytesMax + 1), 'thread');
  t.equal(await paced(1, slowly, async () => 'thread'), 'spot');
  t.equal(await where(1), 'thread');
  await sleep(spotRestMs + 10);
  t.equal(await where(1), 'spot');
});

t.test('what fails on the spot rejects', async (t) => {
  const failing = paced(
    1,
    () => {
      throw new Error('EIO');
    },
    async () => undefined,
  );
  await t.rejects(failing, { message: 'EIO' });
});

t.test('a long work of short calls lets others have their turn', async (t) => {
  await sleep(spotRestMs + 10);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const busyUntilMs = performance.now() + 20 * spotTurnMsMax;
  const oneMs = (): void => {
    const until = performance.now() + 1;
    while (performance.now() < until);
  };
  const later = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));
  while (performance.now() < busyUntilMs) await paced(1, oneMs, later);
  clearInterval(timer);
  t.ok(turns >= 5, `${turns} turns`);
});
