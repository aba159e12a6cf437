/** Goal: duplicity backs up to this server, verifies and restores, by its SFTP back end. */
import t from 'tap';
import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { missing } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { host, runScript, setDesk, type Desk } from '../support/sftp-clients.ts';

t.test('duplicity', { skip: missing('duplicity') }, async (t) => {
  for (const preset of ['full', 'backup', 'append-only']) {
    await t.test(preset, async (t) => {
      const desk: Desk = { ...(await setDesk(t, { users: { saver: { preset } } })), user: 'saver' };
      const { place, server } = desk;
      const target = `sftp://${desk.user}@${host}:${server.port}//box`;
      const duplicity = async (...parameters: readonly string[]): Promise<string> => {
        const { status, stdout, stderr } = await runScript(
          desk,
          [
            'duplicity',
            ...parameters,
            '--ssh-options',
            `-oIdentityFile=${desk.key}`,
            '--archive-dir',
            join(place, 'archive'),
          ],
          { environment: { PASSPHRASE: 'test' } },
        );
        t.equal(status, 0, `duplicity ${parameters.join(' ')}: ${stdout}${stderr}`);
        return stdout;
      };
      const source = join(place, 'source');
      mkdirSync(source);
      for (let index = 0; index < 30; index += 1) writeFileSync(join(source, `file ${index}`), `${index}`);
      writeRandom(join(source, 'large'), 5_000_000);
      const plain = ['--no-encryption', '--num-retries', '1'];
      await duplicity('full', ...plain, source, target);
      writeFileSync(join(source, 'file 3'), 'changed');
      utimesSync(join(source, 'file 3'), 1_111_111_111, 1_111_111_111); // it looks at whole seconds
      await duplicity('incremental', ...plain, source, target);
      await duplicity('verify', ...plain, '--compare-data', target, source);
      await duplicity('restore', ...plain, target, join(place, 'restored'));
      t.strictSame(readdirSync(join(place, 'restored')).sort(), readdirSync(source).sort());
      t.equal(await sha256Of(join(place, 'restored', 'large')), await sha256Of(join(source, 'large')));
      t.equal(readFileSync(join(place, 'restored', 'file 3'), 'utf8'), 'changed');
      noteClient({
        client: 'duplicity',
        protocol: 'SFTP',
        preset,
        action: 'full, incremental, verify, restore',
        works: true,
      });
      t.strictSame(server.staged('saver'), []);
    });
  }
});
