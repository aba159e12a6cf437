/** Goal: kill -9 in the middle of an overwrite leaves the old file whole, and the next start cleans up. */
import t, { type Test } from 'tap';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { remote, startServer, type TestServer } from '../support/server.ts';

const skip = missing('scp');

async function untilStaged(server: TestServer): Promise<void> {
  for (let round = 0; round < 600 && server.staged().length === 0; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function makePlace(t: Test): string {
  const place = mkdtempSync(join(tmpdir(), 'scpd-kill-'));
  t.teardown(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

for (const protocol of ['scp', 'sftp'] as const) {
  t.test(`the server dies while a file is overwritten (${protocol})`, { skip }, async (t) => {
    const server = await startServer(t);
    const file = join(makePlace(t), 'new');
    writeRandom(file, 20_000_000);
    writeFileSync(server.stored('kept'), 'the old content');
    const sending = server.scp(protocol, ['-l', '80000', file, remote('kept')]);
    await untilStaged(server);
    t.equal(server.staged().length, 1, 'the upload is under way');
    t.same(await server.end('SIGKILL'), { status: null, signal: 'SIGKILL' });
    t.not((await sending).status, 0, 'the client knows');
    t.equal(readFileSync(server.stored('kept'), 'utf8'), 'the old content');

    await server.start();
    t.strictSame(server.staged(), [], 'swept');
    t.match(server.log, /removed uploads that a crash had left unfinished/);
    const again = await server.scp(protocol, [file, remote('kept')]);
    t.equal(again.status, 0, again.stderr);
    t.equal(await sha256Of(server.stored('kept')), await sha256Of(file));
  });

  t.test(
    `killed at any moment of an overwrite loop: old or new, never half (${protocol})`,
    { skip },
    async (t) => {
      const server = await startServer(t);
      const place = makePlace(t);
      const files = ['a', 'b'].map((name) => join(place, name));
      for (const file of files) writeRandom(file, 2_000_000);
      const hashes = await Promise.all(files.map(sha256Of));
      let finished = await server.scp(protocol, [files[0] ?? '', remote('kept')]);
      t.equal(finished.status, 0, finished.stderr);
      for (let round = 1; round <= 12; round += 1) {
        const source = round % 2;
        const sending = server.scp(protocol, [files[source] ?? '', remote('kept')]);
        // From before the login to after the exit: the transfer itself takes some tenth of a second here.
        await new Promise((resolve) => setTimeout(resolve, 60 + round * 25));
        await server.end('SIGKILL');
        finished = await sending;
        const stored = hashes.indexOf(await sha256Of(server.stored('kept')));
        t.not(stored, -1, `round ${round}: a whole file`);
        if (finished.status === 0) t.equal(stored, source, 'a success is the new file');
        await server.start();
        t.strictSame(server.staged(), []);
      }
    },
  );
}
