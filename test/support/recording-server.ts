/** A server within the test's own process that writes the wire of each exec session into a transcript. */
import { pino } from 'pino';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer as compose, type RunningServer } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Channel } from '../../src/session/channel.ts';
import type { StartSession } from '../../src/session/start.ts';
import { TestServer } from './server.ts';
import { renderTranscript, type TranscriptEntry } from './transcript.ts';

export class RecordingServer extends TestServer {
  /** The name of the next transcript, and what stands at its top; sessions without a name are not recorded. */
  next: { readonly name: string; readonly comment: string } | undefined;
  readonly #directory: string;
  #running: RunningServer | undefined;

  /** @param directory where transcripts are written */
  constructor(place: string, directory: string) {
    super(place);
    this.#directory = directory;
  }

  override async start(): Promise<void> {
    const config = await loadConfig(join(this.place, 'config', 'scpd.json'));
    const around = (start: StartSession): StartSession => this.#recording(start);
    this.#running = await compose(config, pino({ level: 'silent' }), { around });
    this.listening(this.#running.addresses[0]?.port ?? 0);
  }

  override async end(): Promise<{ readonly status: number; readonly signal: null }> {
    await this.#running?.stop();
    this.#running = undefined;
    return { status: 0, signal: null };
  }

  #recording(start: StartSession): StartSession {
    return async (request, channel, login) => {
      const facts = this.next;
      if (request.kind !== 'exec' || facts === undefined) return await start(request, channel, login);
      const entries: TranscriptEntry[] = [];
      await start(request, recordingChannel(channel, entries), login);
      const text = renderTranscript({ comment: facts.comment, command: request.command, entries });
      writeFileSync(join(this.#directory, `${facts.name}.txt`), text);
    };
  }
}

function recordingChannel(channel: Channel, entries: TranscriptEntry[]): Channel {
  async function* input(): AsyncGenerator<Buffer> {
    for await (const bytes of channel.input) {
      entries.push({ kind: 'client', bytes: Buffer.from(bytes) });
      yield bytes;
    }
  }
  return {
    input: {
      [Symbol.asyncIterator]: input,
      get hasArrived() {
        return channel.input.hasArrived;
      },
    },
    gone: channel.gone,
    write: (bytes) => {
      entries.push({ kind: 'server', bytes: Buffer.from(bytes) });
      return channel.write(bytes);
    },
    writeError: (text) => {
      entries.push({ kind: 'error', text });
      return channel.writeError(text);
    },
    finish: (status) => {
      if (entries.at(-1)?.kind !== 'status') entries.push({ kind: 'status', status });
      return channel.finish(status);
    },
  };
}
