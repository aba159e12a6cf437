/**
 * Goal: an attacker with access to the tree, who swaps a directory and a link to outside without pause, never gets a file
 * from outside read or written. Method: another process renames as fast as it can while this one opens and creates.
 * A server that resolves and then opens loses this within a second.
 */
import t, { type Test } from 'tap';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import type { LinkPolicy } from '../../src/storage/walk.ts';

const attacker = `
  const { renameSync } = require('node:fs');
  const [, root] = process.argv;
  process.on('disconnect', () => process.exit());
  const swap = () => {
    for (let i = 0; i < 2000; i += 1) {
      renameSync(root + '/d', root + '/kept'); renameSync(root + '/evil', root + '/d');
      renameSync(root + '/d', root + '/evil'); renameSync(root + '/kept', root + '/d');
    }
    setImmediate(swap);
  };
  process.send('ready');
  swap();
`;

interface Attack {
  readonly symlinks: LinkPolicy;
  /** Where the link leads, which nothing may be read from or written to. */
  readonly target: string;
}

async function withstand(t: Test, { symlinks, target: link }: Attack): Promise<void> {
  const root = join(t.testdir({ outside: { file: 'secret' }, root: { d: { file: 'inside' } } }), 'root');
  symlinkSync(link, join(root, 'evil'));
  mkdirSync(join(root, 'beneath'));
  writeFileSync(join(root, 'beneath', 'file'), 'secret');
  const child = spawn(process.execPath, ['-e', attacker, root], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.teardown(() => child.kill('SIGKILL'));
  await new Promise((resolve) => child.once('message', resolve));

  const store = openDiskStore(root, 'none', { symlinks });
  let [inside, refused] = [0, 0];
  for (let round = 0; round < 3000; round += 1) {
    try {
      const place = await store.locate(virtualPath('/d/file'), { follow: true });
      const file = await place.open().finally(() => place.close());
      const content = (await file.read(0, 10)).toString();
      await file.close();
      if (content !== 'inside') t.fail(`read ${content}`);
      inside += 1;
      const target = await store.locate(virtualPath('/d/new'), { follow: true });
      const staged = await target
        .stage({ keepContent: false, exclusive: false, newFileMode: 0o644 })
        .finally(() => target.close());
      await staged.publish();
    } catch {
      refused += 1; // the name was away, or a link whose target does not exist beneath
    }
  }
  store.close();
  child.kill('SIGKILL');
  await ended;
  t.strictSame(readdirSync(join(root, link)), ['file'], 'nothing was written there');
  t.ok(inside > 0, `the tree was read ${inside} times`);
  t.ok(refused > 0, `the attacker was met ${refused} times`);
}

t.test('a directory swapped for a link that leads outside', async (t) => {
  await withstand(t, { symlinks: 'beneath', target: '../outside' });
});

t.test('where no link is followed: one that leads outside, one that stays beneath', async (t) => {
  await t.test('outside', (t) => withstand(t, { symlinks: 'refuse', target: '../outside' }));
  await t.test('beneath', (t) => withstand(t, { symlinks: 'refuse', target: 'beneath' }));
});
