/** Goal: the packages that Node programs send files with work against scpd: ssh2-sftp-client and node-scp. */
import t from 'tap';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { runScript, setDesk, type Desk } from '../support/sftp-clients.ts';

/** Both run in a process of their own, from the outside; their modules are found from here. */
const prelude = `
const { createRequire } = require('node:module');
const need = createRequire(${JSON.stringify(import.meta.url)});
const fs = require('node:fs'), assert = require('node:assert/strict');
const login = { host: process.env.SFTP_HOST, port: Number(process.env.SFTP_PORT), username: process.env.SFTP_USER,
  privateKey: fs.readFileSync(process.env.SFTP_KEY) };
const data = fs.readFileSync('local');
`;

function prepare({ place }: Desk): void {
  writeRandom(join(place, 'local'), 1_500_000);
  mkdirSync(join(place, 'tree', 'a'), { recursive: true });
  for (let index = 0; index < 30; index += 1) writeFileSync(join(place, 'tree', 'a', `${index}`), `${index}`);
}

const sftpClient = `${prelude}
(async () => {
  const Client = need('ssh2-sftp-client');
  const sftp = new Client();
  await sftp.connect(login);
  assert.equal(await sftp.cwd(), '/');
  await sftp.put('local', 'put');
  await sftp.fastPut('local', 'fast');
  assert.ok((await sftp.get('put')).equals(data));
  await sftp.fastGet('fast', 'back');
  assert.ok(fs.readFileSync('back').equals(data));
  await sftp.append(Buffer.from('more'), 'put');
  assert.equal((await sftp.stat('put')).size, data.length + 4);
  await sftp.mkdir('d/e/f', true);
  assert.equal(await sftp.exists('d/e'), 'd');
  assert.equal(await sftp.exists('none'), false);
  await sftp.uploadDir('tree', '/up');
  await sftp.downloadDir('/up', 'down');
  await Promise.all(Array.from({ length: 50 }, (_, i) => sftp.put(Buffer.from(String(i)), '/d/e/' + i)));
  assert.equal((await sftp.list('/d/e')).length, 51);
  await sftp.rename('fast', 'd/renamed');
  await sftp.posixRename('put', 'd/renamed');
  await sftp.rcopy('d/renamed', 'copied');
  await sftp.chmod('copied', 0o600);
  await sftp.delete('d/renamed');
  await sftp.rmdir('d', true);
  await assert.rejects(sftp.get('none'), /No such file/);
  await sftp.end();
})().catch((error) => { console.error(error); process.exit(1); });
`;

t.test('ssh2-sftp-client', async (t) => {
  const desk = await setDesk(t);
  prepare(desk);
  const { status, stdout, stderr } = await runScript(desk, [process.execPath, '-e', sftpClient]);
  t.equal(status, 0, stdout + stderr);
  t.strictSame(readdirSync(join(desk.place, 'down', 'a')).length, 30);
  t.equal(readFileSync(desk.server.stored('up/a/29'), 'utf8'), '29');
  t.strictSame(desk.server.staged(), []);
  noteClient({
    client: 'npm ssh2-sftp-client',
    protocol: 'SFTP',
    preset: 'full',
    action: 'put, fastPut, get, fastGet, append, directories, 50 files at once, rename, posixRename, rcopy',
    works: true,
  });
});

const nodeScp = `${prelude}
(async () => {
  const { Client } = need('node-scp');
  const client = await Client(login);
  await client.uploadFile('local', '/put');
  await client.downloadFile('/put', 'back');
  assert.ok(fs.readFileSync('back').equals(data));
  await client.uploadDir('tree', '/up');
  await client.downloadDir('/up', 'down');
  await client.mkdir('/d');
  assert.equal(await client.exists('/d'), 'd');
  assert.equal((await client.stat('/put')).size, data.length);
  assert.ok((await client.list('/')).some(({ name }) => name === 'put'));
  await client.rmdir('/d');
  client.close();
})().catch((error) => { console.error(error); process.exit(1); });
`;

t.test('node-scp', async (t) => {
  const desk = await setDesk(t);
  prepare(desk);
  const { status, stdout, stderr } = await runScript(desk, [process.execPath, '-e', nodeScp]);
  t.equal(status, 0, stdout + stderr);
  t.equal(await sha256Of(desk.server.stored('put')), await sha256Of(join(desk.place, 'local')));
  t.equal(readFileSync(join(desk.place, 'down/a/29'), 'utf8'), '29');
  t.strictSame(desk.server.staged(), []);
  noteClient({
    client: 'npm node-scp',
    protocol: 'SFTP',
    preset: 'full',
    action: 'files and directories both ways, mkdir, exists, stat, list, rmdir',
    works: true,
  });
});
