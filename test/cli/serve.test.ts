import t from 'tap';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { runCli, startCli } from '../support/cli.ts';

const serveModule = new URL('../../dist/cli/serve.js', import.meta.url).href;
const pinoModule = import.meta.resolve('pino');

/** A program that runs `serve` over a server that does what a test needs of it. */
function program(server: string): string {
  return `
    const { pino } = await import(${JSON.stringify(pinoModule)});
    const { serve } = await import(${JSON.stringify(serveModule)});
    const keepAlive = setInterval(() => undefined, 1000);
    const log = pino({ level: 'info' }, pino.destination({ dest: 2, sync: true }));
    const start = async () => { ${server} };
    process.exit(await serve(start, { log, drainSeconds: 30 }));
  `;
}

t.test('SIGINT and SIGTERM stop a server cleanly, the second signal at once', async (t) => {
  const directory = t.testdir({
    'stops.mjs': program(
      `return { addresses: [{ host: '::1', port: 7 }], stop: async () => console.log('drained') };`,
    ),
    'drains.mjs': program(
      `return { addresses: [{ host: '::1', port: 7 }], stop: () => new Promise(() => undefined) };`,
    ),
    'fails.mjs': program(`throw new Error('127.0.0.1:22 is in use');`),
  });
  const start = (name: string) => startCli([], directory, { script: join(directory, name) });
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const stops = start('stops.mjs');
    await stops.waitFor(/^scpd \S+ listening on \[::1\]:7\n/);
    stops.process.kill(signal);
    const stopped = await stops.ended;
    t.match(stopped, { exitCode: 0, signal: null, stdout: /\ndrained\n$/ });

    const drains = start('drains.mjs');
    await drains.waitFor(/listening/);
    drains.process.kill(signal);
    await drains.waitFor(/stopping; a second signal stops at once/);
    drains.process.kill(signal);
    t.match(await drains.ended, { exitCode, signal: null });
  }
  t.match(await start('fails.mjs').ended, {
    exitCode: 1,
    stdout: '',
    stderr: 'scpd: 127.0.0.1:22 is in use\n',
  });
});

t.test('the whole program: init, serve, a client that connects, SIGTERM', async (t) => {
  const directory = t.testdir();
  t.equal((await runCli(['init'], directory)).exitCode, 0);
  const config = join(directory, 'config/scpd.json');
  writeFileSync(config, readFileSync(config, 'utf8').replace('"port": 2222', '"port": 0'));
  const server = startCli(['serve'], directory);
  t.teardown(() => server.process.kill('SIGKILL'));
  const [, port] = await server.waitFor(/^scpd \S+ listening on 127\.0\.0\.1:(\d+)\n/);
  const socket = connect(Number(port), '127.0.0.1');
  const [greeting] = (await once(socket, 'data')) as [Buffer];
  t.match(greeting.toString('latin1'), /^SSH-2\.0-/);
  socket.destroy();
  server.process.kill('SIGTERM');
  const { exitCode, stderr } = await server.ended;
  t.equal(exitCode, 0);
  for (const line of stderr.trimEnd().split('\n'))
    t.doesNotThrow(() => JSON.parse(line), 'the log is JSON lines');
});
