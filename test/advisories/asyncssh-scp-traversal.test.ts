/**
 * asyncssh 2.23.1 (June 2026): names in the records of a peer could lead out of the target of an scp. Also through a directory
 * that was entered before, and with a backslash, which is a separator elsewhere: here it is part of a name.
 */
import t from 'tap';
import { MemoryFiles } from '../support/memory-files.ts';
import { sendAll } from '../support/scp-client.ts';

t.test('through a directory', async (t) => {
  const files = new MemoryFiles();
  files.putDirectory('/box');
  const { rest, status } = await sendAll(
    'scp -r -t box',
    files,
    'D0755 0 ok\nD0755 0 ..\nD0755 0 ..\nC0644 1 evil\nx\0E\nE\nE\n',
  );
  t.match(rest, /unexpected filename: \.\.\n$/);
  t.equal(status, 1);
  t.equal(files.content('/evil'), undefined);
  t.equal(files.content('/box/evil'), undefined);
});

t.test('a backslash is no separator', async (t) => {
  const files = new MemoryFiles();
  t.equal((await sendAll('scp -t .', files, 'C0644 1 ..\\evil\nx\0')).status, 0);
  t.ok(files.content('/..\\evil'));
});
