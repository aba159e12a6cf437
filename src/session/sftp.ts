/**
 * One SFTP session: reads requests from a channel, does them one after the other against `Files`, and answers in the
 * order of the requests. One request is worked on at a time and nothing is read meanwhile, so a client that sends
 * faster than the disk writes, or that never reads its answers, is slowed down by the SSH window and nothing piles up.
 */
import { errorCode } from '../errors.ts';
import type { Files } from '../guard/files.ts';
import { encodeReply, encodeVersion } from '../protocol/sftp/replies.ts';
import { RequestDecoder } from '../protocol/sftp/request-decoder.ts';
import type { Channel } from './channel.ts';
import { HandleTable } from './sftp-handles.ts';
import { ReplyQueue } from './sftp-reply-queue.ts';
import { answer } from './sftp-requests.ts';
import type { SftpSession } from './sftp-session.ts';

export interface SftpOptions {
  /** Told of faults of the host or of ours, and of a client that broke the protocol. Must not throw. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * Serves SFTP until the client's EOF, and returns the exit status for the channel: 0 after EOF, 1 when the client broke
 * the protocol or went away. What was still open is aborted. Neither `channel` nor `files` is closed here. Never rejects.
 */
export async function runSftp(channel: Channel, files: Files, options: SftpOptions = {}): Promise<number> {
  const onFault = options.onFault ?? (() => undefined);
  const session: SftpSession = { files, handles: new HandleTable(), onFault };
  const replies = new ReplyQueue(channel);
  try {
    await serveRequests(channel, session, replies);
    await session.handles.abortAll('CONNECTION_LOST');
    return 0;
  } catch (error) {
    await session.handles.abortAll(errorCode(error));
    if (errorCode(error) !== 'CONNECTION_LOST') {
      onFault(error);
      // The requests before the broken one were done; their answers are owed.
      await replies.flush().catch(() => undefined);
    }
    return 1;
  }
}

async function serveRequests(channel: Channel, session: SftpSession, replies: ReplyQueue): Promise<void> {
  const decoder = new RequestDecoder();
  for await (const chunk of channel.input) {
    for (const request of decoder.push(chunk)) {
      if (request.kind === 'init') await replies.add([encodeVersion()]);
      else await replies.add(encodeReply(request.id, await answer(session, request)));
    }
    await replies.flush();
  }
  decoder.end();
}
