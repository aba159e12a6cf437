/**
 * Which session serves which request, and how every session ends: whatever happens in it, its files are closed, the
 * client gets an exit status, and the daemon goes on.
 */
import { clientWords, errorCode, ProtocolError, type ErrorCode } from '../errors.ts';
import type { Files } from '../guard/files.ts';
import { decodeName, printable } from '../name-bytes.ts';
import type { Protocol } from '../audit/record.ts';
import {
  parseCommand,
  type CompanionCommand,
  type ParseOptions,
  type ScpSinkCommand,
  type ScpSourceCommand,
} from '../protocol/command/parse-command.ts';
import { fatalReply, warningReply } from '../protocol/scp/replies.ts';
import type { Login } from '../users/user.ts';
import type { Channel, SessionRequest } from './channel.ts';
import { runCompanion } from './commands.ts';
import type { ScpOptions, ScpRefusal } from './scp-attempt.ts';
import { programBehind, runPseudoShell } from './pseudo-shell.ts';
import { runScpSink } from './scp-sink.ts';
import { runScpSource } from './scp-source.ts';
import { runSftp } from './sftp.ts';
import type { StartSession } from './start.ts';

/** What was not served. `text` is what was asked for, or the name of a file, through `decodeName`. */
export interface RefusalFacts {
  readonly operation: 'exec' | 'shell' | 'subsystem' | ScpRefusal['operation'];
  readonly text: string;
  /** COMMAND_REFUSED if absent. */
  readonly error?: ErrorCode;
}

/** As much of pino's logger as is used here. */
export interface SessionLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface SessionOpening {
  /** What the client asked for, such as a command, through `decodeName`. */
  readonly asked: string;
  /** Ends what goes on in it when the client is gone. */
  readonly gone: AbortSignal;
}

export interface SessionDependencies {
  /** The user's tree for one session. May reject with `ScpdError`. */
  openFiles(login: Login, protocol: Protocol, facts: SessionOpening): Promise<Files>;
  /** Writes the audit record of a refusal. */
  recordRefusal(login: Login, facts: RefusalFacts): Promise<void> | void;
  readonly log: SessionLog;
  /** What becomes of `scp -t two words`; refused if absent. */
  readonly unquotedSpaces?: ParseOptions['unquotedSpaces'];
}

export function createStartSession(dependencies: SessionDependencies): StartSession {
  return async (request, channel, login) => {
    let exitStatus = 1;
    try {
      exitStatus = await serve(request, { dependencies, channel, login, asked: askedIn(request) });
    } catch (error) {
      // Only a fault of ours comes here; the client must not wait for an end in vain.
      report(error, { dependencies, login });
    }
    await channel.finish(exitStatus);
  };
}

interface Session {
  readonly dependencies: SessionDependencies;
  readonly channel: Channel;
  readonly login: Login;
  readonly asked: string;
}

function askedIn(request: SessionRequest): string {
  if (request.kind === 'exec') return decodeName(request.command);
  return request.kind === 'shell' ? '' : request.name;
}

/** A request → its exit status. A refused one is 1: nothing of what was asked for has been done. */
async function serve(request: SessionRequest, session: Session): Promise<number> {
  if (request.kind === 'exec') return await serveCommand(request.command, session);
  if (request.kind === 'shell') return await serveShell(request.hadTerminal, session);
  if (request.name === 'sftp') return await serveSftp(session);
  return await refuse(session, {
    facts: { operation: 'subsystem', text: request.name },
    words: `subsystem not available: ${printable(request.name, 100)}`,
  });
}

async function serveCommand(bytes: Buffer, session: Session): Promise<number> {
  const { dependencies, login } = session;
  const { unquotedSpaces = 'refuse' } = dependencies;
  const command = parseCommand(bytes, { userName: login.user.name, unquotedSpaces });
  if (command.kind === 'scp-sink' || command.kind === 'scp-source') return await serveScp(command, session);
  if (command.kind === 'sftp-server') return await serveSftp(session);
  if (command.kind === 'companion') return await serveCompanion(command, session);
  const facts = { operation: 'exec', text: session.asked } as const;
  if (command.kind === 'refused') return await refuse(session, { facts, words: command.words });
  await record(session, facts);
  await session.channel.write(warningReply(command.words));
  return 1;
}

/** A program that drives a shell by `echo` is served; everybody else is told that there is none. */
async function serveShell(hadTerminal: boolean, session: Session): Promise<number> {
  const { channel, dependencies, login } = session;
  const program = hadTerminal ? undefined : await programOrGone(channel);
  if (program === undefined) {
    const name = printable(login.user.name);
    // Not 0: a script that is piped into a shell must learn that no line of it was run.
    return await refuse(session, {
      facts: { operation: 'shell', text: '' },
      words: `Hi ${name}: this account only transfers files (scp, sftp); there is no shell here.`,
    });
  }
  const { unquotedSpaces = 'refuse' } = dependencies;
  const shell = {
    channel,
    options: scpOptions(session),
    parse: { userName: login.user.name, unquotedSpaces },
    onRefused: (text: string) => record(session, { operation: 'shell', text }),
  };
  return await withFiles(session, {
    protocol: 'scp',
    run: (files) => runPseudoShell({ ...shell, files }, program),
    say: (words) => channel.writeError(words),
  });
}

/** A client that is gone, or that sends a line without end, is no program that we know. */
async function programOrGone(channel: Channel): ReturnType<typeof programBehind> {
  try {
    return await programBehind(channel);
  } catch (error) {
    if (errorCode(error) === 'CONNECTION_LOST' || errorCode(error) === 'PROTOCOL_BROKEN') return undefined;
    throw error;
  }
}

async function serveScp(command: ScpSinkCommand | ScpSourceCommand, session: Session): Promise<number> {
  const { channel } = session;
  const options = scpOptions(session);
  const run = async (files: Files): Promise<number> =>
    command.kind === 'scp-sink'
      ? await runScpSink(channel, files, command, options)
      : await runScpSource(channel, files, command, options);
  return await withFiles(session, { protocol: 'scp', run, say: (words) => channel.write(fatalReply(words)) });
}

async function serveCompanion(command: CompanionCommand, session: Session): Promise<number> {
  const { channel, login } = session;
  const options = scpOptions(session);
  const userName = login.user.name;
  return await withFiles(session, {
    protocol: 'ssh',
    run: (files) => runCompanion({ channel, files, userName, options }, command),
    say: (words) => channel.writeError(`${command.name}: ${words}`),
  });
}

function scpOptions(session: Session): ScpOptions {
  return {
    onFault: (error) => report(error, session),
    onRefusal: ({ operation, path, error }) => record(session, { operation, text: path, error }),
  };
}

async function serveSftp(session: Session): Promise<number> {
  const { channel } = session;
  const onFault = (error: unknown): void => report(error, session);
  return await withFiles(session, {
    protocol: 'sftp',
    run: (files) =>
      runSftp(channel, files, {
        userName: session.login.user.name,
        clientSoftware: session.login.connection.clientSoftware,
        onFault,
      }),
    say: (words) => channel.writeError(`sftp: ${words}`),
  });
}

interface Service {
  readonly protocol: Protocol;
  readonly run: (files: Files) => Promise<number>;
  /** Tells the client why its session ends. */
  readonly say: (words: string) => Promise<void>;
}

async function withFiles(session: Session, { protocol, run, say }: Service): Promise<number> {
  let files: Files | undefined;
  let reason: unknown;
  try {
    const { asked, channel } = session;
    files = await session.dependencies.openFiles(session.login, protocol, { asked, gone: channel.gone });
    return await run(files);
  } catch (error) {
    reason = error;
    report(error, session);
    const words = error instanceof ProtocolError ? `protocol error: ${error.message}` : clientWords(error);
    // The client may be gone, or no longer listen; its exit status says the same.
    await say(words).catch(() => undefined);
    return 1;
  } finally {
    await files?.close(reason === undefined ? 'CONNECTION_LOST' : errorCode(reason));
  }
}

async function refuse(
  session: Session,
  { facts, words }: { readonly facts: RefusalFacts; readonly words: string },
): Promise<number> {
  await record(session, facts);
  await session.channel.writeError(words);
  return 1;
}

/** A journal that can't be written makes a refusal no less of one. */
async function record(session: Session, facts: RefusalFacts): Promise<void> {
  try {
    await session.dependencies.recordRefusal(session.login, facts);
  } catch (error) {
    report(error, session);
  }
}

/** For the operator: what a peer did wrong is a warning, what the host or we did wrong is an error. */
function report(error: unknown, { dependencies, login }: Pick<Session, 'dependencies' | 'login'>): void {
  const code = errorCode(error);
  if (code === 'CONNECTION_LOST') return;
  const fields = { connection: login.connection.id, user: login.user.name, code, err: error };
  if (code === 'PROTOCOL_BROKEN') dependencies.log.warn(fields, 'the client broke the protocol');
  else dependencies.log.error(fields, 'a session failed');
}
