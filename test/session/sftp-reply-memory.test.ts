/** Goal: what a READ brought is used again only when it was sent, also where small answers wait to be sent together. */
import t from 'tap';
import { blocks } from '../../src/blocks.ts';
import { blockBytesMin } from '../../src/limits.ts';
import type { SftpReply } from '../../src/protocol/sftp/replies.ts';
import { Pipeline } from '../../src/session/sftp-pipeline.ts';
import { ReplyQueue } from '../../src/session/sftp-reply-queue.ts';
import { MemoryChannel } from '../support/memory-channel.ts';

const headerBytes = 13; // length, type, id, length of the data

/** An answer to a READ, in memory that is used again. */
function answer(value: number, lengthBytes: number): SftpReply {
  return { kind: 'data', data: blocks.take(lengthBytes).fill(value) };
}

for (const lengthBytes of [blockBytesMin, 8 * 1024, 16 * 1024, 200 * 1024]) {
  t.test(`answers of ${lengthBytes} bytes arrive as they were read, while others are read`, async (t) => {
    const channel = new MemoryChannel();
    const pipeline = new Pipeline(new ReplyQueue(channel));
    const done = new AbortController();
    // Whoever reads meanwhile takes any memory that is free, and fills it.
    const others = (async () => {
      while (!done.signal.aborted) {
        blocks.take(lengthBytes).fill(0xff);
        await Promise.resolve();
      }
    })();
    for (let id = 1; id <= 20; id += 1) pipeline.add(id, 1, Promise.resolve(answer(id, lengthBytes)));
    await pipeline.answered();
    done.abort();
    await others;
    const sent = channel.takeAll();
    t.equal(sent.length, 20 * (headerBytes + lengthBytes));
    for (let id = 1; id <= 20; id += 1) {
      const start = (id - 1) * (headerBytes + lengthBytes) + headerBytes;
      t.ok(
        sent.subarray(start, start + lengthBytes).every((byte) => byte === id),
        `answer ${id}`,
      );
    }
  });
}

t.test('what was sent is used again', async (t) => {
  const pipeline = new Pipeline(new ReplyQueue(new MemoryChannel()));
  for (const lengthBytes of [8 * 1024, 200 * 1024]) {
    const reply = answer(1, lengthBytes);
    pipeline.add(1, 1, Promise.resolve(reply));
    await pipeline.answered();
    t.equal(
      reply.kind === 'data' && blocks.take(lengthBytes).buffer,
      reply.kind === 'data' && reply.data.buffer,
    );
  }
});
