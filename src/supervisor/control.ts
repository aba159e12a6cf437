/**
 * The Unix socket by which `scpd status` and its like reach a running server: one line of JSON asks, one line answers. Who
 * may open the socket may do everything that it offers, so it is closed to all but its owner.
 */
import { chmodSync, closeSync, constants, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import type { Logger } from 'pino';
import { controlConnectionsMax, controlRequestBytesMax, controlRequestMsMax } from '../limits.ts';

export type ControlRequest =
  | { readonly command: 'status' | 'reload' | 'restart' | 'stop' }
  | { readonly command: 'kill'; readonly connection: string };

/** Answers with something that JSON can say. */
export type ControlHandler = (request: ControlRequest) => Promise<object>;

const commands: ReadonlySet<unknown> = new Set(['status', 'reload', 'restart', 'stop', 'kill']);

export interface ControlServer {
  /** Stops listening, so that another process can; who has asked is still answered. */
  release(): void;
  close(): void;
}

/** Listens. Throws an Error for the operator, also if another server listens there. */
export async function openControl(path: string, handle: ControlHandler, log: Logger): Promise<ControlServer> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const place = shortPath(path);
  try {
    await makeRoom(path, place.path);
    const connections = new Set<Socket>();
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      connections.add(socket);
      socket.on('close', () => connections.delete(socket));
      if (connections.size > controlConnectionsMax) socket.destroy();
      else void serve(socket, handle, log);
    });
    await listen(server, place.path);
    let isListening = true;
    const release = (): void => {
      if (!isListening) return;
      isListening = false;
      server.close();
      place.release();
    };
    return {
      release,
      close: () => {
        release();
        for (const socket of connections) socket.destroySoon();
      },
    };
  } catch (error) {
    place.release();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot open the control socket ${path}: ${reason}`, { cause: error });
  }
}

/** Asks a running server. Rejects if there is none, with what `connect` says. */
export async function askControl(path: string, request: ControlRequest): Promise<object> {
  const place = shortPath(path);
  try {
    const socket = connect(place.path);
    socket.setEncoding('utf8');
    socket.write(`${JSON.stringify(request)}\n`);
    let answer = '';
    for await (const text of socket) answer += String(text);
    return JSON.parse(answer) as object;
  } finally {
    place.release();
  }
}

/** The name of a socket has at most 107 bytes (unix(7)); through a descriptor of its directory it is short. */
function shortPath(path: string): { readonly path: string; readonly release: () => void } {
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${directory}/${basename(path)}`, release: () => closeSync(directory) };
}

/** Removes what a server that was killed has left. */
async function makeRoom(path: string, shortened: string): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(shortened, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
  if (answers) throw new Error('another scpd serves with this configuration');
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function listen(server: Server, path: string): Promise<void> {
  // The socket is made within `listen`, so it is never open to anybody else.
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
      process.umask(umask);
    });
    chmodSync(path, 0o600);
  } finally {
    process.umask(umask);
  }
}

async function serve(socket: Socket, handle: ControlHandler, log: Logger): Promise<void> {
  const timer = setTimeout(() => socket.destroy(), controlRequestMsMax);
  try {
    const request = await readRequest(socket);
    clearTimeout(timer);
    socket.end(`${JSON.stringify(await handle(request))}\n`);
  } catch (error) {
    log.warn({ err: error }, 'a request to the control socket failed');
    socket.destroy();
  } finally {
    clearTimeout(timer);
  }
}

async function readRequest(socket: Socket): Promise<ControlRequest> {
  const text = await new Promise<string>((resolve, reject) => {
    let read = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      read += chunk;
      if (read.length > controlRequestBytesMax) reject(new Error('the request is too long'));
      else if (read.includes('\n')) resolve(read);
    });
    socket.on('close', () => reject(new Error('it went away')));
  });
  const request = JSON.parse(text) as { readonly command?: unknown; readonly connection?: unknown };
  const isKill = request.command === 'kill';
  if (!commands.has(request.command) || (isKill && typeof request.connection !== 'string'))
    throw new Error('an unknown request');
  return request as ControlRequest;
}
