/**
 * The rules, as one session asks them: may this user do that there? Asked within `guard/` only, for the path as
 * asked and again for the place where links led. `rules.ts` decides; here is what a decision depends on beside the
 * configuration (what the user made itself), and what a client is told of a no.
 */
import { ScpdError, errorCode, type ErrorCode, type RuleRefusal } from '../errors.ts';
import type { OnConflict, Verb, VersionPolicy } from '../users/rule.ts';
import type { User } from '../users/user.ts';
import { Ownership, type Made, type Named, type OwnPaths } from './ownership.ts';
import type { Place } from './store.ts';
import {
  decideFor,
  hasVersions,
  keepsTree,
  mayMoveTree,
  ruleFor,
  rulesOf,
  type CompiledRule,
  type Decision,
} from './rules.ts';
import { lookingVerbs } from './presets.ts';
import { isReceiptPath, storedReceiptPath } from './receipt-path.ts';
import { isVersionPath, originalOf, storedVersionPath } from './version-path.ts';
import { componentsOf, reservedName, type VirtualPath } from './virtual-path.ts';

export type { Verb } from '../users/rule.ts';

/** What a blind user is told of the state of things that are none of its business. */
const blindAnswers: Partial<Record<ErrorCode, ErrorCode>> = {
  ALREADY_EXISTS: 'PERMISSION_DENIED',
  IS_A_DIRECTORY: 'PERMISSION_DENIED',
  NOT_A_REGULAR_FILE: 'PERMISSION_DENIED',
  DIRECTORY_NOT_EMPTY: 'PERMISSION_DENIED',
  NOT_A_DIRECTORY: 'NOT_FOUND',
  TOO_MANY_LINKS: 'NOT_FOUND',
  LINK_REFUSED: 'NOT_FOUND',
};

/** The rules of one user in one session. */
export class Access {
  readonly #user: User;
  readonly #rules: readonly CompiledRule[];
  /** The rules of each user of the root. */
  readonly #allRules: readonly (readonly CompiledRule[])[];
  readonly #own: OwnPaths;

  /**
   * @param ownership what is known of earlier sessions; without it each session begins with nothing
   * @param sharing the other users of the same root: what is to be kept for one of them, no other may take away
   */
  constructor(user: User, ownership: Ownership = new Ownership(), sharing: readonly User[] = []) {
    this.#user = user;
    this.#rules = rulesOf(user);
    this.#allRules = [this.#rules, ...sharing.map(rulesOf)];
    this.#own = ownership.open({ userName: user.name, root: user.root, windowMs: user.ownershipMs ?? 0 });
  }

  /** Throws PERMISSION_DENIED if none of the verbs is allowed. */
  check(verb: Verb | readonly Verb[], path: VirtualPath): void {
    const verbs = typeof verb === 'string' ? [verb] : verb;
    if (!verbs.some((one) => this.allows(one, path))) throw this.denial(verbs, path);
  }

  /** PERMISSION_DENIED, with the rule that says so for the record. */
  denial(verbs: readonly Verb[], path: VirtualPath): ScpdError {
    const [verb = 'stat'] = verbs;
    const { reason, rule } = this.#decide(verb, path);
    const detail = `${verbs.join(' or ')} ${path}`;
    return new ScpdError('PERMISSION_DENIED', detail, { rule: { reason, ...placeOf(rule) } });
  }

  /**
   * Asks again about where a path has led, if that is elsewhere. `actual` leads to our own area only for what may be looked
   * at there; a link never does. What a process of the host has put in the place of the user's own is not own, and so the
   * path as asked is asked about again.
   */
  checkPlace(verbs: readonly Verb[], path: VirtualPath, { path: place, attributes }: Place): void {
    const isArea = componentsOf(place)[0] === reservedName && place === this.actual(path);
    const isOthers =
      attributes !== undefined && this.#own.found({ path, stored: place }, attributes.identity);
    if (isOthers) this.check(verbs, path);
    if (place !== path && !isArea) this.check(verbs, place);
  }

  allows(verb: Verb, path: VirtualPath): boolean {
    return this.#decide(verb, path).allowed;
  }

  /** As `allows`, about something at the path that is the user's own, such as what is kept of an upload. */
  allowsOnOwn(verb: Verb, path: VirtualPath): boolean {
    return this.#decide(verb, path, true).allowed;
  }

  /** Whether there is a path on which the verb may be allowed. The root can be looked at by everybody. */
  mayEver(verb: Verb): boolean {
    if (this.#user.receipts === true && lookingVerbs.has(verb)) return true;
    return verb === 'stat' || this.#rules.some((rule) => rule.all.has(verb) || rule.own.has(verb));
  }

  /** Throws PERMISSION_DENIED if a directory can't be moved with all that may be in it. */
  checkTree(from: VirtualPath, to: VirtualPath): void {
    const isKept = this.#allRules.every((rules) => keepsTree(rules, from, to));
    if (!isKept || !mayMoveTree(this.#rules, from, to))
      throw new ScpdError('PERMISSION_DENIED', `rename ${from} with all that is in it`, {
        rule: { reason: 'tree' },
      });
  }

  /** Throws FILE_TOO_LARGE if a file of this size may not be at one of the paths. */
  checkSize(sizeBytes: number, ...paths: readonly VirtualPath[]): void {
    if (sizeBytes > this.fileBytesMax(...paths)) throw this.tooLarge(sizeBytes, ...paths);
  }

  /** FILE_TOO_LARGE, with the rule that says so for the record, if it is not the user's own limit. */
  tooLarge(sizeBytes: number, ...paths: readonly VirtualPath[]): ScpdError {
    const rules = paths.map((path) => ruleFor(this.#rules, path));
    const rule = rules.find((one) => (one?.facts.fileBytesMax ?? Infinity) < sizeBytes);
    return new ScpdError('FILE_TOO_LARGE', undefined, { rule: { reason: 'size', ...placeOf(rule) } });
  }

  /** The size of the largest file that may be at each of the paths. */
  fileBytesMax(...paths: readonly VirtualPath[]): number {
    const limits = paths.map((path) => ruleFor(this.#rules, path)?.facts.fileBytesMax ?? Infinity);
    return Math.min(this.#user.fileBytesMax, ...limits);
  }

  /** How long what is replaced or removed at a path stays as a version; undefined: not at all. */
  versions(path: VirtualPath): VersionPolicy | undefined {
    const policies = this.#everyRule(path).flatMap(({ versions }) => versions ?? []);
    if (policies.length === 0) return undefined;
    return {
      versionsMax: Math.max(...policies.map(({ versionsMax }) => versionsMax)),
      ageMsMax: Math.max(...policies.map(({ ageMsMax }) => ageMsMax)),
    };
  }

  /** How long after it was stored a file at a path can't be removed. */
  retainMs(path: VirtualPath): number | undefined {
    const times = this.#everyRule(path).flatMap(({ retainMs }) => retainMs ?? []);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  /** The rule by which a file can't be removed yet, of whoever shares the root; for the record. */
  retainedBy(path: VirtualPath): RuleRefusal {
    const retainMs = this.retainMs(path);
    const rule = this.#everyRule(path).find((one) => one.retainMs === retainMs);
    return { reason: 'retained', ...placeOf(rule) };
  }

  /** What becomes of a new file whose name is taken by what is not the user's own. */
  onConflict(path: VirtualPath): OnConflict {
    return ruleFor(this.#rules, path)?.facts.onConflict ?? this.#user.onConflict ?? 'refuse';
  }

  /**
   * What the client is told of a failure: itself, or to a user who is blind at one of the paths what it would have been
   * told of nothing at all. @param paths the one that was asked for, and the other end, if there are two
   */
  answer(error: unknown, verb: Verb, paths: readonly VirtualPath[]): unknown {
    if (!(error instanceof ScpdError)) return error;
    const rules = paths.map((path) => ruleFor(this.#rules, path)).filter((rule) => rule?.blind === true);
    if (rules.length === 0) return error;
    const code = errorCode(error);
    // What is allowed on nothing (or on everything) may be denied by its name: that tells nothing.
    const isHidden = rules.some((rule) => rule?.own.has(verb) === true && !rule.all.has(verb));
    const told = code === 'PERMISSION_DENIED' && isHidden ? 'NOT_FOUND' : blindAnswers[code];
    return told === undefined ? error : new ScpdError(told, error.message, { cause: error });
  }

  /** Whether everything there that is not the user's own must look as if it were not there. */
  isBlind(path: VirtualPath): boolean {
    return ruleFor(this.#rules, path)?.blind === true;
  }

  /** Whether all that is in a directory that may be listed may also be looked at. */
  isOpenBelow(directory: VirtualPath): boolean {
    if (this.#showsReceipts(directory)) return true;
    const asked = this.#showsVersions(directory) ? originalOf(directory) : directory;
    const deciding = this.#rules.find(
      ({ path, all }) => path.mayMatchBelow(asked) && (!all.has('stat') || path.coversBelow(asked)),
    );
    return deciding?.all.has('stat') === true;
  }

  /** Where what the client calls `path` is: its own upload under another name, an old version, or a receipt. */
  actual(path: VirtualPath): VirtualPath {
    if (this.#showsReceipts(path)) return storedReceiptPath(path, this.#user.name);
    return this.#showsVersions(path) ? storedVersionPath(path) : this.#own.actual(path);
  }

  isOwn(path: VirtualPath): boolean {
    return this.#own.has(path);
  }

  /** This session made it. */
  made(made: Made): void {
    this.#own.add(made, { remember: (ruleFor(this.#rules, made.stored)?.own.size ?? 0) > 0 });
  }

  /** A file of this session's user, or another's, has a second name. */
  linked(from: VirtualPath, to: VirtualPath): void {
    this.#own.link(from, to);
  }

  removed(gone: Named): void {
    this.#own.remove(gone);
  }

  moved(from: Named, to: Named, options: { readonly isDirectory: boolean }): void {
    this.#own.move(from, to, options);
  }

  /** The rules that decide about a path, of whoever shares the root. */
  #everyRule(path: VirtualPath): readonly CompiledRule[] {
    return this.#allRules.flatMap((rules) => ruleFor(rules, path) ?? []);
  }

  #decide(verb: Verb, path: VirtualPath, isOwn = this.#own.has(path)): Decision {
    return decideFor(this.#user, { verb, path, isOwn });
  }

  #showsReceipts(path: VirtualPath): boolean {
    return this.#user.receipts === true && isReceiptPath(path);
  }

  #showsVersions(path: VirtualPath): boolean {
    return isVersionPath(path) && hasVersions(this.#rules);
  }

  /** The session is over. */
  close(): void {
    this.#own.close();
  }
}

/** Where a rule stands; nothing for one that stands nowhere. */
function placeOf(rule: CompiledRule | undefined): Pick<RuleRefusal, 'place' | 'key'> {
  if (rule === undefined) return {};
  const { place, key } = rule.facts;
  return place === '' ? { key } : { place, key };
}
