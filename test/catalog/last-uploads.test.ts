/** Goal: after a start, the last upload of each user is known, however many others have sent since; and the start waits for none. */
import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import type { LastUpload } from '../../src/catalog/entries.ts';
import type { ServerStatus } from '../../src/observe/status.ts';
import { catalogPageEntries } from '../../src/limits.ts';
import { makeCatalogPlace, startCatalog } from '../support/catalog.ts';
import { runCli } from '../support/cli.ts';
import { remote, startServer } from '../support/server.ts';
import { missing } from '../support/clients.ts';
import { until } from '../support/processes/until.ts';

const many = 2 * catalogPageEntries + 10;

/** Puts files of a user into a catalog that are on no disk. */
function insert(
  file: string,
  user: string,
  options: { count: number; time: string; verdict?: string },
): void {
  const { count, time, verdict = 'closed' } = options;
  const database = new Libsql(file);
  const row = database.prepare(
    `insert into entries (root_id, path, kind, user, bytes, modified_ms, inode, verdict, stored_at)
     values ((select min(id) from roots), cast(? as blob), 'file', ?, 1, 0, '1', ?, ?)`,
  );
  for (let index = 0; index < count; index += 1)
    row.run([`/${user}-${time}-${index}`, user, verdict === '' ? null : verdict, time]);
  database.close();
}

t.test('pages go from the newest to the oldest, each upload once, also of one moment', async (t) => {
  const place = makeCatalogPlace(t);
  await (await startCatalog(place)).close();
  insert(place.file, 'old', { count: 1, time: '2024-01-01T00:00:00.000Z' });
  insert(place.file, 'many', { count: many, time: '2025-01-01T00:00:00.000Z' });
  insert(place.file, 'found', { count: 3, time: '2026-01-01T00:00:00.000Z', verdict: '' });
  insert(place.file, 'new', { count: 1, time: '2026-01-02T00:00:00.000Z' });
  const catalog = await startCatalog(place);
  const found: LastUpload[] = [];
  for await (const page of catalog.lastUploads()) {
    t.ok(page.length <= catalogPageEntries);
    found.push(...page);
  }
  await catalog.close();
  t.equal(found.length, many + 2, 'what was only found on the disk is nobody’s upload');
  t.equal(new Set(found.map(({ path }) => path)).size, found.length);
  t.same([found[0]?.user, found.at(-1)?.user], ['new', 'old']);
});

t.test('a server tells of uploads from before its start', { skip: missing('scp') }, async (t) => {
  const server = await startServer(t, { users: { alice: {}, nobody: {} } });
  const file = join(server.place, 'sent');
  writeFileSync(file, 'x');
  t.equal((await server.scp('sftp', [file, remote('hers', 'alice')])).status, 0);
  await server.end('SIGTERM');
  insert(join(server.place, 'var/catalog.db'), 'demo', { count: many, time: '2999-01-01T00:00:00.000Z' });
  await server.start();
  const lastOf = async (name: string): Promise<string | undefined> => {
    const { stdout } = await runCli(['status', '--json'], server.place);
    const { users } = JSON.parse(stdout) as ServerStatus;
    return users.find((user) => user.name === name)?.lastUpload?.path;
  };
  await until(async () => (await lastOf('alice')) === '/hers', 'the upload of alice');
  t.equal(await lastOf('nobody'), undefined);
  t.same(await server.end('SIGTERM'), { status: 0, signal: null });
});
