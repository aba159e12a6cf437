/**
 * What each preset answers, found out by asking: real requests of both protocols, to real files, in a root of their own
 * for each cell. `renderRules` is the whole of docs/rules.md.
 */
import type { Test } from 'tap';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../../src/errors.ts';
import type { Files } from '../../src/guard/files.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { noAttributes } from '../../src/protocol/sftp/attributes.ts';
import { runSftp } from '../../src/session/sftp.ts';
import type { OnConflict, Preset } from '../../src/users/rule.ts';
import { GuardedBox, put } from './guarded-box.ts';
import { MemoryChannel } from './memory-channel.ts';
import { ScpClient, visible } from './scp-client.ts';
import { noFlags, SftpPeer, type Question } from './sftp-wire.ts';

/** Whose is what the request is about. */
type State = 'own' | 'other' | 'missing';
const states: readonly State[] = ['own', 'other', 'missing'];

interface Row {
  readonly verb: string;
  readonly protocol: 'SFTP' | 'SCP';
  readonly request: string;
  /** What stands at the path `x` where something does. */
  readonly kind: 'file' | 'directory';
  /** `yes`, or the words that the client reads. */
  readonly ask: (files: Files) => Promise<string>;
}

const yes = 'yes';
const date = { accessedSeconds: 1e9, modifiedSeconds: 1e9 };
const write = { ...noFlags, write: true };

const rows: readonly Row[] = [
  sftp('list', 'OPENDIR', 'directory', [{ kind: 'opendir', path: '/x' }]),
  scp('list', 'scp -r -f', 'directory', download('scp -r -f /x')),
  sftp('stat', 'LSTAT', 'file', [{ kind: 'lstat', path: '/x' }]),
  sftp('read', 'OPEN for reading', 'file', [open({ ...noFlags, read: true })]),
  scp('read', 'scp -f', 'file', download('scp -f /x')),
  sftp('hash', 'check-file-name', 'file', [
    { kind: 'check-file-name', path: '/x', algorithms: ['sha256'], offset: 0, lengthBytes: 0, blockBytes: 0 },
  ]),
  sftp('create, overwrite', 'OPEN and CLOSE', 'file', [open({ ...write, create: true, truncate: true })]),
  sftp('create', 'OPEN with EXCL and CLOSE', 'file', [open({ ...write, create: true, exclusive: true })]),
  scp('create, overwrite', 'scp -t', 'file', upload),
  sftp('append', 'OPEN with APPEND and CLOSE', 'file', [open({ ...write, append: true })]),
  sftp('overwrite', 'SETSTAT size', 'file', [
    { kind: 'setstat', path: '/x', attributes: { ...noAttributes, sizeBytes: 1 } },
  ]),
  sftp('delete', 'REMOVE', 'file', [{ kind: 'remove', path: '/x' }]),
  sftp('rename', 'RENAME of it', 'file', [{ kind: 'rename', from: '/x', to: '/elsewhere' }]),
  sftp('rename', 'RENAME of a directory', 'directory', [{ kind: 'rename', from: '/x', to: '/elsewhere' }]),
  sftp('create', 'RENAME onto it', 'file', [{ kind: 'rename', from: '/source', to: '/x' }]),
  sftp('create, overwrite', 'posix-rename onto it', 'file', [
    { kind: 'posix-rename', from: '/source', to: '/x' },
  ]),
  sftp('mkdir', 'MKDIR', 'directory', [{ kind: 'mkdir', path: '/x', attributes: noAttributes }]),
  scp('mkdir', 'scp -r -t', 'directory', uploadDirectory),
  sftp('rmdir', 'RMDIR', 'directory', [{ kind: 'rmdir', path: '/x' }]),
  sftp('attributes', 'SETSTAT times', 'file', [
    { kind: 'setstat', path: '/x', attributes: { ...noAttributes, times: date } },
  ]),
  sftp('symlink', 'SYMLINK', 'file', [{ kind: 'symlink', path: '/x', target: 'y' }]),
  sftp('read, attributes', 'hardlink of it', 'file', [{ kind: 'hardlink', from: '/x', to: '/elsewhere' }]),
];

interface Section {
  readonly preset: Preset;
  readonly onConflict?: OnConflict;
  readonly words: string;
}

const sections: readonly Section[] = [
  { preset: 'full', words: 'Everything below the root.' },
  { preset: 'read-only', words: 'Look and fetch.' },
  { preset: 'drop-box', words: 'Add what is new; handle one’s own for a while; see nothing else.' },
  {
    preset: 'drop-box',
    onConflict: 'rename',
    words: 'The same, where what has a name that is taken is stored under another one.',
  },
  {
    preset: 'backup',
    words: 'Everything but links; what is replaced or deleted stays as a version.',
  },
  {
    preset: 'append-only',
    words:
      'Add and fetch; what is committed stays. What is one’s own may still be dated, and renamed to a name that is free.',
  },
];

/** The page. */
export async function renderRules(t: Test): Promise<string> {
  const rendered: string[] = [];
  for (const section of sections) rendered.push(await renderSection(t, section));
  return `<!-- Made by test/guard/rules-table.test.ts from real requests; "make docs" writes it. Do not edit. -->

# What each preset answers

Each cell was asked over the protocol, of real files on disk: \`yes\`, or the words that the client reads. The path of
the request is one that the same user made itself in this session or within \`ownershipMinutes\` (own), one that
somebody else made (other), or one where nothing is (missing). "–": this preset never has anything of its own.

A preset stands for the one rule \`{ "path": "/**", "preset": … }\`; see [config/README.md](../config/README.md) for rules
with paths and verbs. \`scpd explain USER VERB PATH\` says what they make of a path.

${rendered.join('\n\n')}
`;
}

async function renderSection(t: Test, section: Section): Promise<string> {
  const { preset, onConflict, words } = section;
  const lines: string[] = [];
  for (const row of rows) {
    const cells: string[] = [];
    for (const state of states) cells.push(await cell(t, { section, row, state }));
    lines.push(`| ${[row.verb, `${row.protocol} ${row.request}`, ...cells].join(' | ')} |`);
  }
  return [
    `## ${preset}${onConflict === undefined ? '' : `, onConflict: ${onConflict}`}`,
    '',
    words,
    '',
    '| verb | request | own | other | missing |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

async function cell(
  t: Test,
  { section, row, state }: { readonly section: Section; readonly row: Row; readonly state: State },
): Promise<string> {
  const { words: _words, ...rule } = section;
  const root = mkdtempSync(join(tmpdir(), 'scpd-rules-'));
  try {
    const files = new GuardedBox(t, root).session({
      rules: [{ path: '/**', ...rule }],
    });
    if (!(await make(files, { root, kind: 'file', path: 'source', state: 'own' })))
      writeFileSync(join(root, 'source'), 'source');
    if (!(await make(files, { root, kind: row.kind, path: 'x', state }))) return '–';
    const answer = await row.ask(files);
    await files.close('INTERNAL');
    return answer;
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** False if the user can't make anything itself. */
async function make(
  files: Files,
  facts: {
    readonly root: string;
    readonly kind: Row['kind'];
    readonly path: string;
    readonly state: State;
  },
): Promise<boolean> {
  const { root, kind, path, state } = facts;
  if (state === 'missing') return true;
  if (state === 'other') {
    if (kind === 'file') writeFileSync(join(root, path), 'other');
    else mkdirSync(join(root, path));
    return true;
  }
  try {
    if (kind === 'file') await put(files, path);
    else await files.makeDirectory(virtualPath(path), 0o755);
    return true;
  } catch (error) {
    if (errorCode(error) === 'PERMISSION_DENIED') return false;
    throw error;
  }
}

function open(flags: typeof noFlags): Question {
  return { kind: 'open', path: '/x', flags, attributes: noAttributes };
}

function sftp(verb: string, request: string, kind: Row['kind'], questions: readonly Question[]): Row {
  return { verb, protocol: 'SFTP', request, kind, ask: (files) => askSftp(files, questions) };
}

/** A handle that is opened is closed again, because that is what an upload's answer is. */
async function askSftp(files: Files, questions: readonly Question[]): Promise<string> {
  const channel = new MemoryChannel();
  const ended = runSftp(channel, files, { userName: 'alice', clientSoftware: 'OpenSSH_9.2' });
  const peer = new SftpPeer(channel);
  await peer.start();
  let answer = yes;
  for (const question of questions) {
    let reply = await peer.ask(question);
    if (reply.kind === 'handle') reply = await peer.ask({ kind: 'close', handle: reply.handle });
    if (reply.kind === 'status' && reply.status !== 0) answer = reply.words;
  }
  channel.end();
  await ended;
  return answer;
}

function scp(verb: string, request: string, kind: Row['kind'], ask: Row['ask']): Row {
  return { verb, protocol: 'SCP', request, kind, ask };
}

async function upload(files: Files): Promise<string> {
  const client = new ScpClient('scp -t /x', files);
  await client.read(1);
  const answer = await client.sendFile('x', 'new');
  await client.finish();
  return answer === 'ok' ? yes : wordsOf(answer);
}

async function uploadDirectory(files: Files): Promise<string> {
  // Without a slash at its end, a directory that can't be seen is the name that the copy gets.
  const client = new ScpClient('scp -r -t /', files);
  await client.read(1);
  const answer = await client.ask('D0755 0 x\n');
  await client.finish();
  return answer === 'ok' ? yes : wordsOf(answer);
}

function download(command: string): Row['ask'] {
  return async (files) => {
    const client = new ScpClient(command, files);
    client.channel.feed('\0'.repeat(8));
    const { rest } = await client.finish();
    // The words stand in a reply that begins with 1 or 2; without one, the file was sent.
    const refusal = /[␁␂]([^\n]*)\n/u.exec(visible(rest))?.[1];
    return refusal === undefined ? yes : wordsOf(refusal);
  };
}

/** `\x01scp: /x: No such file` → `No such file`. */
function wordsOf(reply: string): string {
  return reply.trim().split(': ').at(-1) ?? '';
}
