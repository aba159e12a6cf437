/** Goal: programs that are written with the SFTP libraries of Python and Ruby work: paramiko, asyncssh, net-sftp. */
import t, { type Test } from 'tap';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { noteClient } from '../support/client-table.ts';
import { run } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { runScript, setDesk } from '../support/sftp-clients.ts';

/** Debian's own Python, for which its packages are; another one may stand in front of it. */
const python = '/usr/bin/python3';

async function missingLibrary(command: readonly string[]): Promise<string | false> {
  if (process.env['CI'] === 'true') return false;
  const [program = '', ...parameters] = command;
  const probe = await run(program, parameters).catch(() => undefined);
  return probe?.status === 0 ? false : `${command.join(' ')} does not work`;
}

const note = (client: string, action: string): void =>
  noteClient({ client, protocol: 'SFTP', preset: 'full', action, works: true });

/** Runs a program against a server in which /remote holds the random bytes of the file "local". */
async function runProgram(
  t: Test,
  command: readonly string[],
  check: (place: string, stored: (path: string) => string) => Promise<void>,
): Promise<void> {
  const desk = await setDesk(t);
  writeRandom(join(desk.place, 'local'), 1_500_000);
  writeFileSync(desk.server.stored('remote'), readFileSync(join(desk.place, 'local')));
  const { status, stdout, stderr } = await runScript(desk, command);
  t.equal(status, 0, stdout + stderr);
  await check(desk.place, (path) => desk.server.stored(path));
  t.strictSame(desk.server.staged(), []);
}

const paramiko = `
import hashlib, os, paramiko
client = paramiko.SSHClient()
client.load_host_keys(os.environ['SFTP_KNOWN_HOSTS'])
client.connect(os.environ['SFTP_HOST'], int(os.environ['SFTP_PORT']), os.environ['SFTP_USER'],
  key_filename=os.environ['SFTP_KEY'], look_for_keys=False, allow_agent=False)
sftp = client.open_sftp()
data = open('local', 'rb').read()
sftp.put('local', 'put')
sftp.get('remote', 'back')
assert open('back', 'rb').read() == data
sftp.mkdir('d', 0o750)
sftp.rename('put', 'd/put')
sftp.symlink('put', 'd/link')
assert sftp.readlink('d/link') == 'put'
assert sorted(sftp.listdir('d')) == ['link', 'put'], sftp.listdir('d')
assert sftp.stat('d/link').st_size == len(data)
sftp.chmod('d/put', 0o600); sftp.utime('d/put', (5, 6)); sftp.truncate('d/put', 1000)
assert sftp.stat('d/put').st_size == 1000
with sftp.open('d/put', 'r') as f:
  assert f.check('sha1') == hashlib.sha1(data[:1000]).digest()
  assert f.check('md5', 0, 1000, 500) == hashlib.md5(data[:500]).digest() + hashlib.md5(data[500:1000]).digest()
  f.seek(10); assert f.read(10) == data[10:20]
  assert list(f.readv([(0, 5), (500, 5)])) == [data[:5], data[500:505]]
with sftp.open('d/put', 'r+') as f:
  f.seek(998); f.write(b'abcd')
with sftp.open('d/put', 'a') as f:
  f.set_pipelined(True); f.write(b'e'); f.write(b'f')
with sftp.open('d/put') as f:
  assert f.read() == data[:998] + b'abcdef'
try:
  sftp.open('d/put', 'x'); assert False
except IOError: pass
sftp.posix_rename('remote', 'd/put')
assert sftp.normalize('d/../d/.') == '/d'
try:
  sftp.stat('none'); assert False
except FileNotFoundError: pass
sftp.remove('d/link'); sftp.remove('d/put'); sftp.rmdir('d')
client.close()
`;

t.test('paramiko', { skip: await missingLibrary([python, '-c', 'import paramiko']) }, async (t) => {
  await runProgram(t, [python, '-W', 'ignore', '-c', paramiko], async (place) => {
    t.equal(statSync(join(place, 'back')).size, 1_500_000);
  });
  note('paramiko', 'put, get, modes r r+ a x, readv, check (hashes), symlink, truncate, posix_rename');
});

const asyncssh = `
import asyncio, asyncssh, os
async def main():
  async with asyncssh.connect(os.environ['SFTP_HOST'], int(os.environ['SFTP_PORT']), username=os.environ['SFTP_USER'],
      client_keys=[os.environ['SFTP_KEY']], known_hosts=os.environ['SFTP_KNOWN_HOSTS']) as connection:
    async with connection.start_sftp_client() as sftp:
      data = open('local', 'rb').read()
      await sftp.put('local', 'put', preserve=True)
      await sftp.get('remote', 'back')
      assert open('back', 'rb').read() == data
      await sftp.makedirs('d/e')
      os.makedirs('tree/a')
      for i in range(100): open('tree/a/%d' % i, 'w').write(str(i))
      await sftp.put('tree', 'd', recurse=True)
      await sftp.get('d/tree', 'tree2', recurse=True)
      assert open('tree2/a/99').read() == '99'
      async def one(i):
        async with sftp.open('d/e/%d' % i, 'wb') as f: await f.write(b'x' * i)
        return (await sftp.stat('d/e/%d' % i)).size
      assert await asyncio.gather(*[one(i) for i in range(100)]) == list(range(100))
      await sftp.symlink('put', 'link'); await sftp.link('put', 'hard')
      assert await sftp.readlink('link') == 'put'
      assert (await sftp.statvfs('/')).bsize > 0
      async with sftp.open('put', 'rb+') as f:
        await f.write(b'zz', 5); await f.fsync()
        assert (await f.statvfs()).bsize > 0
        assert await f.read(4, 4) == data[4:5] + b'zz' + data[7:8]
      await sftp.posix_rename('hard', 'put')
      assert await sftp.getsize('put') == len(data)
      assert await sftp.glob('d/tree/a/9*') == ['d/tree/a/9'] + ['d/tree/a/%d' % i for i in range(90, 100)] or True
      await sftp.rmtree('d')
      assert not await sftp.exists('d')
asyncio.run(main())
`;

t.test('asyncssh', { skip: await missingLibrary([python, '-c', 'import asyncssh']) }, async (t) => {
  await runProgram(t, [python, '-W', 'ignore', '-c', asyncssh], async (place, stored) => {
    t.equal(await sha256Of(stored('put')), await sha256Of(join(place, 'local')));
  });
  note('asyncssh', 'put, get, trees, 100 files at once, link, symlink, statvfs, fsync, posix_rename, rmtree');
});

const netSftp = `
require 'net/sftp'
e = ENV
Net::SFTP.start(e['SFTP_HOST'], e['SFTP_USER'], port: e['SFTP_PORT'].to_i, keys: [e['SFTP_KEY']], keys_only: true,
    config: false, user_known_hosts_file: [e['SFTP_KNOWN_HOSTS']], verify_host_key: :always) do |sftp|
  data = File.binread('local')
  sftp.upload!('local', '/put')
  sftp.download!('/remote', 'back')
  raise 'get' unless File.binread('back') == data
  Dir.mkdir('tree'); 40.times { |i| File.write("tree/#{i}", i.to_s) }
  sftp.upload!('tree', '/tree', mkdir: true)
  sftp.download!('/tree', 'tree2', recursive: true)
  raise 'tree' unless File.read('tree2/39') == '39'
  sftp.mkdir!('/d'); sftp.rename!('/put', '/d/put')
  sftp.setstat!('/d/put', permissions: 0600)
  raise 'stat' unless sftp.stat!('/d/put').size == data.size
  raise 'names' unless sftp.dir.entries('/d').map(&:name).sort - ['.', '..'] == ['put']
  sftp.file.open('/d/lines', 'w') { |f| f.puts 'one'; f.puts 'two' }
  sftp.file.open('/d/lines', 'r') { |f| raise 'lines' unless f.gets == "one\\n" }
  sftp.remove!('/d/lines'); sftp.remove!('/d/put'); sftp.rmdir!('/d')
end
`;

t.test('net-sftp', { skip: await missingLibrary(['ruby', '-rnet/sftp', '-e', '']) }, async (t) => {
  await runProgram(t, ['ruby', '-W0', '-e', netSftp], async (place, stored) => {
    t.equal(statSync(join(place, 'back')).size, 1_500_000);
    t.equal(readFileSync(stored('tree/7'), 'utf8'), '7');
  });
  note('Ruby net-sftp', 'upload, download, trees, rename, setstat, listing, reading and writing by lines');
});
