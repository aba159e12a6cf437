/** Goal: connections live in workers, and what happens to one of them is no other's harm. */
import t from 'tap';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { remote, startServer } from '../support/server.ts';

const skip = missing('scp');

t.test('uploads and downloads through workers', { skip }, async (t) => {
  const server = await startServer(t, { settings: { workers: 2 } });
  const place = mkdtempSync(join(tmpdir(), 'scpd-workers-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  const file = join(place, 'file');
  writeRandom(file, 3_000_000);
  await Promise.all(
    (['scp', 'sftp', 'scp', 'sftp'] as const).map(async (protocol, index) => {
      const up = await server.scp(protocol, [file, remote(`stored-${index}`)]);
      t.equal(up.status, 0, up.stderr);
      const down = await server.scp(protocol, [remote(`stored-${index}`), join(place, `back-${index}`)]);
      t.equal(down.status, 0, down.stderr);
      t.equal(await sha256Of(join(place, `back-${index}`)), await sha256Of(file));
    }),
  );
  const uploads = server.records().filter(({ operation }) => operation === 'upload');
  t.equal(uploads.filter(({ phase }) => phase === 'end').length, 4);
  t.same(await server.end('SIGTERM'), { status: 0, signal: null });
  t.notMatch(server.log, /"level":50/);
});
