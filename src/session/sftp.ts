/**
 * One SFTP session: reads requests from a channel, begins them as they come, and answers in the order of the requests. What
 * is begun and not yet answered is bounded (`Pipeline`), so a client that sends faster than the disk writes, or that never
 * reads its answers, is slowed down by the SSH window and nothing piles up.
 */
import { blocks } from '../blocks.ts';
import { errorCode } from '../errors.ts';
import type { Files } from '../guard/files.ts';
import { giveWay } from '../pace.ts';
import { encodeVersion, type SftpReply } from '../protocol/sftp/replies.ts';
import { RequestDecoder } from '../protocol/sftp/request-decoder.ts';
import type { SftpRequest } from '../protocol/sftp/requests.ts';
import type { Channel } from './channel.ts';
import { HandleTable } from './sftp-handles.ts';
import { RequestOrder } from './sftp-order.ts';
import { Pipeline } from './sftp-pipeline.ts';
import { ReplyQueue } from './sftp-reply-queue.ts';
import { answer, claims, heldBytes, isUseful } from './sftp-requests.ts';
import type { SftpSession } from './sftp-session.ts';
import { WriteGatherer } from './sftp-write-gatherer.ts';

export interface SftpOptions {
  readonly userName: string;
  /** What the client calls itself (RFC 4253, section 4.2). */
  readonly clientSoftware?: string;
  /** Told of faults of the host or of ours, and of a client that broke the protocol. Must not throw. */
  readonly onFault?: (error: unknown) => void;
}

/**
 * Clients that send SYMLINK in the draft's order: Erlang always, AsyncSSH to servers that don't call themselves OpenSSH or
 * paramiko. All others send the target first, as `decodeSymlink` has it.
 */
const sendsLinkFirst = /^(AsyncSSH|Erlang)/;

/**
 * Clients that send a file whole or not at all: what came of an interrupted upload is nothing to them, and must not look like
 * the file. Whoever is not known may resume (OpenSSH's sftp and what runs over its ssh, PuTTY, curl, WinSCP, JSch do).
 */
const neverResumes = /^(rclone|paramiko|AsyncSSH|ssh2js)/;

/**
 * Serves SFTP until the client's EOF, and returns the exit status for the channel: 0 after EOF, 1 when the client broke
 * the protocol or went away. What was still open is aborted. Neither `channel` nor `files` is closed here. Never rejects.
 */
export async function runSftp(channel: Channel, files: Files, options: SftpOptions): Promise<number> {
  return await new SftpServer(channel, files, options).run();
}

class SftpServer {
  readonly #channel: Channel;
  readonly #session: SftpSession;
  readonly #replies: ReplyQueue;
  readonly #pipeline: Pipeline;
  readonly #order = new RequestOrder();
  readonly #writes = new WriteGatherer();
  readonly #sendsLinkFirst: boolean;

  constructor(channel: Channel, files: Files, options: SftpOptions) {
    const { userName, clientSoftware = '', onFault = () => undefined } = options;
    this.#channel = channel;
    this.#sendsLinkFirst = sendsLinkFirst.test(clientSoftware);
    this.#session = {
      files,
      handles: new HandleTable(),
      userName,
      resumes: !neverResumes.test(clientSoftware),
      onFault,
      refusalsNoted: 0,
    };
    this.#replies = new ReplyQueue(channel);
    this.#pipeline = new Pipeline(this.#replies);
  }

  async run(): Promise<number> {
    const { handles, onFault } = this.#session;
    try {
      await this.#serve();
      await handles.abortAll('CONNECTION_LOST');
      return 0;
    } catch (error) {
      if (errorCode(error) !== 'CONNECTION_LOST') {
        onFault(error);
        // The requests before the broken one were done; their answers are owed.
        await this.#pipeline.answered().catch(() => undefined);
      }
      await this.#pipeline.ended();
      await handles.abortAll(errorCode(error));
      return 1;
    }
  }

  async #serve(): Promise<void> {
    const decoder = new RequestDecoder((lengthBytes) => blocks.take(lengthBytes));
    for await (const chunk of this.#channel.input) {
      for (const request of decoder.push(chunk)) {
        const held = request.kind === 'init' ? 0 : heldBytes(request);
        // Not awaited where there is room, so that all of a chunk begins in one turn and can be gathered.
        if (!this.#pipeline.hasRoom(held)) {
          await this.#pipeline.room(held);
          await giveWay(); // many are answered at once, and there are thousands in a chunk
        }
        if (request.kind === 'init') await this.#greet();
        else this.#pipeline.add(request.id, held, this.#run(request));
      }
    }
    decoder.end();
    await this.#pipeline.answered();
  }

  async #greet(): Promise<void> {
    await this.#replies.add([encodeVersion((kind) => isUseful(kind, this.#session.files))]);
    await this.#replies.flush();
  }

  #run(received: SftpRequest): Promise<SftpReply> {
    const isSwapped = received.kind === 'symlink' && this.#sendsLinkFirst;
    const request = isSwapped ? { ...received, path: received.target, target: received.path } : received;
    const touched = claims(this.#session, request);
    if (request.kind === 'write') {
      const run = (take: () => SftpRequest): Promise<SftpReply> =>
        this.#order.run(touched, () => answer(this.#session, take()));
      const written = this.#writes.join(request) ?? this.#writes.begin(request, run);
      return written.finally(() => blocks.giveBack(request.data));
    }
    for (const handle of touched.handles) this.#writes.end(handle);
    return this.#order.run(touched, () => answer(this.#session, request));
  }
}
