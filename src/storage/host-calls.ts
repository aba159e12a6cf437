/**
 * The system calls that may wait, as promises over plain descriptors; and those that give names, which nothing else must
 * come between. They throw host errors: see `errno.ts`.
 */
import fs from 'node:fs';
import { promisify } from 'node:util';
import { paced } from '../pace.ts';

const readLater = promisify(fs.read);
const writeLater = promisify(fs.write);

type Transfer = [descriptor: number, memory: Buffer, start: number, lengthBytes: number, position: number];

export const host = {
  open: promisify(fs.open),
  close: promisify(fs.close),
  read: (...call: Transfer) =>
    paced(
      call[3],
      () => ({ bytesRead: fs.readSync(...call) }),
      () => readLater(...call),
    ),
  write: (...call: Transfer) =>
    paced(
      call[3],
      () => ({ bytesWritten: fs.writeSync(...call) }),
      () => writeLater(...call),
    ),
  fsync: promisify(fs.fsync),
  fdatasync: promisify(fs.fdatasync),
  fstat: promisify(fs.fstat),
  lstat: promisify(fs.lstat),
  statfs: promisify(fs.statfs),
  ftruncate: promisify(fs.ftruncate),
  chmod: promisify(fs.chmod),
  fchmod: promisify(fs.fchmod),
  utimes: promisify(fs.utimes),
  futimes: promisify(fs.futimes),
  lutimes: promisify(fs.lutimes),
  mkdir: promisify(fs.mkdir),
  rmdir: promisify(fs.rmdir),
  rename: promisify(fs.rename),
  link: promisify(fs.link),
  symlink: promisify(fs.symlink),
  unlink: promisify(fs.unlink),
  linkSync: fs.linkSync,
  renameSync: fs.renameSync,
  unlinkSync: fs.unlinkSync,
} as const;
