/** Goal: an upload that a lost connection cut off is gone on with where it ended, by each client that can. */
import t from 'tap';
import { existsSync } from 'node:fs';
import { noteClient } from '../support/client-table.ts';
import { missing, type Finished } from '../support/clients.ts';
import { sha256Of } from '../support/content.ts';
import {
  cutBytes,
  cutOff,
  fileBytes,
  partials,
  setLine,
  slackBytes,
  until,
  type Line,
} from '../support/line.ts';
import { curl, lftp, psftp } from '../support/sftp-clients.ts';

interface Way {
  readonly client: string;
  readonly action: string;
  readonly begin: (line: Line, name: string) => Promise<Finished>;
  readonly resume: (line: Line, name: string) => Promise<Finished>;
}

const sftp =
  (command: string): Way['begin'] =>
  async ({ desk, file }, name) =>
    await desk.server.sftp(`${command} ${file} ${name}\n`, 'demo', { kill: desk.kill });

const ways: Readonly<Record<string, Way>> = {
  sftp: { client: 'OpenSSH sftp', action: 'reput', begin: sftp('put'), resume: sftp('reput') },
  ssh: { client: 'OpenSSH sftp', action: 'put -a', begin: sftp('put'), resume: sftp('put -a') },
  scp: {
    client: 'OpenSSH sftp',
    action: 'reput of what scp began',
    begin: async ({ desk, file }, name) =>
      await desk.server.scp('sftp', [file, `demo@127.0.0.1:${name}`], { kill: desk.kill }),
    resume: sftp('reput'),
  },
  curl: {
    client: 'curl sftp://',
    action: '-C -',
    begin: async ({ desk, file }, name) => await curl(desk, ['-T', file, `URL/${name}`]),
    resume: async ({ desk, file }, name) => await curl(desk, ['-C', '-', '-T', file, `URL/${name}`]),
  },
  lftp: {
    client: 'lftp',
    action: 'put -c',
    begin: async ({ desk, file }, name) => await lftp(desk, `put ${file} -o ${name}`),
    resume: async ({ desk, file }, name) => await lftp(desk, `put -c ${file} -o ${name}`),
  },
  psftp: {
    client: 'PuTTY psftp, pscp -sftp',
    action: 'reput',
    begin: async ({ desk, file }, name) => await psftp(desk, `put ${file} ${name}\n`),
    resume: async ({ desk, file }, name) => await psftp(desk, `reput ${file} ${name}\n`),
  },
};

t.test('killed in the middle, and gone on with', async (t) => {
  const line = await setLine(t);
  const { server } = line.desk;
  for (const [program, { client, action, begin, resume }] of Object.entries(ways)) {
    const name = `big-${program}`;
    await t.test(`${client}: ${action}`, { skip: missing(program) }, async (t) => {
      await cutOff(line, (cut) => begin(cut, name));
      await until(() => partials(server).length > 0);
      t.equal(partials(server).length, 1, 'what came is kept');
      t.notOk(existsSync(server.stored(name)), 'and nothing stands under the name');
      t.strictSame(server.staged(), []);
      line.wire.sentBytes = 0;
      const again = await resume(line, name);
      t.equal(again.status, 0, `${again.stdout}${again.stderr}`);
      t.equal(await sha256Of(server.stored(name)), await sha256Of(line.file));
      t.ok(line.wire.sentBytes < fileBytes - cutBytes + slackBytes, `${line.wire.sentBytes} bytes were sent`);
      t.strictSame(partials(server), []);
      const [cut, done] = server
        .records()
        .filter(
          ({ operation, phase, path }) => operation === 'upload' && phase === 'end' && path === `/${name}`,
        );
      t.match(cut, { outcome: 'failed', verdict: 'aborted', error: 'CONNECTION_LOST' });
      t.match(done, {
        outcome: 'done',
        verdict: 'closed',
        bytes: fileBytes,
        sha256: await sha256Of(line.file),
      });
      t.match(done, { upload: cut?.upload, resumedBytes: cut?.partialBytes });
      t.ok((cut?.partialBytes ?? 0) < (cut?.bytes ?? 0), 'never all that came');
      const why = `${action} after a lost connection`;
      noteClient({ client, protocol: 'SFTP', preset: 'full', action: why, works: true });
    });
  }

  await t.test(
    'lftp goes on by itself when its connection comes back',
    { skip: missing('lftp') },
    async (t) => {
      const cut = line.wire.cutAfter(cutBytes);
      const sent = lftp(line.desk, `set net:reconnect-interval-base 1; put ${line.file} -o by-itself`);
      await cut;
      line.wire.sentBytes = 0;
      const finished = await sent;
      t.equal(finished.status, 0, finished.stderr);
      t.equal(await sha256Of(server.stored('by-itself')), await sha256Of(line.file));
      t.ok(line.wire.sentBytes < fileBytes - cutBytes + slackBytes, `${line.wire.sentBytes} bytes were sent`);
    },
  );
});
