/**
 * Goal: the machines understand what real clients sent, in whatever pieces it comes, and would have said what was said. Each
 * file of test/transcripts/ is replayed without the client: uploads through `ScpSink`, downloads through `ScpSource`.
 */
import t, { type Test } from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCommand, type Command } from '../../../src/protocol/command/parse-command.ts';
import { ScpSink } from '../../../src/protocol/scp/sink.ts';
import { ScpSource } from '../../../src/protocol/scp/source.ts';
import { Chance } from '../../support/chance.ts';
import { bytesOf, parseTranscript, renderTranscript, type Transcript } from '../../support/transcript.ts';

const directory = fileURLToPath(new URL('../../transcripts', import.meta.url));
const files = readdirSync(directory).filter((name) => name.endsWith('.txt'));

/** The answers that the server gave, one after the other: a zero, or a line. */
function* answersIn(bytes: Buffer): Generator<Buffer, undefined> {
  for (let offset = 0; offset < bytes.length;) {
    const end = bytes[offset] === 0 ? offset + 1 : bytes.indexOf(0x0a, offset) + 1;
    yield bytes.subarray(offset, end);
    offset = end;
  }
}

/** Replays an upload: every answer must be one that the machine could give at that point. */
function replayUpload(t: Test, transcript: Transcript, recursive: boolean, pieces: readonly Buffer[]): void {
  const answers = answersIn(bytesOf(transcript, 'server'));
  const said: Buffer[] = [];
  const sink = new ScpSink({ recursive });
  const answer = (): void => {
    const recorded = answers.next().value ?? Buffer.alloc(0);
    const words = recorded
      .toString()
      .slice(1)
      .trimEnd()
      .replace(/^scp: /, '');
    said.push(recorded[0] === 0 ? sink.accept() : sink.warn(words));
  };
  const silent = new Set(['data', 'remoteError', 'end']);
  let isComplete = false;
  answer();
  for (const piece of pieces) {
    if (sink.isOver) break;
    for (const event of sink.push(piece)) if (!silent.has(event.kind)) answer();
  }
  if (!sink.isOver) {
    for (const event of sink.end()) {
      if (event.kind === 'end') isComplete = event.complete;
      else if (!silent.has(event.kind)) answer();
    }
  }
  t.same(Buffer.concat(said), bytesOf(transcript, 'server'), 'the same answers');
  t.ok(isComplete || sink.isOver, 'the input ended where it may');
}

/** Replays a download: what the server sent is read back, made again record by record, and answered by the client. */
function replayDownload(
  t: Test,
  transcript: Transcript,
  recursive: boolean,
  pieces: readonly Buffer[],
): void {
  const source = new ScpSource();
  const reader = new ScpSink({ recursive });
  const said: Buffer[] = [];
  const waiting = [...pieces];
  const isTaken = (): void => {
    for (let taken = source.answer(); taken === undefined; taken = source.answer()) {
      const piece = waiting.shift();
      if (piece === undefined) return;
      source.push(piece);
    }
  };
  isTaken();
  reader.accept();
  const says = (bytes: Buffer): void => {
    said.push(bytes);
    isTaken();
    reader.accept();
  };
  const times: { modifiedSeconds: number; accessedSeconds: number }[] = [];
  const server = bytesOf(transcript, 'server');
  for (const found of server.toString('latin1').matchAll(/T(\d+) 0 (\d+) 0\n/g))
    times.push({ modifiedSeconds: Number(found[1]), accessedSeconds: Number(found[2]) });
  for (const event of reader.push(server)) {
    if (event.kind === 'times')
      says(source.times(times.shift() ?? { modifiedSeconds: 0, accessedSeconds: 0 }));
    else if (event.kind === 'file') says(source.file(event, Number(event.sizeBytes)));
    else if (event.kind === 'directory') says(source.directory(event));
    else if (event.kind === 'leave') says(source.leave());
    else if (event.kind === 'data') said.push(event.bytes);
    else if (event.kind === 'fileEnd') says(source.fileEnd(event.clientError));
    else if (event.kind === 'remoteError') said.push(source.warning(event.message.replace(/^scp: /, '')));
  }
  t.same(Buffer.concat(said), server, 'the same bytes');
}

function replay(t: Test, transcript: Transcript, command: Command, pieces: readonly Buffer[]): void {
  if (command.kind === 'scp-sink') replayUpload(t, transcript, command.recursive, pieces);
  else if (command.kind === 'scp-source') replayDownload(t, transcript, command.recursive, pieces);
  else t.fail(`not an scp command: ${command.kind}`);
}

t.test('there are transcripts of all clients', async (t) => {
  for (const name of ['openssh', 'pscp', 'dropbear', 'curl', 'scp.py', 'asyncssh', 'net-scp', 'net-ssh2'])
    t.ok(files.filter((file) => file.startsWith(`${name}-`)).length >= 5, name);
});

for (const file of files) {
  t.test(file, async (t) => {
    const text = readFileSync(join(directory, file), 'utf8');
    const transcript = parseTranscript(text);
    t.equal(renderTranscript(transcript), text, 'a transcript is read and written without loss');
    const command = parseCommand(transcript.command);
    if (command.kind === 'scp-refused') {
      t.match(bytesOf(transcript, 'server').toString(), command.words);
      return;
    }
    const bytes = bytesOf(transcript, 'client');
    const chance = new Chance(7);
    replay(t, transcript, command, [bytes]);
    replay(t, transcript, command, chance.split(bytes, 1));
    for (let round = 0; round < 5; round += 1) replay(t, transcript, command, chance.split(bytes, 9));
  });
}
