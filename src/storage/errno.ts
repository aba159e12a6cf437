/** The one place where the host's errors become ours. */
import { ScpdError, type ErrorCode } from '../errors.ts';

/**
 * errno → code. What is missing here is STORAGE_FAILED: the client is told no more, and the log has the cause. EACCES and
 * EPERM mean that the host's permissions are in the way of the daemon, not that a rule said no.
 */
const codeOfErrno: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EACCES: 'HOST_DENIED',
  EPERM: 'HOST_DENIED',
  EROFS: 'HOST_DENIED',
  EEXIST: 'ALREADY_EXISTS',
  ENOTDIR: 'NOT_A_DIRECTORY',
  EISDIR: 'IS_A_DIRECTORY',
  ENOTEMPTY: 'DIRECTORY_NOT_EMPTY',
  ENAMETOOLONG: 'NAME_TOO_LONG',
  ELOOP: 'NOT_A_REGULAR_FILE', // O_NOFOLLOW met a link that was not there when the place was located
  ENXIO: 'NOT_A_REGULAR_FILE', // a FIFO or socket
  EXDEV: 'OTHER_FILE_SYSTEM',
  EINVAL: 'STORAGE_FAILED',
  EFBIG: 'FILE_TOO_LARGE',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
};

/** A thrown host error as ScpdError with the original as `cause`; what is no host error comes back as it is. */
export function fromErrno(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  if (error instanceof ScpdError) return error;
  return new ScpdError(codeOfErrno[error.code] ?? 'STORAGE_FAILED', error.code, { cause: error });
}

/** Runs host calls, translating what they throw. */
export async function onHost<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw fromErrno(error);
  }
}

/** As `onHost`, for the synchronous steps of the walk. */
export function onHostSync<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fromErrno(error);
  }
}

/** Whether a thrown host error has one of these errnos. */
export function hasErrno(error: unknown, ...errnos: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && errnos.includes(String(error.code));
}
