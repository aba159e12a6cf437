/** Goal: a worker that is started before it is needed is as good as one that is started when it is; and none is left over. */
import t from 'tap';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { WorkerStock } from '../../src/supervisor/worker-stock.ts';
import { runCli, startCli } from '../support/cli.ts';
import { until } from '../support/processes/until.ts';

t.test('one that ended while it waited is heard of by whoever takes it', async (t) => {
  const stock = new WorkerStock(1);
  t.teardown(() => stock.discard());
  const link = stock.take();
  process.kill(link.pid, 'SIGKILL');
  await until(() => !existsSync(`/proc/${link.pid}`), 'its end');
  await new Promise((resolve) => setTimeout(resolve, 300)); // whoever hears of an exit has heard of it
  const how = await new Promise((resolve) =>
    link.listen({ onMessage: () => undefined, onGone: (words) => resolve(words) }),
  );
  t.equal(how, 'SIGKILL');
});

t.test('those that nobody takes end', async (t) => {
  const stock = new WorkerStock(2);
  const taken = stock.take();
  t.teardown(() => taken.kill());
  const before = children();
  t.ok(before.includes(taken.pid));
  stock.discard();
  await until(() => children().length === before.length - 1, 'the end of the other one');
  t.ok(children().includes(taken.pid));
});

t.test('a server that can not start leaves no worker behind', async (t) => {
  const directory = t.testdir();
  t.equal((await runCli(['init'], directory)).exitCode, 0);
  const config = join(directory, 'config/scpd.json');
  const text = readFileSync(config, 'utf8').replace(
    '"durability"',
    '"workers": 2, "catalog": { "url": "sqlite:../var/taken" }, "durability"',
  );
  writeFileSync(config, text);
  mkdirSync(join(directory, 'var/taken'), { recursive: true });
  const server = startCli(['serve'], directory);
  const [exitCode] = (await once(server.process, 'exit')) as [number | null];
  t.equal(exitCode, 1);
  t.strictSame(processesIn(directory), []);
  t.match((await server.ended).stderr, /cannot open the catalog/);
});

function children(): number[] {
  const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** Those that run with a directory as their own. */
function processesIn(directory: string): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === directory;
    } catch {
      return false; // it has just ended
    }
  });
}
