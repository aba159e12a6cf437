/**
 * Goal: a process that is killed at any moment leaves a catalog that is right after the next start. By hand (`make soak`,
 * `KILLS=500 SEED=7 make soak`), because a start takes seconds; `test/catalog/order.test.ts` is what CI runs.
 */
import t from 'tap';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCatalogPlace, startCatalog, wrongIn, type CatalogPlace } from './catalog.ts';

const kills = Number(process.env['KILLS'] ?? 100);
const seed = Number(process.env['SEED'] ?? 0);

const worker = fileURLToPath(new URL('./catalog-worker.ts', import.meta.url));

function start(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, worker, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 300_000, // a busy machine takes long to start one
    killSignal: 'SIGKILL',
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const bytes of child.stdout ?? []) return String(bytes).trim();
  return '';
}

function counted({ root }: CatalogPlace): readonly [number, number] {
  const names = readdirSync(root.hostPath, { recursive: true, encoding: 'utf8' });
  const stored = names.filter((name) => !name.startsWith('.scpd'));
  const sizes = stored.map((name) => lstatSync(join(root.hostPath, name))).filter((one) => one.isFile());
  return [sizes.reduce((sum, { size }) => sum + size, 0), stored.length];
}

t.test('killed at any moment: after the next start the count is that of the disk', async (t) => {
  const place = makeCatalogPlace(t);
  await (await startCatalog(place)).close();
  for (let round = 1; round <= kills; round += 1) {
    const child = start(['storm', place.file, place.root.hostPath, '900', String(seed + round)]);
    t.equal(await firstLine(child), 'started');
    await new Promise((resolve) => setTimeout(resolve, (round % 12) * 17));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const catalog = await startCatalog(place);
    const { bytes, files, reservedBytes, reservedFiles } = await catalog.usage('alice');
    t.strictSame([bytes, files], counted(place), `round ${round}`);
    t.ok(bytes <= 900);
    t.strictSame([reservedBytes, reservedFiles], [0, 0]);
    t.same(await wrongIn(catalog, place.root), {});
    await catalog.close();
  }
});
