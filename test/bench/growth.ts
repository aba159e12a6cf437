/**
 * `make bench-growth`: what scpd takes as its work grows, in seconds and in memory: larger files, more connections, larger
 * directories and trees, more rows in catalog and journal. Writes tables and a plot (by Debian's gnuplot-nox) for
 * docs/performance.md. Each series can be run alone, and further: `--series=tree --add --tree=1000000`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Desk } from './clients.ts';
import { drawing, tables, type Point } from './growth-page.ts';
import { rowsKept } from './growth-rows.ts';
import { connectionsOpen, entriesListed, filesOfSize, treesCopied, type Ground } from './growth-series.ts';
import { writeBetween } from './page.ts';
import { Cleanup, startScpd } from './peers.ts';

const { values: options } = parseArgs({
  options: {
    page: { type: 'string' },
    plot: { type: 'string' },
    /** What was measured; with `--add` the points are added to those of earlier runs, or take their places. */
    results: { type: 'string', default: '.bench-growth.json' },
    add: { type: 'boolean', default: false },
    series: { type: 'string', default: 'size,connections,ls,tree,rows' },
    /** The largest of each series. A file is stored twice, sent and fetched, and once more where it comes from. */
    'size-mib': { type: 'string', default: '1024' },
    connections: { type: 'string', default: '1000' },
    ls: { type: 'string', default: '1000000' },
    tree: { type: 'string', default: '100000' },
    /** What is done with trees: without `put`, a tree lies there already. */
    directions: { type: 'string', default: 'put,get' },
    rows: { type: 'string', default: '1000000' },
    /** The least of a series, to run just its end. */
    from: { type: 'string', default: '0' },
    /** Where everything is stored. In memory unless it is too large for that. */
    below: { type: 'string', default: '/dev/shm' },
  },
});

const cleanup = new Cleanup();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanup.run().finally(() => process.exit(1)));
}
const wanted = options.series.split(',');
const points: Point[] = options.add && existsSync(options.results) ? saved() : [];
try {
  const below = mkdtempSync(join(options.below, 'scpd-growth-'));
  cleanup.teardown(() => rmSync(below, { recursive: true, force: true }));
  const desk = new Desk(mkdtempSync(join(options.below, 'scpd-desk-')));
  cleanup.teardown(() => rmSync(desk.directory, { recursive: true, force: true }));
  const peer = await startScpd(cleanup, 'full', below);
  await desk.meet(peer, [peer.port]);
  await desk.copy('scp', peer, { direction: 'put', local: desk.file('none'), remote: 'first' });
  const ground: Ground = { peer, desk, keep };
  if (wanted.includes('size'))
    await filesOfSize(ground, upTo(1024, Number(options['size-mib']) * 1024 ** 2, 16));
  if (wanted.includes('connections')) await connectionsOpen(ground, upTo(1, Number(options.connections), 10));
  if (wanted.includes('ls')) await entriesListed(ground, upTo(10, Number(options.ls), 10));
  if (wanted.includes('tree'))
    await treesCopied(ground, upTo(100, Number(options.tree), 10), options.directions.split(','));
  if (wanted.includes('rows'))
    await rowsKept({ cleanup, below, keep }, upTo(10_000, Number(options.rows), 10));
} finally {
  await cleanup.run();
}
if (options.page !== undefined) writeBetween(options.page, 'bench-growth', tables(points));
else process.stdout.write(`${tables(points).join('\n')}\n`);
if (options.plot !== undefined) drawing(points, options.plot);

/** Each as soon as it was measured: a long run that is broken off has given something. */
function keep(point: Point): void {
  const { series, shown, seconds } = point;
  process.stdout.write(`${series}: ${shown}: ${seconds.toFixed(2)} s\n`);
  const earlier = points.findIndex((other) => other.series === series && other.amount === point.amount);
  if (earlier >= 0) points.splice(earlier, 1);
  points.push(point);
  writeFileSync(options.results, JSON.stringify(points));
}

function saved(): Point[] {
  return JSON.parse(readFileSync(options.results, 'utf8')) as Point[];
}

function upTo(first: number, last: number, factor: number): number[] {
  const amounts: number[] = [];
  for (let amount = first; amount <= last; amount *= factor) amounts.push(amount);
  return amounts.filter((amount) => amount >= Number(options.from));
}
