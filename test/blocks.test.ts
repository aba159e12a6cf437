/** Goal: memory is used again, never by two at a time, and never without end. */
import t from 'tap';
import { Blocks } from '../src/blocks.ts';
import { blockBytes, blockBytesMin, blocksKeptBytesMax, smallBlockBytes } from '../src/limits.ts';

t.test('what was given back is given out again, and nothing else is', async (t) => {
  const blocks = new Blocks();
  const [one, other] = [blocks.take(blockBytes), blocks.take(blockBytes - 1)];
  t.not(one.buffer, other.buffer);
  t.equal(other.length, blockBytes - 1);
  blocks.giveBack(one);
  t.equal(blocks.take(smallBlockBytes + 1).buffer, one.buffer);
  t.not(blocks.take(blockBytes).buffer, one.buffer);
});

t.test('a slice gives its block back, and that once', async (t) => {
  const blocks = new Blocks();
  const block = blocks.take(blockBytes);
  blocks.giveBack(block.subarray(10, 20));
  blocks.giveBack(block);
  const [first, second] = [blocks.take(blockBytes), blocks.take(blockBytes)];
  t.equal(first.buffer, block.buffer);
  t.equal(first.length, blockBytes);
  t.not(second.buffer, block.buffer);
});

t.test(
  'what is too small or too large for a block is memory of its own, and so is what others have made',
  async (t) => {
    const blocks = new Blocks();
    for (const lengthBytes of [0, 1, blockBytesMin - 1, blockBytes + 1]) {
      const bytes = blocks.take(lengthBytes);
      t.equal(bytes.length, lengthBytes);
      blocks.giveBack(bytes);
      t.not(blocks.take(blockBytes).buffer, bytes.buffer);
    }
    const foreign = Buffer.alloc(blockBytes);
    blocks.giveBack(foreign);
    t.not(blocks.take(blockBytes).buffer, foreign.buffer);
  },
);

t.test('small blocks are apart from large ones', async (t) => {
  const blocks = new Blocks();
  const [small, large] = [blocks.take(blockBytesMin), blocks.take(smallBlockBytes + 1)];
  t.equal(small.buffer.byteLength, smallBlockBytes);
  for (const block of [small, large]) blocks.giveBack(block);
  t.equal(blocks.take(blockBytes).buffer, large.buffer);
  t.equal(blocks.take(smallBlockBytes).buffer, small.buffer);
});

t.test('no more is kept than the limit says', async (t) => {
  const blocks = new Blocks();
  const keptMax = blocksKeptBytesMax / blockBytes;
  const taken = Array.from({ length: keptMax + 1 }, () => blocks.take(blockBytes));
  for (const block of taken) blocks.giveBack(block);
  const known = new Set(taken.map(({ buffer }) => buffer));
  const again = Array.from({ length: keptMax + 1 }, () => blocks.take(blockBytes));
  t.equal(again.filter(({ buffer }) => known.has(buffer)).length, keptMax);
});
