/** Goal: nobody gets an id twice, however many are drawn. */
import t from 'tap';
import { newId } from '../src/ids.ts';

t.test('ids of version 7, all different, across many draws of random bytes', async (t) => {
  const beganMs = Date.now();
  const ids = Array.from({ length: 5000 }, newId);
  t.equal(
    new Set(ids.map((id) => id.slice(-12))).size,
    ids.length,
    'what is by chance differs, not only the time',
  );
  for (const id of ids) {
    const timeMs = Number.parseInt(id.replace('-', '').slice(0, 12), 16);
    const isSound = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u.test(id);
    if (!isSound || timeMs < beganMs || timeMs > Date.now()) t.fail(id);
  }
});
