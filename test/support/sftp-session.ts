/** An SFTP session in memory: a client on one side, a small tree on the other. */
import { runSftp } from '../../src/session/sftp.ts';
import { MemoryChannel, type MemoryChannelOptions } from './memory-channel.ts';
import { MemoryFiles } from './memory-files.ts';
import { SftpPeer } from './sftp-wire.ts';

export interface TestSession {
  readonly channel: MemoryChannel;
  readonly files: MemoryFiles;
  readonly peer: SftpPeer;
  /** What `onFault` was told. */
  readonly faults: unknown[];
  /** The exit status. */
  readonly exit: Promise<number>;
}

export interface TestSessionOptions extends MemoryChannelOptions {
  readonly clientSoftware?: string;
}

/** A running session to which nothing has been said yet. */
export function openSession(options: TestSessionOptions = {}): TestSession {
  const { clientSoftware = 'OpenSSH_9.2' } = options;
  const channel = new MemoryChannel(options);
  const files = new MemoryFiles();
  files.gone = channel.gone;
  const faults: unknown[] = [];
  const exit = runSftp(channel, files, {
    userName: 'alice',
    clientSoftware,
    onFault: (error) => faults.push(error),
  }).then(async (status) => {
    await channel.finish(status);
    return status;
  });
  return { channel, files, peer: new SftpPeer(channel), faults, exit };
}

/** As `openSession`, with INIT and VERSION behind it. */
export async function startSession(options?: TestSessionOptions): Promise<TestSession> {
  const session = openSession(options);
  await session.peer.start();
  return session;
}
