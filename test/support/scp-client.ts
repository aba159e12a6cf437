/** A client of an SCP session in memory: a test says what it sends and what it reads, step by step. */
import { MemoryChannel } from './memory-channel.ts';
import { MemoryFiles } from './memory-files.ts';
import type { Files } from '../../src/guard/files.ts';
import { createStartSession, type RefusalFacts } from '../../src/session/session.ts';
import type { SessionRequest } from '../../src/session/channel.ts';
import type { Login } from '../../src/users/user.ts';

export const login: Login = {
  user: { name: 'alice', root: '/nowhere', preset: 'full', fileBytesMax: 1_000_000 },
  key: { type: 'ssh-ed25519', fingerprint: 'SHA256:x' },
  connection: { id: 'c1', address: '127.0.0.1', port: 1, clientSoftware: 'test' },
};

export interface ClientOptions {
  readonly files?: Files;
  readonly unreadBytesMax?: number;
  readonly errorsAnyTime?: boolean;
  readonly openFiles?: () => Promise<Files>;
  readonly recordRefusal?: () => void;
}

export class ScpClient {
  readonly channel: MemoryChannel;
  readonly refusals: RefusalFacts[] = [];
  readonly logged: string[] = [];
  readonly #done: Promise<void>;

  /** Starts the session for a request; a string is an exec command in UTF-8. */
  constructor(request: string | SessionRequest, files: Files, options: ClientOptions = {}) {
    this.channel = new MemoryChannel({
      ...(options.unreadBytesMax === undefined ? {} : { unreadBytesMax: options.unreadBytesMax }),
      errorsAnyTime: options.errorsAnyTime ?? false,
    });
    const log = (level: string) => (fields: object, message: string) =>
      void this.logged.push(`${level} ${message} ${'code' in fields ? String(fields.code) : ''}`);
    const start = createStartSession({
      openFiles: options.openFiles ?? (async () => files),
      recordRefusal: (_login, facts) => {
        this.refusals.push(facts);
        options.recordRefusal?.();
      },
      log: { warn: log('warn'), error: log('error') },
    });
    const wanted =
      typeof request === 'string' ? ({ kind: 'exec', command: Buffer.from(request) } as const) : request;
    this.#done = start(wanted, this.channel, login);
  }

  /** Reads bytes of the server; Latin-1, to be compared. */
  async read(lengthBytes: number): Promise<string> {
    return (await this.channel.take(lengthBytes)).toString('latin1');
  }

  /** Reads one `\x01` or `\x02` line with its newline. */
  async readLine(): Promise<string> {
    let line = '';
    while (!line.endsWith('\n')) line += await this.read(1);
    return line;
  }

  /** Sends bytes (Latin-1) and reads a `\0`, as a patient client does. Returns what came instead, if it did. */
  async ask(bytes: string): Promise<string> {
    this.channel.feed(bytes);
    const first = await this.read(1);
    return first === '\0' ? 'ok' : first + (await this.readLine());
  }

  /** Sends a whole file as scp does; the first answer that is not ok. */
  async sendFile(name: string, content: string, mode = '0644'): Promise<string> {
    const asked = await this.ask(`C${mode} ${content.length} ${name}\n`);
    if (asked !== 'ok') return asked;
    if (content !== '') this.channel.feed(content);
    return await this.ask('\0');
  }

  /** EOF, and the end of the session: what was left to read, and the exit status. */
  async finish(): Promise<{ readonly rest: string; readonly status: number | undefined }> {
    this.channel.end();
    return await this.finished();
  }

  /** The end of the session without an EOF of the client. */
  async finished(): Promise<{ readonly rest: string; readonly status: number | undefined }> {
    await this.#done;
    return { rest: this.channel.takeAll().toString('latin1'), status: this.channel.exitStatus };
  }
}

/** Everything at once and then EOF, as a client that waits for nothing. */
export async function sendAll(
  command: string,
  files: MemoryFiles,
  bytes: string,
): Promise<{ readonly rest: string; readonly status: number | undefined }> {
  const client = new ScpClient(command, files);
  client.channel.feed(bytes);
  return await client.finish();
}

/** The three codes of the protocol as the signs ␀ ␁ ␂, for regular expressions. */
export function visible(text: string): string {
  return text.replaceAll('\0', '␀').replaceAll('\x01', '␁').replaceAll('\x02', '␂');
}
