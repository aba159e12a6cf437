/** A desk whose way to the server is a wire, for tests of what becomes of uploads that are cut off. */
import type { Test } from 'tap';
import { copyFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Finished } from './clients.ts';
import { writeRandom } from './content.ts';
import type { ServerOptions, TestServer } from './server.ts';
import { setDesk, type Desk } from './sftp-clients.ts';
import { Wire } from './wire.ts';

const mib = 1024 * 1024;
export const fileBytes = 10 * mib;
/** After so much a client is cut off. */
export const cutBytes = 5 * mib;
/** What of it may have been under way, be sent again, or be no content. */
export const slackBytes = 3 * mib;

export interface Line {
  /** Where the wire leads, to be ended and started. */
  readonly server: TestServer;
  /** Its server is reached by the wire. */
  readonly desk: Desk;
  readonly wire: Wire;
  /** What is to be sent. */
  readonly file: string;
}

export async function setLine(t: Test, options?: ServerOptions): Promise<Line> {
  const desk = await setDesk(t, options);
  const wire = new Wire(() => desk.server.port);
  await wire.open(t);
  knowHost({ desk, wire });
  const file = join(desk.place, 'big');
  writeRandom(file, fileBytes);
  const server = Object.create(desk.server, { port: { get: () => wire.port } }) as TestServer;
  return { server: desk.server, desk: { ...desk, server }, wire, file };
}

/** To be called again when the server was started again. */
export function knowHost({ desk: { server, place }, wire }: Pick<Line, 'desk' | 'wire'>): void {
  server.knowHostAt(wire.port);
  copyFileSync(join(server.place, 'keys/demo/known_hosts'), join(place, '.ssh', 'known_hosts'));
}

/** Runs a client and kills it, and its connection, in the middle. Rejects if it ends before. */
export async function cutOff(
  { desk, wire, ...line }: Line,
  send: (line: Line) => Promise<Finished>,
  atCut: () => Promise<unknown> | undefined = () => undefined,
): Promise<void> {
  const killer = new AbortController();
  const cut = wire.cutAfter(cutBytes, async () => {
    await atCut();
    killer.abort();
  });
  const sent = send({ ...line, wire, desk: { ...desk, kill: killer.signal } });
  const finished = await Promise.race([sent, cut.then(() => undefined)]);
  if (finished !== undefined && wire.isWhole)
    throw new Error(`nothing was cut: ${finished.stdout}${finished.stderr}`);
  await sent;
}

/** What is kept of interrupted uploads: ids. */
export function partials(server: TestServer, user = 'demo'): string[] {
  const path = server.stored('.scpd/partial', user);
  return existsSync(path) ? readdirSync(path) : [];
}

/** How much of the uploads under way is in the staging area. */
export function stagedBytes(server: TestServer): number {
  return server
    .staged()
    .reduce((sum, name) => sum + statSync(server.stored(join('.scpd/staging', name))).size, 0);
}

/** Waits for something that a server does by itself. */
export async function until(done: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000 && !done(); waitedMs += 20) await pause(20);
}
