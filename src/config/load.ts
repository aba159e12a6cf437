/**
 * From a path to a `Config`: reads, parses, validates, checks files and directories, freezes. Every stage adds to the
 * same findings, so that one run tells everything that is wrong.
 */
import { isUtf8 } from 'node:buffer';
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, resolve } from 'node:path';
import { auditFileBytesMin, configBytesMax } from '../limits.ts';
import { isUrl } from '../audit/witness-target.ts';
import { printable } from '../name-bytes.ts';
import type { User } from '../users/user.ts';
import { checkWitness, copyFiles } from './check-copies.ts';
import { checkAuditDirectory, checkRoots, type NamedRoot, type OwnFile } from './check-directories.ts';
import { checkAuthorizedKeys, checkHostKeys, type NamedFile } from './check-keys.ts';
import type {
  Config,
  ConfiguredAudit,
  ConfiguredLimits,
  ConfiguredScp,
  Durability,
  HostKey,
  ListenAddress,
  LogLevel,
} from './config.ts';
import { ConfigError } from './config-error.ts';
import { ConfigDocument, quoted, shownPath, type KeyPath } from './document.ts';
import { Findings } from './findings.ts';
import { errnoOf, HostFileError, readHostFile } from './host-files.ts';
import {
  buildAmounts,
  buildRights,
  checkRights,
  mayWrite,
  type ValidRights,
  type ValidRole,
} from './rights.ts';
import { configSchema, expectedWords } from './schema.ts';
import { parseSizeBytes } from './size.ts';
import { validate } from './validate.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** A document's value once the schema has nothing against it and the defaults are filled in. */
interface ValidValue {
  readonly listen: readonly ListenAddress[];
  readonly durability: Durability;
  readonly audit: {
    readonly dir: string;
    readonly onFailure: ConfiguredAudit['onFailure'];
    readonly syslog?: string;
    readonly stdout: boolean;
    readonly witness?: string;
    readonly rotate: { readonly size: string | number; readonly days: number };
    readonly keep: { readonly size?: string | number; readonly days?: number };
  };
  readonly catalog: { readonly url: string };
  readonly freeSpaceMin?: string | number;
  readonly umask?: string;
  readonly resumeHours: number;
  readonly log: { readonly level: LogLevel };
  readonly workers: 'auto' | number;
  readonly control: { readonly socket: string };
  readonly health?: ListenAddress;
  readonly limits: Omit<ConfiguredLimits, 'workerMemoryBytesMax'> & {
    readonly workerMemoryMax: string | number;
  };
  readonly scp: ConfiguredScp;
  readonly roles: Readonly<Record<string, ValidRole>>;
  readonly users: Readonly<Record<string, ValidUser>>;
}

interface ValidUser extends ValidRights {
  readonly root: string;
  readonly authorizedKeys: string;
  readonly fileSizeMax: string | number;
  readonly symlinks: NonNullable<User['symlinks']>;
  readonly umask?: string;
  readonly quota?: {
    readonly bytes?: string | number;
    readonly files?: number;
    readonly versions: boolean;
  };
}

/**
 * Reads and checks a configuration. The answer is deeply frozen, but for the bytes of the host keys.
 * Throws `ConfigError` with everything that is wrong.
 * @param path as the operator gave it; problems name it so
 */
export async function loadConfig(path: string): Promise<Config> {
  const document = await readConfigDocument(path);
  const findings = new Findings(document);
  validate(document, findings);
  checkListeners(document.value, findings);
  checkWorkerMemory(document.value, findings);
  checkRights(new SoundValues(document.value, '/', findings), findings);
  const hostKeys = await checkFiles(document.value, resolve(path), findings);
  if (!findings.none) throw new ConfigError(findings.lines(printable(path)));
  return deepFreeze(buildConfig(document, path, hostKeys));
}

/** Reads and parses without judging what stands in it. Throws `ConfigError` if there is no text to parse. */
export async function readConfigDocument(path: string): Promise<ConfigDocument> {
  const shown = printable(path);
  try {
    const { bytes } = await readHostFile(resolve(path), configBytesMax);
    if (!isUtf8(bytes))
      throw new ConfigError([`${shown}:${badLine(bytes)}:1 syntax: expected UTF-8 text, got other bytes`]);
    return new ConfigDocument(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof HostFileError) {
      const hint = errnoOf(error.cause) === 'ENOENT' ? '; "scpd init" makes one' : '';
      throw new ConfigError([`${shown}: expected a configuration, got ${error.message}${hint}`]);
    }
    // The parser and our walks of its tree recurse: the one way to run out of stack here is nesting.
    if (error instanceof RangeError)
      throw new ConfigError([`${shown}:1:1 syntax: expected less nesting, got too much`]);
    throw error;
  }
}

/** The first line, from 1, that is not UTF-8. No other character of UTF-8 contains the byte of a line feed. */
function badLine(bytes: Buffer): number {
  let line = 1;
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(0x0a, start);
    if (end === -1 || !isUtf8(bytes.subarray(start, end))) return line;
    start = end + 1;
    line += 1;
  }
}

/** Two listeners can't have one address. Names that mean the same address are left to the operating system. */
function checkListeners(value: unknown, findings: Findings): void {
  const reader = new SoundValues(value, '/', findings);
  const first = new Map<string, KeyPath>();
  for (const path of reader.items(['listen'])) {
    const host = reader.text([...path, 'host']);
    const port = reader.number([...path, 'port']);
    if (host === undefined || port === undefined || port === 0) continue;
    const earlier = first.get(`${host} ${port}`);
    if (earlier === undefined) first.set(`${host} ${port}`, path);
    else findings.add(path, `expected each address once, got that of ${shownPath(earlier)} again`);
  }
}

/** The schema sees to numbers; a text has its unit, which it can't read. A worker that has just started takes some 100 MiB. */
function checkWorkerMemory(value: unknown, findings: Findings): void {
  const path = ['limits', 'workerMemoryMax'];
  const size = new SoundValues(value, '/', findings).text(path);
  const schema = configSchema.properties?.['limits']?.properties?.['workerMemoryMax'];
  if (size === undefined || schema === undefined) return;
  if ((parseSizeBytes(size) ?? 0) < (schema.minimum ?? 0))
    findings.add(path, `expected ${expectedWords(schema)}, got ${quoted(size)}`);
}

/** Checks every file and directory that is named in a place the schema has nothing against. */
async function checkFiles(value: unknown, configFile: string, findings: Findings): Promise<HostKey[]> {
  const reader = new SoundValues(value, dirname(configFile), findings);
  const hostKeyFiles = reader
    .items(['hostKeys'])
    .map((path) => reader.file(path))
    .filter((file) => file !== undefined);
  const hostKeys = await checkHostKeys(hostKeyFiles, findings);
  const auditDirectory = reader.file(['audit', 'dir']);
  if (auditDirectory !== undefined)
    await checkAuditDirectory(['audit', 'dir'], auditDirectory.file, findings);

  const roots: NamedRoot[] = [];
  const ownFiles: OwnFile[] = [{ what: 'configuration', file: configFile }];
  for (const { file } of hostKeyFiles) ownFiles.push({ what: 'host key', file });
  const catalogUrl = reader.text(['catalog', 'url']);
  if (catalogUrl !== undefined)
    ownFiles.push({ what: 'catalog', file: resolve(dirname(configFile), catalogPath(catalogUrl)) });
  const controlSocket = reader.file(['control', 'socket']);
  if (controlSocket !== undefined) ownFiles.push({ what: 'control socket', file: controlSocket.file });
  for (const name of reader.keys(['users'])) {
    const root = reader.file(['users', name, 'root']);
    if (root !== undefined)
      roots.push({ path: root.path, directory: root.file, isWritten: mayWrite(name, reader) });
    const keys = reader.file(['users', name, 'authorizedKeys']);
    if (keys === undefined) continue;
    await checkAuthorizedKeys(keys, findings);
    ownFiles.push({ what: 'authorized_keys file', file: keys.file });
  }
  const own = { files: ownFiles, auditDirectory: auditDirectory?.file };
  await checkRoots(roots, { ...own, files: [...ownFiles, ...copyFiles(reader)] }, findings);
  await checkWitness(reader, own, findings);
  return hostKeys;
}

/** Takes from a value that may be wrong in places what is right. */
export class SoundValues {
  readonly #value: unknown;
  readonly #directory: string;
  readonly #findings: Findings;

  constructor(value: unknown, directory: string, findings: Findings) {
    this.#value = value;
    this.#directory = directory;
    this.#findings = findings;
  }

  text(path: KeyPath): string | undefined {
    const found = this.#at(path);
    return typeof found === 'string' && this.#findings.isSound(path) ? found : undefined;
  }

  file(path: KeyPath): NamedFile | undefined {
    const text = this.text(path);
    return text === undefined ? undefined : { path, file: resolve(this.#directory, text) };
  }

  number(path: KeyPath): number | undefined {
    const found = this.#at(path);
    return typeof found === 'number' && this.#findings.isSound(path) ? found : undefined;
  }

  /** The paths of a list's items. */
  items(path: KeyPath): KeyPath[] {
    const list = this.#at(path);
    return Array.isArray(list) ? list.map((_, index) => [...path, index]) : [];
  }

  keys(path: KeyPath): string[] {
    return this.isObject(path) ? Object.keys(this.#at(path) as object) : [];
  }

  isObject(path: KeyPath): boolean {
    const found = this.#at(path);
    return typeof found === 'object' && found !== null && !Array.isArray(found);
  }

  #at(path: KeyPath): unknown {
    let found = this.#value;
    for (const key of path) {
      if (typeof found !== 'object' || found === null) return undefined;
      found = (found as Record<string | number, unknown>)[key];
    }
    return found;
  }
}

/** @param path as the operator gave it */
function buildConfig(document: ConfigDocument, path: string, hostKeys: readonly HostKey[]): Config {
  const value = document.value as ValidValue;
  const configFile = resolve(path);
  const directory = dirname(configFile);
  const users = Object.entries(value.users).map(([name, settings]) => {
    const { root, fileSizeMax, authorizedKeys, symlinks, umask = value.umask, quota } = settings;
    const fileBytesMax = parseSizeBytes(fileSizeMax) ?? 0; // the schema has seen to it that it is a size
    const rights = buildRights(name, settings, { roles: value.roles, document, file: printable(path) });
    const rootHostPath = resolve(directory, root);
    const user: User = {
      name,
      root: rootHostPath,
      ...inodeOf(rootHostPath),
      fileBytesMax,
      ...rights,
      symlinks,
      ...(umask === undefined ? {} : { umask: Number.parseInt(umask, 8) }),
      ...(quota === undefined ? {} : { quota: buildQuota(quota) }),
    };
    return { user, authorizedKeysFile: resolve(directory, authorizedKeys) };
  });
  return {
    path: configFile,
    sha256: document.sha256,
    listen: value.listen.map(({ host, port }) => ({ host, port })),
    hostKeys,
    durability: value.durability,
    audit: buildAudit(value.audit, directory),
    catalog: { file: resolve(directory, catalogPath(value.catalog.url)) },
    freeBytesMin: value.freeSpaceMin === undefined ? 0 : (parseSizeBytes(value.freeSpaceMin) ?? 0),
    resumeMs: value.resumeHours * 60 * 60 * 1000,
    log: { level: value.log.level },
    workers: value.workers === 'auto' ? availableParallelism() : value.workers,
    control: { socket: resolve(directory, value.control.socket) },
    health: value.health === undefined ? undefined : { ...value.health },
    limits: buildLimits(value.limits),
    scp: { ...value.scp },
    users,
  };
}

/** Nothing if the root went away since it was checked. */
function inodeOf(rootHostPath: string): { readonly rootInode?: string } {
  const stats = statSync(rootHostPath, { throwIfNoEntry: false });
  return stats === undefined ? {} : { rootInode: String(stats.ino) };
}

function buildAudit(
  { dir, onFailure, rotate, keep, syslog, stdout, witness }: ValidValue['audit'],
  directory: string,
): ConfiguredAudit {
  const keepBytesMax = keep.size === undefined ? undefined : parseSizeBytes(keep.size);
  return {
    dir: resolve(directory, dir),
    onFailure,
    stdout,
    ...(syslog === undefined ? {} : { syslog }),
    ...(witness === undefined ? {} : { witness: witnessIn(witness, directory) }),
    fileBytesMax: Math.max(parseSizeBytes(rotate.size) ?? 0, auditFileBytesMin),
    fileMsMax: rotate.days * dayMs,
    keep: {
      ...(keepBytesMax === undefined ? {} : { bytesMax: keepBytesMax }),
      ...(keep.days === undefined ? {} : { msMax: keep.days * dayMs }),
    },
  };
}

function witnessIn(witness: string, directory: string): string {
  return isUrl(witness) ? witness : resolve(directory, witness);
}

function buildQuota({ bytes, files, versions }: NonNullable<ValidUser['quota']>): NonNullable<User['quota']> {
  const amounts = { ...(bytes === undefined ? {} : { bytes }), ...(files === undefined ? {} : { files }) };
  return { ...buildAmounts(amounts), countsVersions: versions };
}

function buildLimits({ workerMemoryMax, ...limits }: ValidValue['limits']): ConfiguredLimits {
  return { ...limits, workerMemoryBytesMax: parseSizeBytes(workerMemoryMax) ?? 0 };
}

/** SQLite is the one kind of database that there is; the schema has seen to it that it is this. */
function catalogPath(url: string): string {
  return url.slice('sqlite:'.length);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
