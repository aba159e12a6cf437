/** What every SFTP request handler works with. */
import type { Files } from '../guard/files.ts';
import type { HandleTable } from './sftp-handles.ts';

export interface SftpSession {
  readonly files: Files;
  readonly handles: HandleTable;
  /** Under which all files of the tree are shown. */
  readonly userName: string;
  /** Whether the client may be one that goes on with an upload that was interrupted. */
  readonly resumes: boolean;
  /** Told of what an operator should know: faults of the host or of ours. Must not throw. */
  readonly onFault: (error: unknown) => void;
  /** How many refusals were written down that had not come to `files`. */
  refusalsNoted: number;
}
