/**
 * What a configuration says about who may do what, from where and when: checked beyond what the schema can say, and put
 * together. A user's rules come first, its preset is the last of them, and those of its roles follow.
 */
import { GlobError, namePattern, PathPattern } from '../guard/glob.ts';
import type { NameFilter, OnConflict, Preset, Rule, Verb, VersionPolicy } from '../users/rule.ts';
import { parseDays, parseMinute, type TimeWindow } from '../users/time-window.ts';
import type { User } from '../users/user.ts';
import { quoted, shownPath, type ConfigDocument, type KeyPath } from './document.ts';
import type { Findings } from './findings.ts';
import type { SoundValues } from './load.ts';
import { parseDurationMs } from './duration.ts';
import { parseSizeBytes } from './size.ts';
import { didYouMean } from './suggest.ts';

/** A rule once the schema has nothing against it. */
interface ValidRule {
  readonly path: string;
  readonly preset?: Preset;
  readonly allow?: readonly Verb[];
  readonly deny?: readonly Verb[];
  readonly names?: NameFilter;
  readonly fileSizeMax?: string | number;
  readonly quota?: { readonly bytes?: string | number; readonly files?: number };
  readonly onConflict?: OnConflict;
  readonly versions?: ValidVersions;
  readonly retain?: string;
}

export interface ValidVersions {
  readonly keep: number;
  readonly days: number;
}

interface ValidWindow {
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly zone: string;
}

/** A role, and what a user has of the same kind. */
export interface ValidRole {
  readonly rules?: readonly ValidRule[];
  readonly networks?: readonly string[];
  readonly hours?: readonly ValidWindow[];
  readonly receipts?: boolean;
}

export interface ValidRights extends ValidRole {
  readonly preset?: Preset;
  readonly roles?: readonly string[];
  readonly ownershipMinutes: number;
  readonly onConflict: OnConflict;
  readonly versions?: ValidVersions;
  readonly retain?: string;
}

/** Adds what is wrong with rules and with the names of roles. */
export function checkRights(reader: SoundValues, findings: Findings): void {
  const roles = reader.keys(['roles']);
  for (const role of roles) checkRules(['roles', role, 'rules'], reader, findings);
  for (const name of reader.keys(['users'])) {
    const user = ['users', name];
    checkRules([...user, 'rules'], reader, findings);
    const keys = reader.keys(user);
    if (reader.isObject(user) && !['preset', 'rules', 'roles'].some((key) => keys.includes(key))) {
      const words =
        'expected one of "full", "backup", "read-only", "append-only", "drop-box" (or rules, or roles), got nothing';
      findings.add([...user, 'preset'], words);
    }
    for (const path of reader.items([...user, 'roles'])) {
      const role = reader.text(path);
      if (role !== undefined && !roles.includes(role))
        findings.add(path, `expected the name of a role, got ${quoted(role)}${didYouMean(role, roles)}`);
    }
  }
}

/** Whether a user may write anywhere, as far as can be told of what may be wrong elsewhere. */
export function mayWrite(name: string, reader: SoundValues): boolean {
  const user = ['users', name];
  if ((reader.text([...user, 'preset']) ?? 'read-only') !== 'read-only') return true;
  const roles = reader.items([...user, 'roles']).map((path) => reader.text(path) ?? '');
  const lists = [[...user, 'rules'], ...roles.map((role) => ['roles', role, 'rules'])];
  return lists.some((list) => reader.items(list).some((rule) => ruleMayWrite(rule, reader)));
}

const looking: readonly string[] = ['list', 'stat', 'read', 'hash'];

function ruleMayWrite(rule: KeyPath, reader: SoundValues): boolean {
  const allowed = reader.items([...rule, 'allow']).map((path) => reader.text(path) ?? 'read');
  const preset = reader.text([...rule, 'preset']) ?? 'read-only';
  return preset !== 'read-only' || allowed.some((verb) => !looking.includes(verb));
}

function checkRules(list: KeyPath, reader: SoundValues, findings: Findings): void {
  for (const rule of reader.items(list)) {
    const keys = reader.keys(rule);
    if (reader.isObject(rule) && !keys.includes('preset') && !keys.includes('allow')) {
      const words =
        'expected a preset, or verbs to allow ([] for none), got neither; nothing would be allowed';
      findings.add(rule, words);
    }
    checkGlob([...rule, 'path'], { reader, findings, compile: (glob) => new PathPattern(glob) });
    if (keys.includes('quota')) checkQuotaPath(rule, reader, findings);
    for (const filter of ['allow', 'deny']) {
      for (const path of reader.items([...rule, 'names', filter])) {
        checkGlob(path, { reader, findings, compile: namePattern });
      }
    }
  }
}

/** What a quota counts must be a directory, so that renames of directories can be counted by what is known of them. */
function checkQuotaPath(rule: KeyPath, reader: SoundValues, findings: Findings): void {
  const glob = reader.text([...rule, 'path']);
  if (glob === undefined) return;
  try {
    if (new PathPattern(glob).directory !== '') return;
  } catch {
    return; // it is no pattern, which has been said
  }
  const words = 'expected a rule whose path is a directory, such as "/incoming/**", for a quota, got';
  findings.add([...rule, 'quota'], `${words} ${quoted(glob)}`);
}

function checkGlob(
  path: KeyPath,
  context: {
    readonly reader: SoundValues;
    readonly findings: Findings;
    readonly compile: (glob: string) => unknown;
  },
): void {
  const { reader, findings, compile } = context;
  const glob = reader.text(path);
  if (glob === undefined) return;
  try {
    compile(glob);
  } catch (error) {
    const problem = error instanceof GlobError ? `one with ${error.message}` : quoted(glob);
    findings.add(path, `expected a pattern, got ${problem}`);
  }
}

/** What `User` says of rights. @param file of the configuration, as rules are to name it */
export function buildRights(
  name: string,
  settings: ValidRights,
  context: {
    readonly roles: Readonly<Record<string, ValidRole>>;
    readonly document: ConfigDocument;
    readonly file: string;
  },
): Omit<User, 'name' | 'root' | 'fileBytesMax'> {
  const { preset, onConflict, ownershipMinutes, roles: roleNames = [] } = settings;
  const { document, file } = context;
  const own: readonly [KeyPath, ValidRole] = [['users', name], settings];
  const roles = roleNames.map((role) => [['roles', role], context.roles[role] ?? {}] as const);
  const placed = (path: KeyPath): Pick<Rule, 'place' | 'key'> => ({
    place: `${file}:${document.position(document.offsetOf(path))}`,
    key: shownPath(path),
  });
  const listed = ([path, { rules = [] }]: readonly [KeyPath, ValidRole]): Rule[] =>
    rules.map((rule, index) => buildRule(rule, placed([...path, 'rules', index])));
  const presetRule =
    preset === undefined ? [] : [buildRule({ path: '/**', preset }, placed(['users', name, 'preset']))];
  const all = [own, ...roles].map(([, role]) => role);
  const getsReceipts = settings.receipts ?? all.some(({ receipts }) => receipts === true);
  return {
    ...(preset === undefined ? {} : { preset }),
    rules: [...listed(own), ...presetRule, ...roles.flatMap(listed)],
    onConflict,
    ...buildKeeping(settings),
    ownershipMs: ownershipMinutes * 60 * 1000,
    ...(getsReceipts && { receipts: true }),
    networks: all.flatMap(({ networks }) => (networks === undefined ? [] : [[...networks]])),
    hours: all.flatMap(({ hours }) => (hours === undefined ? [] : [hours.map(buildWindow)])),
  };
}

function buildRule(rule: ValidRule, placed: Pick<Rule, 'place' | 'key'>): Rule {
  const { path, preset, allow = [], deny = [], names, fileSizeMax, quota, onConflict } = rule;
  return {
    ...placed,
    path,
    ...(preset === undefined ? {} : { preset }),
    allow: [...allow],
    deny: [...deny],
    ...(names === undefined ? {} : { names: { ...names } }),
    ...(fileSizeMax === undefined ? {} : { fileBytesMax: parseSizeBytes(fileSizeMax) ?? 0 }),
    ...(quota === undefined ? {} : { quota: buildAmounts(quota) }),
    ...(onConflict === undefined ? {} : { onConflict }),
    ...buildKeeping(rule),
  };
}

/** What users and rules say alike of how much may be stored. */
export function buildAmounts({ bytes, files }: NonNullable<ValidRule['quota']>): {
  bytesMax?: number;
  filesMax?: number;
} {
  return {
    ...(bytes === undefined ? {} : { bytesMax: parseSizeBytes(bytes) ?? 0 }),
    ...(files === undefined ? {} : { filesMax: files }),
  };
}

/** What users and rules say alike of files that are replaced or removed. */
function buildKeeping({ versions, retain }: Pick<ValidRule, 'versions' | 'retain'>): {
  versions?: VersionPolicy;
  retainMs?: number;
} {
  const dayMs = 24 * 60 * 60 * 1000;
  return {
    ...(versions && { versions: { versionsMax: versions.keep, ageMsMax: versions.days * dayMs } }),
    ...(retain !== undefined && { retainMs: parseDurationMs(retain) ?? 0 }), // the schema has seen to its form
  };
}

function buildWindow({ days, from, to, zone }: ValidWindow): TimeWindow {
  return {
    days: [...new Set(days.flatMap((text) => parseDays(text) ?? []))],
    fromMinute: parseMinute(from) ?? 0,
    toMinute: parseMinute(to) ?? 0,
    zone,
  };
}
