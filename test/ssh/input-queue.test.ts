/** Goal: a session gets the client's bytes in order, and memory is bounded by bytes however they were cut. */
import t from 'tap';
import { blockBytes } from '../../src/limits.ts';
import { InputQueue } from '../../src/ssh/input-queue.ts';
import { pattern } from '../support/ssh-harness.ts';

t.test('any cut of the bytes gives the same bytes', async (t) => {
  const bytes = pattern(60_000);
  for (const size of [1, 7, 4095, 4096, 16_384, 16_385, 60_000]) {
    for (const readsBetween of [0, 1, 3]) {
      let taken = 0;
      const queue = new InputQueue((count) => (taken += count));
      const iterator = queue[Symbol.asyncIterator]();
      const got: Buffer[] = [];
      let pieces = 0;
      for (let offset = 0; offset < bytes.length; offset += size) {
        queue.push(bytes.subarray(offset, offset + size));
        pieces += 1;
        if (readsBetween > 0 && pieces % readsBetween === 0) {
          const { value } = await iterator.next();
          if (value !== undefined) got.push(Buffer.from(value));
        }
      }
      queue.end();
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
        got.push(next.value);
      if (!Buffer.concat(got).equals(bytes)) t.fail(`pieces of ${size}, ${readsBetween} reads between`);
      if (taken !== bytes.length) t.fail(`${taken} bytes were counted`);
    }
  }
  t.pass('as many as went in');
});

t.test('what was pushed and what was handed out do not change when more comes', async (t) => {
  const queue = new InputQueue(() => undefined);
  const pushed = Buffer.from('first');
  queue.push(pushed);
  pushed.fill(0);
  const iterator = queue[Symbol.asyncIterator]();
  const first = await iterator.next();
  for (let count = 0; count < 100_000; count += 1) queue.push(Buffer.from('other'));
  t.equal(first.value?.toString(), 'first');
});

t.test('while the session is busy, small pieces become large ones', async (t) => {
  const queue = new InputQueue(() => undefined);
  for (let count = 0; count < blockBytes + 1; count += 1) queue.push(Buffer.of(1));
  t.ok(queue.hasArrived);
  queue.end();
  const lengths: number[] = [];
  for await (const block of queue) lengths.push(block.length);
  t.strictSame(lengths, [blockBytes, 1]);
  t.notOk(queue.hasArrived);
});

t.test('memory is used again once the next piece is asked for', async (t) => {
  const queue = new InputQueue(() => undefined);
  const iterator = queue[Symbol.asyncIterator]();
  const memory = new Set<unknown>();
  for (let count = 0; count < 100; count += 1) {
    queue.push(Buffer.alloc(blockBytes, count));
    const { value } = await iterator.next();
    if (value?.every((byte) => byte === count) !== true) t.fail(`piece ${count}`);
    memory.add(value?.buffer);
  }
  t.ok(memory.size <= 2, `${memory.size} pieces of memory`);
});

t.test('a reader that waits is served at once', async (t) => {
  const queue = new InputQueue(() => undefined);
  const iterator = queue[Symbol.asyncIterator]();
  const next = iterator.next();
  t.ok(queue.isAwaited);
  queue.push(Buffer.from('x'));
  t.notOk(queue.isAwaited);
  t.equal((await next).value?.toString(), 'x');
});

t.test('lost after data: first the data, then the loss', async (t) => {
  const queue = new InputQueue(() => undefined);
  queue.push(Buffer.from('x'));
  queue.lose();
  queue.end();
  const iterator = queue[Symbol.asyncIterator]();
  t.equal((await iterator.next()).value?.toString(), 'x');
  await t.rejects(iterator.next(), { name: 'ScpdError', code: 'CONNECTION_LOST' });
});

t.test('an end stays an end, and leaving the loop drops the rest', async (t) => {
  const ended = new InputQueue(() => undefined);
  ended.end();
  ended.lose();
  ended.push(Buffer.from('late'));
  t.equal((await ended[Symbol.asyncIterator]().next()).done, true);
  let taken = 0;
  const left = new InputQueue((count) => (taken += count));
  left.push(Buffer.alloc(blockBytes));
  left.push(Buffer.alloc(5000));
  for await (const block of left) if (block.length > 0) break;
  left.push(Buffer.alloc(5000));
  t.equal(taken, blockBytes);
  t.equal((await left[Symbol.asyncIterator]().next()).done, true);
});
