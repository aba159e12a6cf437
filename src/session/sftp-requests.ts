/** Which handler serves which SFTP request, as one table, and the one function that answers with it. */
import { clientWords, errorCatalogue, errorCode, ScpdError, type ErrorCode } from '../errors.ts';
import type { Verb } from '../guard/access.ts';
import type { Files } from '../guard/files.ts';
import { virtualPath } from '../guard/virtual-path.ts';
import {
  sftpListingBytesMax,
  sftpReadBytesMax,
  sftpRefusalsNotedMax,
  sftpWorkChunkBytes,
} from '../limits.ts';
import { okReply, type SftpReply } from '../protocol/sftp/replies.ts';
import { extensionTable, packetTable, type ServedKind, type SftpRequest } from '../protocol/sftp/requests.ts';
import { checkFileHandle, checkFileName, copyData } from './sftp-content-requests.ts';
import {
  expandPath,
  fstatvfs,
  homeDirectory,
  ownerNames,
  spaceAvailable,
  statvfs,
} from './sftp-extended-requests.ts';
import {
  close,
  fsetstat,
  fstat,
  fsync,
  handleReason,
  open,
  opendir,
  read,
  readdir,
  write,
} from './sftp-file-requests.ts';
import { claimsOf, type Claims } from './sftp-order.ts';
import {
  hardlink,
  mkdir,
  readlink,
  realpath,
  remove,
  rename,
  rmdir,
  setstat,
  stat,
  symlink,
} from './sftp-path-requests.ts';
import type { SftpSession } from './sftp-session.ts';

type Handler<Request> = (session: SftpSession, request: Request) => Promise<SftpReply>;

interface HandlerRow<Request> {
  readonly handler: Handler<Request>;
  /** It changes the tree, so the reply waits for `Files.settle`. (CLOSE settles for itself, after uploads only.) */
  readonly changes: boolean;
  /**
   * What the rules are asked about, in one case or another; nothing where the handle was asked about when it was opened, or
   * nothing is to be decided. An extension is offered to those who may do all of it somewhere.
   */
  readonly verbs: readonly Verb[];
}

const handlers: { readonly [Kind in ServedKind]: HandlerRow<Extract<SftpRequest, { kind: Kind }>> } = {
  open: { handler: open, changes: false, verbs: ['read', 'create', 'overwrite', 'append'] },
  close: { handler: close, changes: false, verbs: [] },
  read: { handler: read, changes: false, verbs: [] },
  write: { handler: write, changes: false, verbs: [] },
  fstat: { handler: fstat, changes: false, verbs: [] },
  fsetstat: { handler: fsetstat, changes: false, verbs: [] },
  opendir: { handler: opendir, changes: false, verbs: ['list'] },
  readdir: { handler: readdir, changes: false, verbs: [] },
  stat: { handler: stat, changes: false, verbs: ['stat'] },
  lstat: { handler: stat, changes: false, verbs: ['stat'] },
  readlink: { handler: readlink, changes: false, verbs: ['stat'] },
  realpath: { handler: realpath, changes: false, verbs: [] },
  setstat: { handler: setstat, changes: true, verbs: ['attributes', 'overwrite'] },
  mkdir: { handler: mkdir, changes: true, verbs: ['mkdir'] },
  rmdir: { handler: rmdir, changes: true, verbs: ['rmdir'] },
  remove: { handler: remove, changes: true, verbs: ['delete'] },
  rename: { handler: rename, changes: true, verbs: ['rename', 'create'] },
  symlink: { handler: symlink, changes: true, verbs: ['symlink'] },
  'posix-rename': { handler: rename, changes: true, verbs: ['rename', 'create'] },
  statvfs: { handler: statvfs, changes: false, verbs: ['stat'] },
  fstatvfs: { handler: fstatvfs, changes: false, verbs: ['stat'] },
  hardlink: { handler: hardlink, changes: true, verbs: ['read', 'attributes', 'create'] },
  fsync: { handler: fsync, changes: false, verbs: ['create'] },
  lsetstat: { handler: setstat, changes: true, verbs: ['attributes'] },
  limits: { handler: async () => ({ kind: 'limits' }), changes: false, verbs: [] },
  'expand-path': { handler: expandPath, changes: false, verbs: [] },
  'copy-data': { handler: copyData, changes: false, verbs: ['read', 'create'] },
  'home-directory': { handler: homeDirectory, changes: false, verbs: [] },
  'owner-names': { handler: ownerNames, changes: false, verbs: [] },
  'check-file': { handler: checkFileHandle, changes: false, verbs: ['read'] },
  'check-file-handle': { handler: checkFileHandle, changes: false, verbs: ['read'] },
  'check-file-name': { handler: checkFileName, changes: false, verbs: ['hash'] },
  'space-available': { handler: spaceAvailable, changes: false, verbs: ['stat'] },
  'vendor-id': { handler: async () => okReply, changes: false, verbs: [] },
};

export interface RequestDescription {
  readonly kind: ServedKind;
  /** The packet type, or the name of the extension. */
  readonly type: number | string;
  readonly changes: boolean;
  readonly verbs: readonly Verb[];
}

/** Everything that is served, for people. */
export function describeRequests(): readonly RequestDescription[] {
  return [
    ...packetTable.map(({ kind, type }) => ({ kind, type })),
    ...extensionTable.map(({ kind, name }) => ({ kind, type: name })),
  ].map((row) => ({ ...row, changes: handlers[row.kind].changes, verbs: handlers[row.kind].verbs }));
}

/** Whether the rules of this user can allow the request on anything; if not, VERSION does not offer it. */
export function isUseful(kind: ServedKind, files: Files): boolean {
  return handlers[kind].verbs.every((verb) => files.mayEver(verb));
}

/** What the request touches, for `RequestOrder`. */
export function claims(session: SftpSession, request: SftpRequest): Claims {
  if (request.kind === 'unsupported' || request.kind === 'malformed') return noClaims;
  return claimsOf(request, session.handles, handlers[request.kind].changes);
}

const noClaims: Claims = { handles: [], paths: [], changes: false };

/** How much a request may hold until it is answered, at most or nearly; every one of them counts for something. */
export function heldBytes(request: SftpRequest): number {
  if (request.kind === 'write') return requestBytes + request.data.length;
  if (request.kind === 'read') return requestBytes + Math.min(request.lengthBytes, sftpReadBytesMax);
  return requestBytes + (workBytes[request.kind] ?? 0);
}

const requestBytes = 1024;

/** What requests hold beside themselves. */
const workBytes: Partial<Record<SftpRequest['kind'], number>> = {
  readdir: sftpListingBytesMax,
  // It may have to read the file once more for its hash; most don't.
  close: sftpWorkChunkBytes / 16,
  'copy-data': sftpWorkChunkBytes,
  'check-file': sftpWorkChunkBytes,
  'check-file-handle': sftpWorkChunkBytes,
  'check-file-name': sftpWorkChunkBytes,
};

/** The reply to a request. Never rejects: what goes wrong is the reply. */
export async function answer(session: SftpSession, request: SftpRequest): Promise<SftpReply> {
  try {
    return await serve(session, request);
  } catch (error) {
    if (isFault(error)) session.onFault(error);
    noteRefusal(session, request, error);
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

/** What was refused before it came to `Files`, which would have written it down. */
function noteRefusal(session: SftpSession, request: SftpRequest, error: unknown): void {
  const what = refusedHere(session, request, error);
  if (what === undefined || session.refusalsNoted >= sftpRefusalsNotedMax) return;
  session.refusalsNoted += 1;
  const rule = error instanceof ScpdError ? error.rule : undefined;
  session.files.noteRefusal({ what, error: errorCode(error), ...(rule && { rule }) });
}

function refusedHere(session: SftpSession, request: SftpRequest, error: unknown): string | undefined {
  if (request.kind === 'unsupported' || request.kind === 'malformed') return request.what;
  const code = errorCode(error);
  const noPath = pathsIn(request).find((name) => !isPath(name));
  if (noPath !== undefined) return `sftp ${request.kind} ${noPath}`;
  const isOfHandle = error instanceof ScpdError && error.rule?.reason === handleReason;
  const isHash = request.kind.startsWith('check-file') && code === 'UNSUPPORTED';
  if (code !== 'TOO_MANY_HANDLES' && !isOfHandle && !isHash) return undefined;
  const [path] = 'handle' in request ? [session.handles.find(request.handle)?.path] : pathsIn(request);
  return path === undefined ? `sftp ${request.kind}` : `sftp ${request.kind} ${path}`;
}

function pathsIn(request: SftpRequest): readonly string[] {
  if ('from' in request) return [request.from, request.to];
  return 'path' in request ? [request.path] : [];
}

function isPath(text: string): boolean {
  try {
    virtualPath(text);
    return true;
  } catch {
    return false;
  }
}

const faultCodes: ReadonlySet<ErrorCode> = new Set(['STORAGE_FAILED', 'AUDIT_FAILED', 'INTERNAL']);

function isFault(error: unknown): boolean {
  return faultCodes.has(errorCode(error));
}
