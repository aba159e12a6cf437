/** Which handler serves which SFTP request, as one table, and the one function that answers with it. */
import { clientWords, errorCatalogue, errorCode, ScpdError, type ErrorCode } from '../errors.ts';
import type { SftpReply } from '../protocol/sftp/replies.ts';
import { extensionTable, packetTable, type ServedKind, type SftpRequest } from '../protocol/sftp/requests.ts';
import { close, fsetstat, fstat, fsync, open, opendir, read, readdir, write } from './sftp-file-requests.ts';
import { lstat, mkdir, realpath, remove, rename, rmdir, setstat, stat } from './sftp-path-requests.ts';
import type { SftpSession } from './sftp-session.ts';

type Handler<Request> = (session: SftpSession, request: Request) => Promise<SftpReply>;

interface HandlerRow<Request> {
  readonly handler: Handler<Request>;
  /** It changes the tree, so the reply waits for `Files.settle`. (CLOSE settles for itself, after uploads only.) */
  readonly changes: boolean;
}

const handlers: { readonly [Kind in ServedKind]: HandlerRow<Extract<SftpRequest, { kind: Kind }>> } = {
  open: { handler: open, changes: false },
  close: { handler: close, changes: false },
  read: { handler: read, changes: false },
  write: { handler: write, changes: false },
  fstat: { handler: fstat, changes: false },
  fsetstat: { handler: fsetstat, changes: false },
  fsync: { handler: fsync, changes: false },
  opendir: { handler: opendir, changes: false },
  readdir: { handler: readdir, changes: false },
  stat: { handler: stat, changes: false },
  lstat: { handler: lstat, changes: false },
  realpath: { handler: realpath, changes: false },
  limits: { handler: async () => ({ kind: 'limits' }), changes: false },
  setstat: { handler: setstat, changes: true },
  mkdir: { handler: mkdir, changes: true },
  rmdir: { handler: rmdir, changes: true },
  remove: { handler: remove, changes: true },
  rename: { handler: rename, changes: true },
  'posix-rename': { handler: rename, changes: true },
};

export interface RequestDescription {
  readonly kind: ServedKind;
  /** The packet type, or the name of the extension. */
  readonly type: number | string;
  readonly changes: boolean;
}

/** Everything that is served, for people. */
export function describeRequests(): readonly RequestDescription[] {
  return [
    ...packetTable.map(({ kind, type }) => ({ kind, type, changes: handlers[kind].changes })),
    ...extensionTable.map(({ kind, name }) => ({ kind, type: name, changes: handlers[kind].changes })),
  ];
}

/** The reply to a request. Never rejects: what goes wrong is the reply. */
export async function answer(session: SftpSession, request: SftpRequest): Promise<SftpReply> {
  try {
    return await serve(session, request);
  } catch (error) {
    if (isFault(error)) session.onFault(error);
    return { kind: 'status', status: errorCatalogue[errorCode(error)].sftp, words: clientWords(error) };
  }
}

async function serve(session: SftpSession, request: SftpRequest): Promise<SftpReply> {
  if (request.kind === 'unsupported') throw new ScpdError('UNSUPPORTED');
  if (request.kind === 'malformed') throw new ScpdError(request.code);
  // The mapped type of `handlers` guarantees that the handler fits the request; TypeScript can't carry that through.
  const { handler, changes } = handlers[request.kind] as HandlerRow<SftpRequest>;
  const reply = await handler(session, request);
  if (changes) await session.files.settle();
  return reply;
}

const faultCodes: ReadonlySet<ErrorCode> = new Set(['STORAGE_FAILED', 'AUDIT_FAILED', 'INTERNAL']);

function isFault(error: unknown): boolean {
  return faultCodes.has(errorCode(error));
}
