/** Tables and plot of what grows, and how steeply: the exponent says whether anything is worse than linear. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

const mib = 1024 ** 2;

export interface Point {
  readonly series: string;
  /** How much work: bytes, connections, entries, rows. */
  readonly amount: number;
  readonly shown: string;
  readonly seconds: number;
  /** Of all processes of the server, at most. */
  readonly peakBytes: number;
}

/** How steeply each series rises, and all of its points. */
export function tables(points: readonly Point[]): string[] {
  return [
    'Steepness is the exponent: 0 does not grow, 1 is linear. It is that of the line through all points of a series, on logarithmic',
    'scales; and of its last step alone, where what each run costs besides does not hide what grows.',
    '',
    '| what | from | to | steepness | of the last step | memory of all processes, from | to |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...seriesOf(points).map(({ name, found }) => summary(name, found)),
    '',
    '| what | amount | time | memory of all processes, at most |',
    '| --- | --- | --- | --- |',
    ...seriesOf(points).flatMap(({ name, found }) =>
      found.map(
        ({ shown, seconds, peakBytes }) =>
          `| ${name} | ${shown} | ${seconds.toFixed(2)} s | ${memory(peakBytes)} |`,
      ),
    ),
    '',
    '![Seconds by the amount of work](growth.svg)',
    '',
  ];
}

function summary(name: string, found: readonly Point[]): string {
  const [first, last] = [found[0], found.at(-1)];
  const cells = [
    name,
    first?.shown ?? '',
    last?.shown ?? '',
    exponent(found),
    exponent(found.slice(-2)),
    memory(first?.peakBytes ?? 0),
    memory(last?.peakBytes ?? 0),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The slope of the line of least squares, on logarithmic scales. */
function exponent(found: readonly Point[]): string {
  if (found.length < 2) return '';
  const at = found.map(({ amount, seconds }) => ({ x: Math.log(amount), y: Math.log(seconds) }));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(at.map((point) => point.x)), mean(at.map((point) => point.y))];
  const slope =
    mean(at.map((point) => (point.x - x) * (point.y - y))) / mean(at.map((point) => (point.x - x) ** 2));
  return slope.toFixed(2);
}

function memory(bytes: number): string {
  return bytes === 0 ? '' : `${Math.round(bytes / mib)} MiB`;
}

function seriesOf(points: readonly Point[]): { readonly name: string; readonly found: readonly Point[] }[] {
  const names = [...new Set(points.map(({ series }) => series))];
  return names.map((name) => ({
    name,
    found: points.filter(({ series }) => series === name).toSorted((one, other) => one.amount - other.amount),
  }));
}

/** Each series on two logarithmic axes: what is linear is a straight line that rises no steeper than the dotted one. */
export function drawing(points: readonly Point[], plot: string): void {
  mkdirSync(dirname(plot), { recursive: true });
  const series = seriesOf(points);
  const blocks = series.map(({ found }, index) =>
    [`$series${index} << END`, ...found.map(({ amount, seconds }) => `${amount} ${seconds}`), 'END'].join(
      '\n',
    ),
  );
  const lines = series.map(
    ({ name }, index) => `$series${index} with linespoints linewidth 2 title "${name}"`,
  );
  const program = [
    `set terminal svg size 900,${480 + 20 * series.length} background "white"`,
    `set output "${plot}"`,
    'set logscale xy',
    'set format x "10^{%L}"',
    'set xlabel "amount of work"',
    'set ylabel "seconds"',
    'set grid',
    'set key outside bottom center',
    ...blocks,
    `plot [*:*] [0.01:*] ${lines.join(', ')}, x / 1e8 with lines dashtype 3 linecolor "gray" title "linear: 100 MB/s"`,
  ];
  execFileSync('gnuplot', [], { input: program.join('\n') });
}
