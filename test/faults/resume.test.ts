/** Goal: a server that is killed in the middle of an upload keeps what it had, and what it kept is right to the last byte. */
import t from 'tap';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { sha256Of } from '../support/content.ts';
import {
  cutBytes,
  cutOff,
  fileBytes,
  knowHost,
  partials,
  setLine,
  slackBytes,
  stagedBytes,
  until,
} from '../support/line.ts';

t.test('kill -9, and then reput', { skip: missing('sftp') }, async (t) => {
  // All in one process, so that nobody is left who could tidy up.
  const line = await setLine(t, { settings: { workers: 0 } });
  const { desk, wire, file } = line;
  const { server } = desk;
  const put = async (): Promise<void> =>
    await cutOff(
      line,
      (cut) => cut.desk.server.sftp(`put ${file} big\n`, 'demo', { kill: cut.desk.kill }),
      async () => {
        // What came is first in the memory of a busy server: it has to have taken some of it to its disk.
        await until(() => stagedBytes(line.server) >= 3 * 1024 * 1024);
        await line.server.end('SIGKILL');
      },
    );
  await put();
  t.equal(server.staged().length, 1, 'nothing was tidied up');
  await line.server.start();
  knowHost({ ...line, desk: { ...desk, server: line.server } });
  t.notOk(existsSync(server.stored('big')));
  t.strictSame(server.staged(), []);
  const [id = ''] = partials(server);
  const kept = readFileSync(server.stored(join('.scpd/partial', id)));
  t.ok(kept.length > 1024 * 1024);
  t.ok(kept.equals(readFileSync(file).subarray(0, kept.length)), 'what is kept is what was sent');

  wire.sentBytes = 0;
  const again = await server.sftp(`reput ${file} big\n`);
  t.equal(again.status, 0, again.stderr);
  t.equal(await sha256Of(server.stored('big')), await sha256Of(file));
  t.ok(wire.sentBytes < fileBytes - cutBytes + slackBytes, `${wire.sentBytes} bytes were sent`);
  t.match(
    server.records().findLast(({ operation, phase }) => operation === 'upload' && phase === 'end'),
    {
      outcome: 'done',
      upload: id,
      resumedBytes: kept.length,
    },
  );
  const verified = await server.sftp('df\n');
  t.equal(verified.status, 0);
  t.strictSame(partials(server), []);
});

t.test(
  'who does not resume gets the exact bytes although something is kept',
  { skip: missing('sftp') },
  async (t) => {
    const line = await setLine(t);
    const { desk, file } = line;
    const { server } = desk;
    for (const [name, send] of [
      ['scp', () => server.scp('sftp', [file, 'demo@127.0.0.1:scp'])],
      ['scp-O', () => server.scp('scp', [file, 'demo@127.0.0.1:scp-O'])],
      ['sftp', () => server.sftp(`put ${file} sftp\n`)],
    ] as const) {
      await cutOff(line, (cut) =>
        cut.desk.server.sftp(`put ${file} ${name}\n`, 'demo', { kill: cut.desk.kill }),
      );
      for (let waited = 0; waited < 500 && partials(server).length === 0; waited += 1)
        await new Promise((resolve) => setTimeout(resolve, 20));
      t.equal(partials(server).length, 1, name);
      const sent = await send();
      t.equal(sent.status, 0, sent.stderr);
      t.equal(await sha256Of(server.stored(name)), await sha256Of(file), name);
      t.strictSame(partials(server), []);
    }
  },
);
