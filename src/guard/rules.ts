/**
 * Decisions: which rule decides about a path, and what it says of a verb. The first rule whose pattern matches decides
 * about all verbs; `deny` beats `allow` and the preset within a rule; where no rule matches, the answer is no. Pure, so
 * that `scpd explain` and the door itself can't differ.
 */
import type { Rule, Verb, VersionPolicy } from '../users/rule.ts';
import type { User } from '../users/user.ts';
import { namePattern, PathPattern, type NamePattern } from './glob.ts';
import { defaultVersions, lookingVerbs, presetRights, type Rights } from './presets.ts';
import { isReceiptPath } from './receipt-path.ts';
import { isVersionPath, originalOf } from './version-path.ts';
import { baseName, componentsOf, reservedName, type VirtualPath } from './virtual-path.ts';

/** A rule, ready to be asked. */
export interface CompiledRule extends Rights {
  readonly facts: Rule;
  readonly path: PathPattern;
  readonly names: {
    readonly allow: readonly NamePattern[] | undefined;
    readonly deny: readonly NamePattern[];
  };
  /** What becomes of files that are replaced or removed; undefined: they are gone. */
  readonly versions: VersionPolicy | undefined;
  /** How long files can't be removed. Implies versions: what is replaced then must stay somewhere. */
  readonly retainMs: number | undefined;
}

/**
 * Why it is yes or no:
 * - `reserved`: our own area, which no rule can open.
 * - `version`: old versions can be looked at, and nothing else.
 * - `root`: the root itself can be looked at, but not removed, renamed or replaced.
 * - `rule-directory`: the directory that a rule is about is no secret to whom the rule lets in.
 * - `allowed`, `own`: the rule allows it; `own`: on what the user made itself, as this is.
 * - `denied`: the rule's `deny` names it. `not-allowed`: nothing in the rule does. `not-own`: only for what is one's own.
 * - `name`: the rule's `names` don't let such a name be made.
 * - `no-rule`: no rule matches.
 */
export type Reason =
  | 'reserved'
  | 'version'
  | 'receipt'
  | 'root'
  | 'rule-directory'
  | 'allowed'
  | 'own'
  | 'denied'
  | 'not-allowed'
  | 'not-own'
  | 'name'
  | 'no-rule';

export interface Decision {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** The rule that decided, if it was one. */
  readonly rule?: CompiledRule;
}

/** Verbs that give a file its name or its content. */
const fileMaking: ReadonlySet<Verb> = new Set(['create', 'overwrite', 'append', 'symlink']);

const compiled = new WeakMap<User, readonly CompiledRule[]>();

/** A user's rules in the order in which they are asked. Throws GlobError. */
export function rulesOf(user: User): readonly CompiledRule[] {
  const known = compiled.get(user);
  if (known !== undefined) return known;
  const rules = (user.rules ?? [presetRule(user)]).map((rule) => compileRule(rule, user));
  compiled.set(user, rules);
  return rules;
}

function presetRule({ preset }: User): Rule {
  return { place: '', key: 'preset', path: '/**', allow: [], deny: [], ...(preset && { preset }) };
}

function compileRule(facts: Rule, user: User): CompiledRule {
  const preset = facts.preset === undefined ? undefined : presetRights[facts.preset];
  const isKept = (verb: Verb): boolean => !facts.deny.includes(verb);
  return {
    facts,
    path: new PathPattern(facts.path),
    all: new Set([...(preset?.all ?? []), ...facts.allow].filter(isKept)),
    own: new Set([...(preset?.own ?? [])].filter(isKept)),
    blind: preset?.blind ?? false,
    names: {
      allow: facts.names?.allow?.map(namePattern),
      deny: (facts.names?.deny ?? []).map(namePattern),
    },
    ...keepingOf(facts, user),
  };
}

function keepingOf(facts: Rule, user: User): Pick<CompiledRule, 'versions' | 'retainMs'> {
  const retainMs = facts.retainMs ?? user.retainMs;
  const needsVersions = facts.preset === 'backup' || retainMs !== undefined;
  const versions = facts.versions ?? user.versions;
  return { retainMs, versions: versions ?? (needsVersions ? defaultVersions : undefined) };
}

/** Whether old versions are kept anywhere: then they can be looked at. */
export function hasVersions(rules: readonly CompiledRule[]): boolean {
  return rules.some((rule) => rule.versions !== undefined);
}

/** The rule that decides about a path. */
export function ruleFor(rules: readonly CompiledRule[], path: VirtualPath): CompiledRule | undefined {
  return rules.find((rule) => rule.path.matches(path));
}

/** A quota that a rule sets for a directory. */
export interface RuleQuota {
  readonly rule: CompiledRule;
  /** In NFC. */
  readonly directory: VirtualPath;
  readonly quota: NonNullable<Rule['quota']>;
}

/** The quotas that a user's rules set, whichever rule decides about what is there. */
export function quotasOf(user: User): RuleQuota[] {
  return rulesOf(user).flatMap((rule) => {
    const { quota } = rule.facts;
    return quota === undefined ? [] : [{ rule, directory: rule.path.directory as VirtualPath, quota }];
  });
}

/** @param isOwn whether the user made what is at `path` itself */
export function decide(
  rules: readonly CompiledRule[],
  { verb, path, isOwn }: { readonly verb: Verb; readonly path: VirtualPath; readonly isOwn: boolean },
): Decision {
  if (componentsOf(path)[0] === reservedName) return { allowed: false, reason: 'reserved' };
  if (isVersionPath(path) && hasVersions(rules)) return decideOnVersion(rules, verb, path);
  const rule = ruleFor(rules, path);
  if (path === '/') return decideOnRoot(verb, rule);
  if (rule === undefined) return { allowed: false, reason: 'no-rule' };
  if (rule.facts.deny.includes(verb)) return { allowed: false, reason: 'denied', rule };
  if (!nameMayBeMade(rule, verb, baseName(path))) return { allowed: false, reason: 'name', rule };
  if (rule.all.has(verb)) return { allowed: true, reason: 'allowed', rule };
  if (rule.own.has(verb)) {
    if (isOwn) return { allowed: true, reason: 'own', rule };
    if (verb !== 'stat' || !isDirectoryOf(rule, path)) return { allowed: false, reason: 'not-own', rule };
    return { allowed: true, reason: 'rule-directory', rule };
  }
  return { allowed: false, reason: 'not-allowed', rule };
}

/**
 * Whether the rules let a whole directory be moved. What lies in it is not looked at: whatever it might be, each rule that
 * could decide about something below one of the ends must allow the move. So a rule for something below a directory
 * that allows less, or a rule with a pattern such as `/**\/*.key`, keeps the directory where it is.
 */
export function mayMoveTree(rules: readonly CompiledRule[], from: VirtualPath, to: VirtualPath): boolean {
  const [source, target] = [rulesBelow(rules, from), rulesBelow(rules, to)];
  if (source === undefined || target === undefined) return false;
  const [only] = source;
  // Where one rule decides about both ends, everything below is already what the rule lets be there.
  if (source.length === 1 && target.length === 1 && only === target[0]) {
    // A directory of a blind user's own counts with all that is in it: nobody else sees a name there.
    const byOwnership = only?.blind === true && only.own.has('rename');
    return only?.all.has('rename') === true || byOwnership;
  }
  return (
    source.every((rule) => rule.all.has('rename')) &&
    target.every((rule) => rule.all.has('create') && rule.all.has('mkdir') && !isSelective(rule))
  );
}

/** What becomes of old files; undefined: nothing stays. */
export interface Keeping {
  readonly versions?: VersionPolicy | undefined;
  readonly retainMs?: number | undefined;
}

/** Whether files stay for at least as long `there` as `here`. */
export function keepsAtLeast(there: Keeping, here: Keeping): boolean {
  const atLeast = (one = 0, other = 0): boolean => one >= other;
  return (
    atLeast(there.retainMs, here.retainMs) &&
    atLeast(there.versions?.versionsMax, here.versions?.versionsMax) &&
    atLeast(there.versions?.ageMsMax, here.versions?.ageMsMax)
  );
}

/**
 * Whether nothing that might be in a directory gets away from what keeps it when that is moved: decided as by
 * `mayMoveTree`, but by the rules of anybody who shares the root.
 */
export function keepsTree(rules: readonly CompiledRule[], from: VirtualPath, to: VirtualPath): boolean {
  const below = (directory: VirtualPath): readonly (CompiledRule | undefined)[] =>
    rulesBelow(rules, directory) ?? [
      ...rules.filter((rule) => rule.path.mayMatchBelow(directory)),
      undefined, // and there may be something without a rule
    ];
  const [source, target] = [below(from), below(to)];
  if (source.length === 1 && target.length === 1 && source[0] === target[0]) return true;
  return source.every((here) => target.every((there) => keepsAtLeast(there ?? {}, here ?? {})));
}

/** The rules that may decide about something below a directory; undefined if there may be something without a rule. */
function rulesBelow(rules: readonly CompiledRule[], directory: VirtualPath): CompiledRule[] | undefined {
  const found: CompiledRule[] = [];
  for (const rule of rules) {
    if (rule.path.mayMatchBelow(directory)) found.push(rule);
    if (rule.path.coversBelow(directory)) return found;
  }
  return undefined;
}

function isSelective({ facts }: CompiledRule): boolean {
  return facts.names !== undefined || facts.fileBytesMax !== undefined;
}

/** Asks the rules of a user; about receipts, which are the user's own and nobody's to change, no rule has a say. */
export function decideFor(
  user: User,
  question: { readonly verb: Verb; readonly path: VirtualPath; readonly isOwn: boolean },
): Decision {
  if (user.receipts !== true || !isReceiptPath(question.path)) return decide(rulesOf(user), question);
  return { allowed: lookingVerbs.has(question.verb), reason: 'receipt' };
}

/** Whoever may look at a file may look at its versions. What anybody made lately is no matter there. */
function decideOnVersion(rules: readonly CompiledRule[], verb: Verb, path: VirtualPath): Decision {
  if (!lookingVerbs.has(verb)) return { allowed: false, reason: 'version' };
  const original = originalOf(path);
  // That there is a directory tells that there are versions, which is nothing for the blind.
  if (original === '/' && verb === 'stat' && rules.some(({ blind }) => blind))
    return decide(rules, { verb: 'list', path: original, isOwn: false });
  const decision = decide(rules, { verb, path: original, isOwn: false });
  return decision.reason === 'rule-directory' ? { ...decision, allowed: false, reason: 'not-own' } : decision;
}

/** The root can't be removed, renamed or replaced; that it exists is no secret. */
function decideOnRoot(verb: Verb, rule: CompiledRule | undefined): Decision {
  if (verb === 'stat') return { allowed: true, reason: 'root' };
  if (verb !== 'list' && verb !== 'attributes') return { allowed: false, reason: 'root' };
  if (rule === undefined) return { allowed: false, reason: 'no-rule' };
  const allowed = rule.all.has(verb);
  return { allowed, reason: allowed ? 'allowed' : 'not-allowed', rule };
}

function isDirectoryOf(rule: CompiledRule, path: VirtualPath): boolean {
  return rule.path.directory === path.normalize('NFC') && rule.all.size > 0;
}

/** Whether the name filter lets `verb` make something of that name. */
function nameMayBeMade({ names }: CompiledRule, verb: Verb, name: string): boolean {
  const makesFile = fileMaking.has(verb);
  if (!makesFile && verb !== 'mkdir') return true;
  if (names.deny.some((pattern) => pattern.matches(name))) return false;
  return !makesFile || names.allow === undefined || names.allow.some((pattern) => pattern.matches(name));
}
