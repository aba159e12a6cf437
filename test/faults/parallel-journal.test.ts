/**
 * Goal: many sessions at once leave one chain in which every transfer that was acknowledged stands, with its beginning and
 * its end. Method: 100 connections to two workers, each of which sends some files as fast as it is answered.
 */
import t from 'tap';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../support/clients.ts';
import { journalProblems, recordsIn } from '../support/journal.ts';
import { startServer } from '../support/server.ts';

const sessions = 100;
const filesOfSession = 5;
const client = fileURLToPath(new URL('../support/clients/ssh2-many.mjs', import.meta.url));

t.test(`${sessions} sessions at once`, async (t) => {
  const server = await startServer(t, {
    settings: { workers: 2 },
    limits: { connectionsPerIp: sessions, unauthenticatedConnections: sessions, loginGraceSeconds: 120 },
  });
  const words = [String(server.port), 'demo', join(server.place, 'keys', 'demo', 'id_ed25519')];
  const sent = await run(process.execPath, [client, ...words, String(sessions), String(filesOfSession)], {
    environment: { NODE_OPTIONS: '' },
  });
  t.equal(sent.status, 0, sent.stderr);
  const acknowledged = new Map(Object.entries(JSON.parse(sent.stdout) as Record<string, string>));
  t.equal(acknowledged.size, sessions * filesOfSession);
  // At once: what was acknowledged is on the disk, whatever becomes of the server.
  await server.end('SIGKILL');
  const directory = join(server.place, 'var/audit');
  const records = recordsIn(directory);
  const ends = records.filter(({ operation, phase }) => operation === 'upload' && phase === 'end');
  const found = new Map(ends.map(({ path, sha256 }) => [path ?? '', sha256 ?? '']));
  t.strictSame(
    [...acknowledged].filter(([path, sha256]) => found.get(path) !== sha256),
    [],
    'none is missing',
  );
  t.equal(ends.length, sessions * filesOfSession, 'and none is there twice');
  const begun = new Set(
    records.filter(({ phase }) => phase === 'begin').map(({ transfer, session }) => transfer ?? session),
  );
  t.ok(
    ends.every(({ transfer }) => begun.has(transfer ?? null)),
    'each end has its beginning',
  );
  await server.start();
  t.strictSame(await journalProblems(directory), []);
});
