/** What every SFTP request handler works with. */
import type { Files } from '../guard/files.ts';
import type { HandleTable } from './sftp-handles.ts';

export interface SftpSession {
  readonly files: Files;
  readonly handles: HandleTable;
  /** Told of what an operator should know: faults of the host or of ours. Must not throw. */
  readonly onFault: (error: unknown) => void;
}
