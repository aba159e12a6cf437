/** `scp -f` as a client sees it, against files in memory. */
import t from 'tap';
import { ScpdError } from '../../src/errors.ts';
import type { Attributes, Listing } from '../../src/guard/files.ts';
import type { VirtualPath } from '../../src/guard/virtual-path.ts';
import { scpReadAheadBytes } from '../../src/limits.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient } from '../support/scp-client.ts';

const good = { rest: '', status: 0 };
const bad = { rest: '', status: 1 };

/** Answers yes, and reads a line. */
async function nextLine(client: ScpClient): Promise<string> {
  client.channel.feed('\0');
  return await client.readLine();
}

/** Answers yes, and reads the bytes of a file and the NUL behind. */
async function content(client: ScpClient, lengthBytes: number): Promise<string> {
  client.channel.feed('\0');
  const bytes = await client.read(lengthBytes + 1);
  return bytes.endsWith('\0') ? bytes.slice(0, -1) : `bad end: ${bytes}`;
}

/** All records of a session that is answered yes to everything; a file is shown as its record and content. */
async function transcript(command: string, files: MemoryFiles): Promise<readonly string[]> {
  const client = new ScpClient(command, files);
  const seen: string[] = [];
  client.channel.feed('\0');
  for (;;) {
    let line: string;
    try {
      line = await client.readLine();
    } catch {
      break;
    }
    const size = /^C[0-7]{4} ([0-9]+) /.exec(line)?.[1];
    seen.push(
      size === undefined ? line.trimEnd() : line.trimEnd() + '|' + (await content(client, Number(size))),
    );
    if (!line.startsWith('\x01')) client.channel.feed('\0');
  }
  return [...seen, `exit ${(await client.finished()).status}`];
}

t.test('one file, step by step', async (t) => {
  const files = new MemoryFiles();
  files.put('/sub/a b', 'hello', 0o640);
  const client = new ScpClient("scp -pf 'sub/a b'", files);
  t.equal(client.channel.unreadBytes, 0, 'nothing before the client has spoken');
  t.equal(await nextLine(client), 'T1700000000 0 1700000000 0\n');
  t.equal(await nextLine(client), 'C0640 5 a b\n');
  await new Promise(setImmediate);
  t.equal(client.channel.unreadBytes, 0, 'nothing before the answer to C');
  t.equal(await content(client, 5), 'hello');
  client.channel.feed('\0');
  t.same(await client.finish(), good);
  t.ok(files.journal.includes('finish /sub/a b verified'));
  t.equal(client.channel.writeLengths.at(-1), 1, 'the NUL behind the data is a write of its own');
});

t.test('several sources, an empty file, no times without -p', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', '');
  files.put('/b', 'x');
  t.same(await transcript('scp -f a /b', files), ['C0644 0 a|', 'C0644 1 b|x', 'exit 0']);
});

t.test('what is not there, and a directory without -r', async (t) => {
  const files = new MemoryFiles();
  files.put('/sub/a', 'x');
  t.same(await transcript('scp -f none sub sub/ sub/a', files), [
    '\x01scp: none: No such file or directory',
    '\x01scp: sub: not a regular file',
    '\x01scp: sub: not a regular file',
    'C0644 1 a|x',
    'exit 1',
  ]);
});

t.test('a tree, sorted', async (t) => {
  const files = new MemoryFiles();
  files.put('/top/b', 'B');
  files.put('/top/a/z', 'Z');
  files.put('/top/c', 'C');
  t.same(await transcript('scp -r -f top/', files), [
    'D0755 0 top',
    'D0755 0 a',
    'C0644 1 z|Z',
    'E',
    'C0644 1 b|B',
    'C0644 1 c|C',
    'E',
    'exit 0',
  ]);
  t.equal(files.openCount, 0);
  t.same((await transcript('scp -rp -f top/a', files)).slice(0, 2), [
    'T1700000000 0 1700000000 0',
    'D0755 0 a',
  ]);
});

t.test('a directory is never sent under a name that leads elsewhere', async (t) => {
  const files = new MemoryFiles();
  files.put('/a/b/c', 'x');
  for (const [source, name] of [
    ['.', 'root'],
    ['/', 'root'],
    ['~', 'root'],
    ['a/.', 'a'],
    ['a/b/..', 'a'],
    ['../a', 'a'],
  ] as const) {
    t.equal((await transcript(`scp -r -f ${source}`, files))[0], `D0755 0 ${name}`, source);
  }
});

t.test('a name with a newline is written as vis(3) does, other bytes as they are', async (t) => {
  const files = new MemoryFiles();
  files.put('/d/a\nb', '1');
  files.put('/d/\udcff', '2');
  t.same(await transcript('scp -r -f d', files), [
    'D0755 0 d',
    'C0644 1 a\\^Jb|1',
    'C0644 1 \xff|2',
    'E',
    'exit 0',
  ]);
});

t.test('a client that refuses a file or a directory goes on with the next', async (t) => {
  const files = new MemoryFiles();
  files.put('/d/a', 'x');
  files.put('/e', 'y');
  const client = new ScpClient('scp -r -f e d e', files);
  t.equal(await nextLine(client), 'C0644 1 e\n');
  client.channel.feed('\x01scp: e: Permission denied\n');
  t.equal(await client.readLine(), 'D0755 0 d\n');
  client.channel.feed('\x01scp: d: Permission denied\n');
  t.equal(await client.readLine(), 'C0644 1 e\n');
  t.equal(await content(client, 1), 'y');
  client.channel.feed('\x01scp: e: No space left on device\n');
  t.same(await client.finish(), bad);
  t.same(
    files.journal.filter((line) => line.startsWith('abort')),
    ['abort /e CLIENT_FAILED', 'abort /e CLIENT_FAILED'],
  );
  t.equal(files.openCount, 0);
});

t.test('a client that gives up', async (t) => {
  const files = new MemoryFiles();
  files.put('/d/a', 'x');
  const client = new ScpClient('scp -r -f d d', files);
  t.equal(await nextLine(client), 'D0755 0 d\n');
  t.equal(await nextLine(client), 'C0644 1 a\n');
  client.channel.feed('\x02scp: bye\n');
  t.same(await client.finished(), bad);
  t.ok(files.journal.includes('abort /d/a CLIENT_FAILED'));
  t.equal(files.openCount, 0);
});

t.test('a client that ends its input: at the very end that is fine, elsewhere it is not', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', 'x');
  const content1 = async (command: string): Promise<ScpClient> => {
    const client = new ScpClient(command, files);
    await nextLine(client);
    await content(client, 1);
    return client;
  };
  t.same(await (await content1('scp -f a')).finish(), good);
  t.ok(files.journal.includes('finish /a closed'));
  t.same(await (await content1('scp -f a a')).finish(), bad);
  const early = new ScpClient('scp -f a', files);
  await nextLine(early);
  t.same(await early.finish(), bad);
  t.same(await new ScpClient('scp -f a', files).finish(), bad);
  t.equal(files.openCount, 0);
});

t.test('a lost connection aborts the download', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', Buffer.alloc(4 * scpReadAheadBytes));
  const client = new ScpClient('scp -f a', files, { unreadBytesMax: 1000 });
  t.match(await nextLine(client), /^C/);
  client.channel.feed('\0');
  await client.read(10);
  client.channel.lose();
  t.same((await client.finished()).status, 1);
  t.ok(files.journal.includes('abort /a CONNECTION_LOST'));
});

t.test('a large file comes whole, and no further ahead of the reader than it may', async (t) => {
  const bytes = Buffer.alloc(3 * scpReadAheadBytes + 17, 'abcdefghijk');
  let readBytes = 0;
  class CountedFiles extends MemoryFiles {
    override async download(path: VirtualPath) {
      const download = await super.download(path);
      return {
        ...download,
        read: async (offset: number, lengthBytes: number) => {
          readBytes += lengthBytes;
          return await download.read(offset, lengthBytes);
        },
      };
    }
  }
  const files = new CountedFiles();
  files.put('/a', bytes);
  const client = new ScpClient('scp -f a', files, { unreadBytesMax: 1000 });
  t.equal(await nextLine(client), `C0644 ${bytes.length} a\n`);
  client.channel.feed('\0');
  await client.read(1);
  await new Promise(setImmediate);
  t.ok(readBytes <= scpReadAheadBytes, `${readBytes} bytes were read for a client that has read one`);
  let rest = '';
  while (rest.length < bytes.length) rest += await client.read(Math.min(999, bytes.length - rest.length));
  t.ok(rest === bytes.subarray(1).toString('latin1') + '\0');
  client.channel.feed('\0');
  t.same(await client.finish(), good);
});

t.test(
  'a file that shrinks is filled up with zeros and told; one that grows is sent as declared',
  async (t) => {
    for (const size of [0, 3, 700_000]) {
      const files = new MemoryFiles();
      files.put('/a', Buffer.alloc(size, 'x'));
      files.put('/b', 'y');
      const download = files.download.bind(files);
      files.download = async (path) => {
        const opened = await download(path);
        const declared = path === '/a' ? 800_000 : 1;
        return {
          ...opened,
          attributes: async () => ({ ...(await opened.attributes()), sizeBytes: declared }),
        };
      };
      const client = new ScpClient('scp -f a b', files);
      t.equal(await nextLine(client), 'C0644 800000 a\n');
      client.channel.feed('\0');
      t.ok((await client.read(800_000)) === 'x'.repeat(size) + '\0'.repeat(800_000 - size));
      t.equal(await client.readLine(), '\x01scp: a: file changed size\n');
      t.equal(await nextLine(client), 'C0644 1 b\n');
      t.equal(await content(client, 1), 'y');
      client.channel.feed('\0');
      t.same(await client.finish(), bad);
      t.ok(files.journal.includes('abort /a INCOMPLETE'));
    }
  },
);

t.test('a file that cannot be read any further', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', 'abc');
  files.faults.set('read', new ScpdError('STORAGE_FAILED'));
  const client = new ScpClient('scp -f a', files);
  await nextLine(client);
  client.channel.feed('\0');
  t.equal(await client.read(3), '\0\0\0');
  t.equal(await client.readLine(), '\x01scp: a: Server storage error\n');
  client.channel.feed('\0');
  t.same(await client.finish(), bad);
  t.ok(files.journal.includes('abort /a STORAGE_FAILED'));
});

t.test('a directory that cannot be listed any further is left', async (t) => {
  const files = new MemoryFiles();
  files.put('/d/a', 'x');
  files.faults.set('read', new ScpdError('STORAGE_FAILED'));
  t.same(await transcript('scp -r -f d', files), [
    'D0755 0 d',
    '\x01scp: d: Server storage error',
    'E',
    'exit 1',
  ]);
  t.equal(files.openCount, 0);
});

/** Files with links and a fifo, which the twin does not know. */
class LinkedFiles extends MemoryFiles {
  readonly links = new Map<string, string>();
  readonly fifos = new Set<string>();

  /** Where a path leads; every component may be a link. */
  #real(path: string): VirtualPath {
    let real = '';
    for (const component of path.split('/').slice(1)) {
      const next = `${real}/${component}`;
      const target = this.links.get(next);
      real = target === undefined ? next : this.#real(target);
    }
    return (real === '' ? '/' : real.replace(/^\/\//, '/')) as VirtualPath;
  }

  override async stat(path: VirtualPath): Promise<Attributes> {
    const attributes = await super.stat(this.#real(path));
    return this.fifos.has(path) ? { ...attributes, kind: 'other' } : attributes;
  }

  override async download(path: VirtualPath) {
    return await super.download(this.#real(path));
  }

  override async list(path: VirtualPath): Promise<Listing> {
    const real = this.#real(path);
    const listing = await super.list(real);
    const kindOf = (name: string): Partial<Attributes> => {
      const at = real === '/' ? `/${name}` : `${real}/${name}`;
      return this.links.has(at) ? { kind: 'link' } : this.fifos.has(at) ? { kind: 'other' } : {};
    };
    return {
      ...listing,
      read: async (most) =>
        (await listing.read(most)).map(({ name, attributes }) => ({
          name,
          attributes: { ...attributes, ...kindOf(name) },
        })),
    };
  }
}

t.test('links are followed, special files are not sent', async (t) => {
  const files = new LinkedFiles();
  files.put('/d/a', 'A');
  files.put('/d/dangling', '');
  files.put('/d/fifo', '');
  files.put('/d/link', '');
  files.put('/d/up', '');
  files.put('/other/b', 'B');
  files.links.set('/d/link', '/other/b');
  files.links.set('/d/dangling', '/none');
  files.links.set('/d/up', '/other');
  files.fifos.add('/d/fifo');
  t.same(await transcript('scp -r -f d d/link d/fifo', files), [
    'D0755 0 d',
    'C0644 1 a|A',
    '\x01scp: d/dangling: No such file or directory',
    '\x01scp: d/fifo: not a regular file',
    'C0644 1 link|B',
    'D0755 0 up',
    'C0644 1 b|B',
    'E',
    'E',
    'C0644 1 link|B',
    '\x01scp: d/fifo: not a regular file',
    'exit 1',
  ]);
});

t.test('a loop of links ends', async (t) => {
  const files = new LinkedFiles();
  files.put('/d/a', 'A');
  files.put('/d/one', '');
  files.put('/d/two', '');
  files.links.set('/d/one', '/d');
  files.links.set('/d/two', '/d');
  const seen = await transcript('scp -r -f d', files);
  t.equal(seen.filter((line) => line.startsWith('D')).length, 3);
  t.equal(seen.filter((line) => line.includes('Too many levels of symbolic links')).length, 4);
  t.equal(seen.at(-1), 'exit 1');
});

t.test('what is not an answer ends the session', async (t) => {
  const files = new MemoryFiles();
  files.put('/a', 'x');
  const client = new ScpClient('scp -f a', files);
  client.channel.feed('hello');
  t.same(await client.finished(), { rest: '\x02scp: protocol error: expected an answer\n', status: 1 });
});
