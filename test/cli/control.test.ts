/** Goal: an operator sees what a running server does, and has it do something, by commands; Prometheus by HTTP. */
import t from 'tap';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerStatus } from '../../src/observe/status.ts';
import { runCli } from '../support/cli.ts';
import { missing } from '../support/clients.ts';
import { writeRandom } from '../support/content.ts';
import { noteShown } from '../support/processes/process-rows.ts';
import { remote, startServer } from '../support/server.ts';

const skip = missing('scp');

for (const workers of [0, 2]) {
  t.test(`status, sessions, kill, reload, health, stop (workers: ${workers})`, { skip }, async (t) => {
    const server = await startServer(t, {
      settings: { workers, health: { port: 0 } },
      users: { alice: { quota: { bytes: '1GB', files: 100 } } },
    });
    const place = mkdtempSync(join(tmpdir(), 'scpd-control-'));
    t.teardown(() => rmSync(place, { recursive: true, force: true }));
    const file = join(place, 'file');
    writeRandom(file, 80_000_000);
    const ask = (...words: string[]) => runCli(words, server.place);
    const status = async (): Promise<ServerStatus> =>
      JSON.parse((await ask('status', '--json')).stdout) as ServerStatus;

    t.equal(statSync(join(server.place, 'var/control.sock')).mode & 0o777, 0o600);
    const small = join(place, 'small');
    writeRandom(small, 1000);
    t.equal((await server.scp('scp', [small, remote('good', 'alice')])).status, 0);
    const slow = server.scp('scp', ['-l', '8000', file, remote('slow', 'alice')]);
    let now = await status();
    for (let round = 0; round < 100 && (now.transfers[0]?.bytes ?? 0) === 0; round += 1) now = await status();
    t.equal(now.workers.length, Math.max(workers, 1));
    t.match(now.transfers, [
      { user: 'alice', operation: 'upload', path: '/slow', bytesExpected: 80_000_000 },
    ]);
    const alice = now.users.find(({ name }) => name === 'alice');
    t.match(alice, { connections: 1, lastUpload: { path: '/good', bytes: 1000 }, quota: { bytesMax: 1e9 } });
    const shown = await ask('status');
    t.equal(shown.exitCode, 0, shown.stderr);
    t.match(shown.stdout, /upload +alice +scp +\S+ \S+ of 76.3 MiB \(\d+ %\) +\S+ [KM]?i?B\/s +\/slow/);
    t.match(shown.stdout, /alice +1 +\d+ s ago +1000 B/);

    const { port } = now.health ?? { port: 0 };
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, text: await response.text() };
    };
    t.same(await get('/healthz'), { status: 200, text: 'alive\n' });
    t.same(await get('/readyz'), { status: 200, text: 'ready\n' });
    t.equal((await get('/else')).status, 404);
    const { text } = await get('/metrics');
    t.match(text, /^scpd_transfers_total\{protocol="scp",direction="up",verdict="verified"\} 1$/m);
    t.match(text, /^scpd_transfer_bytes_total\{protocol="scp",direction="up"\} 1000$/m);
    t.match(text, /^scpd_transfers_open\{direction="up"\} 1$/m);
    t.match(text, /^scpd_user_quota_bytes\{user="alice"\} 1000000000$/m);
    t.match(text, /^scpd_ready 1$/m);

    if (workers > 0) {
      noteShown('scpd status', shown.stdout);
      noteShown('/metrics', text);
    }

    const sessions = await ask('sessions');
    const [id = ''] = /^[0-9a-f-]{36}(?= +alice)/m.exec(sessions.stdout) ?? [];
    t.equal((await ask('kill', 'nobody')).exitCode, 1);
    t.match(await ask('kill', id), { exitCode: 0, stdout: 'ended\n' });
    t.match((await slow).stderr, /ended by the operator/);
    t.match(await ask('kill', id), { exitCode: 1 });

    const config = join(server.place, 'config/scpd.json');
    const good = readFileSync(config, 'utf8');
    writeFileSync(config, good.replace('"audit"', '"audlt"'));
    const refused = await ask('reload');
    t.equal(refused.exitCode, 1);
    t.match(
      refused.stderr,
      /\/config\/scpd\.json:\d+:\d+ audlt: unknown key "audlt"; did you mean "audit"\?$/m,
    );
    writeFileSync(config, good.replace('"limits": {', '"limits": { "connections": 77,'));
    t.match(await ask('reload'), { exitCode: 0, stdout: 'limits.connections: 1024 → 77\n' });
    t.match(await ask('reload'), { exitCode: 0, stdout: 'reloaded; nothing is different\n' });

    if (workers === 0) t.match(await ask('restart'), { exitCode: 1, stderr: /with "workers": 0/ });
    t.match(await ask('stop'), { exitCode: 0, stdout: 'stopped\n' });
    t.match(await ask('status'), { exitCode: 1, stderr: /no server is running/ });
    t.same(await server.end('SIGKILL'), { status: 0, signal: null });
  });
}
