/**
 * Writes what was measured into docs/performance.md, between its two markers; what is written around them is written by
 * hand. `report.ts RESULTS PAGE`.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { median, ratioOf, type Result, type Sample } from './measure.ts';
import { writeBetween } from './page.ts';
import { proftpdMissing, proftpdName, proftpdVersion } from './proftpd.ts';

const gib = 1024 ** 3;
const [resultsFile = '', page = ''] = process.argv.slice(2);
const results = JSON.parse(readFileSync(resultsFile, 'utf8')) as Result[];

writeBetween(page, 'bench', [
  await machine(),
  ...places().flatMap((place) => [`### Files ${place}`, '', ...table(place), '']),
]);

function places(): string[] {
  return [...new Set(results.map(({ place }) => place))];
}

async function machine(): Promise<string> {
  const model = cpus()[0]?.model ?? 'unknown';
  const version = (program: string, ...words: string[]): string => {
    const text = execFileSync('sh', ['-c', `"$@" 2>&1`, 'sh', program, ...words], { encoding: 'utf8' });
    return text.split('\n')[0]?.trim() ?? '';
  };
  const loads = results.flatMap(({ load }) => load);
  const rounds = Math.min(
    ...results.flatMap(({ samples }) => ['sshd', 'scpd full'].map((peer) => samples[peer]?.length ?? 0)),
  );
  return [
    `${cpus().length} × ${model}, ${Math.round(totalmem() / gib)} GiB of memory, Linux ${release()}; Node.js ${process.version},`,
    `${version('ssh', '-V')} as client and server, ${version('pscp', '-V')}, ${version('rclone', 'version')}.`,
    ...(await secondPeer()),
    `At least ${rounds} rounds. The load average at the beginning of a run was between ${Math.min(...loads).toFixed(1)} and`,
    `${Math.max(...loads).toFixed(1)}; it counts this benchmark too.`,
    '',
  ].join('\n');
}

/** What is said of the peer beside sshd. */
async function secondPeer(): Promise<string[]> {
  const counts = results.flatMap(({ samples }) => samples[proftpdName]?.length ?? []).filter(Boolean);
  if (counts.length === 0 || proftpdMissing() !== undefined) return [];
  const why = new Set(results.flatMap(({ unable }) => unable[proftpdName] ?? []));
  const words = [...why].map((line) => `\`${line}\``).join(', ');
  return [
    `${await proftpdVersion()} with mod_sftp, which syncs nothing either, took part in at least ${Math.min(...counts)} rounds.`,
    ...(words === '' ? [] : [`Where it fails: ${words}.`]),
  ];
}

function table(place: string): string[] {
  const head = [
    'what',
    'goal',
    'sshd',
    '`full`',
    'ratio',
    '`none`',
    'ratio',
    'ProFTPD',
    '`full` / ProFTPD',
    'CPU s/GiB or ms/file: sshd',
    'scpd',
  ];
  const rows = results.filter((result) => result.place === place).map(cells);
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
}

function cells(result: Result): string[] {
  const { samples } = result;
  return [
    result.row,
    `≥ ${result.goal}`,
    seconds(samples['sshd']),
    seconds(samples['scpd full']),
    comparison(result, 'scpd full'),
    seconds(samples['scpd none']),
    comparison(result, 'scpd none'),
    proftpdName in result.unable ? 'fails' : seconds(samples[proftpdName]),
    comparison(result, 'scpd full', proftpdName),
    cpu(result, 'sshd'),
    cpu(result, 'scpd full'),
  ];
}

function seconds(samples: readonly Sample[] | undefined): string {
  return samples === undefined || samples.length === 0
    ? ''
    : `${median(samples.map((sample) => sample.seconds)).toFixed(2)} s`;
}

function comparison(result: Result, peer: string, other?: string): string {
  const found = ratioOf(result, peer, other);
  if (found === undefined) return '';
  const { ratio, low, high } = found;
  return `**${ratio.toFixed(2)}** (${low.toFixed(2)}–${high.toFixed(2)})`;
}

/** Of the server: per GiB where bytes count, else per file. */
function cpu({ samples, bytes, transfers }: Result, peer: string): string {
  const used = median((samples[peer] ?? []).map((sample) => sample.serverCpuSeconds));
  return bytes / transfers >= 1024 * 1024
    ? `${(used / (bytes / gib)).toFixed(2)} s/GiB`
    : `${((used / transfers) * 1000).toFixed(2)} ms`;
}
