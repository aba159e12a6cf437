/** Goal: a service manager hears what the server says of itself. Method: what systemd would be is a socket of Python's. */
import t from 'tap';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../support/clients.ts';
import { isProcessThere, signal, until } from '../support/processes/until.ts';
import { startServerOf, TestServer } from '../support/server.ts';

const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(s.recv(4096).decode().replace("\\n", " "), flush=True)
`;

class ManagedServer extends TestServer {
  protected override get environment(): Readonly<Record<string, string>> {
    return { NOTIFY_SOCKET: join(this.place, 'notify'), WATCHDOG_USEC: '1000000' };
  }
}

const skip = missing('systemd-notify') !== false ? missing('systemd-notify') : missing('python3');

t.test('ready, alive, reloading, another process, stopping', { skip }, async (t) => {
  let heard = '';
  const below = mkdtempSync(join(tmpdir(), 'scpd-notify-'));
  t.teardown(() => rmSync(below, { recursive: true, force: true }));
  const server = await startServerOf(t, (place) => new ManagedServer(place), {
    below,
    settings: { workers: 1 },
    prepare: async (place) => {
      const child = spawn('python3', ['-c', listener, join(place, 'notify')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.teardown(() => child.kill('SIGKILL'));
      child.stdout.on('data', (bytes: Buffer) => (heard += String(bytes)));
      await until(() => heard.includes('bound'), 'the socket');
    },
  });
  const first = server.pid;
  const hear = (what: RegExp): Promise<number> => until(() => what.test(heard), String(what));
  await hear(/READY=1/);
  t.match(heard, `MAINPID=${first}`);
  const beats = (): number => heard.split('WATCHDOG=1').length - 1;
  await until(() => beats() >= 2, 'signs of life');
  signal(server.pid, 'SIGHUP');
  await hear(/STATUS=reloading/);
  await until(() => heard.split('READY=1').length === 3, 'the end of the reload');
  await server.restart();
  await hear(new RegExp(`MAINPID=${server.pid}`));
  await until(() => !isProcessThere(first), 'the end of the first process');
  t.notMatch(heard, /STOPPING=1/, 'the service goes on');
  const before = beats();
  await until(() => beats() >= before + 2, 'signs of life of the other process');
  await server.end('SIGTERM');
  await hear(/STOPPING=1/);
});
