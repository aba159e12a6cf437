/** Runs a row with each peer in turn, round after round, so that whatever else the machine does falls on all of them. */
import { loadavg } from 'node:os';
import { run } from '../support/clients.ts';
import type { Desk } from './clients.ts';
import type { Peer } from './peers.ts';
import { cpuSecondsOf, cpuSecondsOfEnded } from './process-tree.ts';
import { proftpdName } from './proftpd.ts';
import type { Far, Row } from './rows.ts';

/** How long a server gets to reap its children, before its CPU time is read. */
const reapingMs = 200;
const syncMsMax = 600_000;

export interface Sample {
  readonly seconds: number;
  readonly serverCpuSeconds: number;
  readonly clientCpuSeconds: number;
}

export interface Result {
  readonly row: string;
  readonly place: string;
  readonly goal: number;
  readonly bytes: number;
  readonly transfers: number;
  /** Load average of one minute: the lowest and highest at the beginning of a run. */
  readonly load: readonly [number, number];
  /** By the peers' names, in the order of the rounds. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
  /** Whose part in it failed, and with which words. Only a second peer's may. */
  readonly unable: Readonly<Record<string, string>>;
}

export interface Bench {
  readonly place: string;
  readonly desk: Desk;
  readonly peers: readonly Peer[];
  readonly rounds: number;
  /** Of the peer beside sshd and scpd, in the first ones. */
  readonly secondRounds: number;
  readonly far: Far;
}

export async function measure(row: Row, bench: Bench): Promise<Result> {
  const { peers, rounds, secondRounds, place } = bench;
  const chosen = peers.filter((peer) => row.stores || peer.name !== 'scpd none');
  const samples: Record<string, Sample[]> = Object.fromEntries(chosen.map(({ name }) => [name, []]));
  const loads: number[] = [];
  const unable: Record<string, string> = {};
  for (let round = 0; round < rounds; round += 1) {
    // Whoever comes first in a round would always find the caches in the same state.
    const order = [...chosen.slice(round % chosen.length), ...chosen.slice(0, round % chosen.length)];
    for (const peer of order) {
      const isSecond = peer.name === proftpdName;
      if (peer.name in unable || (isSecond && round >= secondRounds)) continue;
      loads.push(loadavg()[0] ?? 0);
      try {
        samples[peer.name]?.push(await checkedOnce(row, bench, peer));
      } catch (error) {
        if (!isSecond) throw error;
        unable[peer.name] = firstLine(error, peer);
      }
    }
  }
  const { name, goal, bytes, transfers } = row;
  return {
    row: name,
    place,
    goal,
    bytes,
    transfers,
    load: [Math.min(...loads), Math.max(...loads)],
    samples,
    unable,
  };
}

function firstLine(error: unknown, { directory }: Peer): string {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replaceAll(directory, '').trim();
}

async function checkedOnce(row: Row, bench: Bench, peer: Peer): Promise<Sample> {
  row.prepare(bench.desk, peer);
  if (bench.place !== 'tmpfs') await run('sync', [], { timeoutMs: syncMsMax });
  const sample = await once(row, bench, peer);
  row.check(bench.desk, peer);
  return sample;
}

async function once(row: Row, { desk, far }: Bench, peer: Peer): Promise<Sample> {
  const [serverBefore, clientBefore] = [cpuSecondsOf(peer.pid), cpuSecondsOfEnded()];
  const began = performance.now();
  await row.run(desk, peer, far);
  const seconds = (performance.now() - began) / 1000;
  await new Promise((resolve) => setTimeout(resolve, reapingMs));
  return {
    seconds,
    serverCpuSeconds: cpuSecondsOf(peer.pid) - serverBefore,
    clientCpuSeconds: cpuSecondsOfEnded() - clientBefore,
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}

/** How many times faster a peer was than another, sshd: of the medians, and the lowest and highest of a round. */
export function ratioOf(
  result: Result,
  peer: string,
  other = 'sshd',
): { ratio: number; low: number; high: number } | undefined {
  const seconds = (name: string): number[] => (result.samples[name] ?? []).map((sample) => sample.seconds);
  const [theirs, ours] = [seconds(other), seconds(peer)];
  if (theirs.length === 0 || ours.length === 0) return undefined;
  const rounds = theirs.flatMap((value, index) => (index < ours.length ? value / (ours[index] ?? NaN) : []));
  return { ratio: median(theirs) / median(ours), low: Math.min(...rounds), high: Math.max(...rounds) };
}
