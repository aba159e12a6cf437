/**
 * Checks of where copies of the journal go. A witness's file is made if need be, but no directory: one that is missing is a mistake,
 * or a disk that is not mounted. It is no other file of scpd, which would be spoiled by what is appended, and none beside
 * the journal, which would share its fate. That no root holds it is for `check-directories.ts`, like all that is scpd's own.
 */
import { constants } from 'node:fs';
import { access, lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isUrl } from '../audit/witness-target.ts';
import { isWithin, type OwnFile } from './check-directories.ts';
import { quoted, type KeyPath } from './document.ts';
import type { Findings } from './findings.ts';
import { errnoOf, errnoWords, realPathOf, shellPath, shownFile } from './host-files.ts';
import type { SoundValues } from './load.ts';

const witnessPath: KeyPath = ['audit', 'witness'];

interface Own {
  readonly files: readonly OwnFile[];
  readonly auditDirectory: string | undefined;
}

/** What no root may hold of where copies of the journal go. */
export function copyFiles(reader: SoundValues): OwnFile[] {
  const socket = /^unix:(.*)$/s.exec(reader.text(['audit', 'syslog']) ?? '')?.[1];
  const witness = isUrl(reader.text(witnessPath) ?? '') ? undefined : reader.file(witnessPath);
  return [
    ...(socket === undefined ? [] : [{ what: 'syslog socket', file: socket }]),
    ...(witness === undefined ? [] : [{ what: 'witness', file: witness.file }]),
  ];
}

/** A URL as far as it can be seen without asking there, or a file that we can append to or make. */
export async function checkWitness(reader: SoundValues, own: Own, findings: Findings): Promise<void> {
  const [text, named] = [reader.text(witnessPath), reader.file(witnessPath)];
  if (text === undefined || named === undefined) return;
  const problem = isUrl(text)
    ? urlProblem(text)
    : ((await placeProblem(named.file, own)) ?? (await fileProblem(named.file)));
  if (problem !== undefined) findings.add(witnessPath, problem);
}

function urlProblem(url: string): string | undefined {
  if (!URL.canParse(url))
    return `expected a URL such as "https://witness.example.com/scpd", got ${quoted(url)}`;
  const { username, password } = new URL(url);
  if (username === '' && password === '') return undefined;
  return 'expected a URL without a user and a password, which can not be sent, got one with them; a secret path does the same';
}

async function placeProblem(file: string, { files, auditDirectory }: Own): Promise<string | undefined> {
  const real = await realPathOf(file);
  for (const { what, file: other } of files) {
    const realOther = await realPathOf(other);
    if (real === realOther) return `expected a file of its own, got the ${what} ${shownFile(other)}`;
    if (what === 'catalog' && real.startsWith(`${realOther}-`))
      return `expected a file of its own, got a part of the catalog ${shownFile(other)}`;
  }
  if (auditDirectory === undefined || !isWithin(await realPathOf(auditDirectory), real)) return undefined;
  return `expected a file outside of the audit directory, got ${shownFile(file)}; whoever makes the journal anew would take its witness along`;
}

async function fileProblem(file: string): Promise<string | undefined> {
  try {
    const facts = await stat(file);
    if (facts.isDirectory()) return `expected a file, got a directory at ${shownFile(file)}`;
    if (!facts.isFile()) return `expected a file, got something other than a file at ${shownFile(file)}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return await newFileProblem(file);
    return `expected a file, got ${errnoWords(error, 'file', file)}`;
  }
  try {
    await access(file, constants.W_OK);
    return undefined;
  } catch (error) {
    return `expected a file that scpd can write, got ${errnoWords(error, 'file', file)}`;
  }
}

/** What is in the way of making it. */
async function newFileProblem(file: string): Promise<string | undefined> {
  const directory = dirname(file);
  if (await isLink(file)) return `expected a file, got a link that leads to none at ${shownFile(file)}`;
  try {
    await access(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const got = errnoWords(error, 'directory', directory);
    return errnoOf(error) === 'ENOENT'
      ? `expected a file in a directory that is there, got ${got}; make it with: mkdir -p ${shellPath(directory)}`
      : `expected a file that scpd can make, got ${got}`;
  }
}

async function isLink(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isSymbolicLink();
  } catch {
    return false;
  }
}
