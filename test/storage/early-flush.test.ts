/** Goal: a flush that fails while an upload comes is told to it, in time and at the end, and the next one's is not in its way. */
import t from 'tap';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { EarlyFlush } from '../../src/storage/early-flush.ts';

const flushBytes = 16 * 1024 * 1024;

t.test('a flush that fails is told', async (t) => {
  const descriptor = openSync('/dev/null', 'w'); // fsync(2): EINVAL for what can't be synced
  t.teardown(() => closeSync(descriptor));
  const failures: unknown[] = [];
  const flush = new EarlyFlush(descriptor, (error) => failures.push(error));
  flush.wrote(flushBytes - 1);
  await flush.ended();
  t.strictSame(failures, [], 'too little to begin');
  flush.wrote(1);
  await t.rejects(flush.ended(), { code: 'STORAGE_FAILED' });
  await t.rejects(flush.ended(), { code: 'STORAGE_FAILED' }, 'as often as it is asked');
  t.match(failures, [{ code: 'STORAGE_FAILED' }]);
});

t.test('another one goes on after it', async (t) => {
  const descriptor = openSync(join(t.testdir({}), 'file'), 'w');
  t.teardown(() => closeSync(descriptor));
  const flush = new EarlyFlush(descriptor, () => t.fail('it works'));
  for (let round = 0; round < 3; round += 1) {
    flush.wrote(flushBytes);
    await flush.ended();
  }
});
