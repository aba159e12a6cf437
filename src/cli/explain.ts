/** `scpd explain`: the answer of the rules to one question, with the rule that gave it and those that were asked before. */
import type { Config } from '../config/config.ts';
import { didYouMean } from '../config/suggest.ts';
import { ScpdError } from '../errors.ts';
import { verbs } from '../guard/presets.ts';
import {
  decideFor,
  hasVersions,
  quotasOf,
  rulesOf,
  type CompiledRule,
  type Decision,
  type Reason,
  type RuleQuota,
} from '../guard/rules.ts';
import { isVersionPath, originalOf } from '../guard/version-path.ts';
import { virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { printable } from '../name-bytes.ts';
import { Admission } from '../users/admission.ts';
import { isAddress } from '../users/networks.ts';
import type { Verb } from '../users/rule.ts';
import type { User } from '../users/user.ts';
import type { Command } from './command.ts';
import { configOption, loadReported } from './config-option.ts';
import { UsageError } from './options.ts';
import { printLine } from './output.ts';

export const command: Command = {
  description: `Says whether a user may do something to a path, which rule decides, and which rules were asked
before it. Nothing is looked up in the root: links are not followed, and what is the user's own
is not known, so rights on own uploads are named where they exist. The user's hours are asked at
the present time, its networks if --from gives an address.

Verbs: ${verbs.slice(0, 7).join(' ')}
       ${verbs.slice(7).join(' ')}

Exit code 0: allowed. 1: denied. 2: no answer, because the usage or the configuration is wrong.`,
  arguments: [
    { name: 'USER', summary: 'name of a user in the configuration', required: true },
    { name: 'VERB', summary: 'what is to be done', required: true },
    { name: 'PATH', summary: 'path as the user sees it', required: true },
  ],
  options: {
    from: { value: 'IP', summary: "the client's address", default: '' },
    ...configOption,
    json: { summary: 'print one JSON object' },
  },

  async run({ USER = '', VERB = '', PATH = '', from = '', config: file = '', json = '' }) {
    const question = { verb: verbOf(VERB), path: pathOf(PATH), address: addressOf(from) };
    const config = await loadReported(file);
    if (config === undefined) return 2;
    const user = userOf(USER, config);
    const answer = explain(user, question);
    if (json === '') linesOf(user, question, answer).forEach(printLine);
    else printLine(JSON.stringify(jsonOf(user, question, answer)));
    return answer.allowed ? 0 : 1;
  },
};

interface Question {
  readonly verb: Verb;
  readonly path: VirtualPath;
  readonly address: string | undefined;
}

type Refusal = 'network' | 'hours';

/** `symlinks`: no rule, but the user's policy for links. */
type Shown = Reason | 'symlinks';

interface Answer {
  readonly allowed: boolean;
  /** Why the login itself is refused. */
  readonly login: Refusal | undefined;
  readonly decision: Omit<Decision, 'reason'> & { readonly reason: Shown };
  /** In the order asked; the last one decided if `matched`. */
  readonly chain: readonly { readonly rule: CompiledRule; readonly matched: boolean }[];
}

/** Asks as a session would. */
function explain(user: User, { verb, path, address }: Question): Answer {
  const rules = rulesOf(user);
  const ruled = decideFor(user, { verb, path, isOwn: false });
  const refusesLink = verb === 'symlink' && user.symlinks === 'refuse' && ruled.allowed;
  const decision: Answer['decision'] = refusesLink ? { allowed: false, reason: 'symlinks' } : ruled;
  // About an old version decides the rule of the file.
  const asked = isVersionPath(path) && hasVersions(rules) ? originalOf(path) : path;
  const deciding = rules.findIndex((rule) => rule.path.matches(asked));
  const chain = deciding === -1 ? rules : rules.slice(0, deciding + 1);
  const login = refusalOf(user, address);
  return {
    allowed: decision.allowed && login === undefined,
    login,
    decision,
    chain: ['reserved', 'version', 'receipt'].includes(decision.reason)
      ? []
      : chain.map((rule, index) => ({ rule, matched: index === deciding })),
  };
}

function refusalOf(user: User, address: string | undefined): Refusal | undefined {
  const admission = new Admission(user);
  if (address !== undefined && !admission.allowsAddress(address)) return 'network';
  return admission.allowsTime(new Date()) ? undefined : 'hours';
}

const reasonWords: Readonly<Record<Shown, string>> = {
  reserved: 'the name .scpd is reserved for scpd itself; no rule can allow it',
  version: 'old versions of files can only be looked at',
  receipt: "the user's receipts can be looked at, and nothing else",
  root: 'the root can be looked at by everybody, and never removed, renamed or replaced',
  'rule-directory': 'the directory that a rule is about may be looked at',
  allowed: 'the rule allows it',
  own: "the rule allows it on the user's own",
  denied: 'the rule denies it by "deny"',
  'not-allowed': 'the rule does not allow it',
  'not-own': "the rule allows it only on the user's own uploads",
  name: 'the "names" of the rule do not let such a name be made',
  'no-rule': 'no rule matches the path',
  symlinks: 'the rules allow it, but the user\'s "symlinks" is "refuse"',
};

const loginWords: Readonly<Record<Refusal, string>> = {
  network: 'the login is refused: the address is in none of the networks',
  hours: 'the login is refused: it is outside of the hours',
};

function linesOf(
  user: User,
  { verb, path }: Question,
  { allowed, login, decision, chain }: Answer,
): string[] {
  const lines = [`${allowed ? 'allowed' : 'denied'}: ${user.name} ${verb} ${printable(path, 4096)}`];
  if (login !== undefined) lines.push(`  ${loginWords[login]}`);
  lines.push(
    `  ${reasonWords[decision.reason]}${decision.rule === undefined ? '' : ` (${placeOf(decision.rule)})`}`,
  );
  const window = (user.ownershipMs ?? 0) / 60_000;
  if (decision.reason === 'not-own')
    lines.push(`  (own: sent in the same session, or by the same user within ${window} minutes)`);
  if (chain.length > 0) lines.push('rules asked:');
  for (const { rule, matched } of chain) {
    lines.push(
      `  ${placeOf(rule)} ${printable(rule.facts.path)}: ${matched ? 'matches, and decides' : 'does not match'}`,
    );
  }
  const quotas = quotasAt(user, path);
  if (quotas.length > 0) lines.push('quotas of directories, for all users of the root together:');
  for (const { rule, directory, quota } of quotas)
    lines.push(`  ${placeOf(rule)} below ${printable(directory)}: ${limitWords(quota)}`);
  return lines;
}

/** Those that something at the path counts for. */
function quotasAt(user: User, path: VirtualPath): RuleQuota[] {
  const name = path.normalize('NFC');
  return quotasOf(user).filter(({ directory }) => directory === '/' || name.startsWith(`${directory}/`));
}

function limitWords({ bytesMax, filesMax }: RuleQuota['quota']): string {
  const limits = [
    ...(bytesMax === undefined ? [] : [`${bytesMax} bytes`]),
    ...(filesMax === undefined ? [] : [`${filesMax} files`]),
  ];
  return limits.length === 0 ? 'no limit' : limits.join(' and ');
}

function placeOf({ facts }: CompiledRule): string {
  return `${facts.place} ${facts.key}`;
}

function jsonOf(user: User, question: Question, { allowed, login, decision, chain }: Answer): object {
  const ruleFacts = ({ facts }: CompiledRule): object => ({
    place: facts.place,
    key: facts.key,
    path: facts.path,
  });
  return {
    allowed,
    user: user.name,
    verb: question.verb,
    path: question.path,
    from: question.address ?? null,
    reason: login ?? decision.reason,
    rule: decision.rule === undefined ? null : ruleFacts(decision.rule),
    quotas: quotasAt(user, question.path).map(({ rule, directory, quota }) => ({
      ...ruleFacts(rule),
      directory,
      bytes: quota.bytesMax ?? null,
      files: quota.filesMax ?? null,
    })),
    chain: chain.map(({ rule, matched }) => ({ ...ruleFacts(rule), matched })),
  };
}

function verbOf(word: string): Verb {
  const verb = verbs.find((known) => known === word);
  if (verb !== undefined) return verb;
  throw new UsageError(`unknown verb "${printable(word, 60)}"${didYouMean(word, verbs)}`);
}

function pathOf(text: string): VirtualPath {
  try {
    return virtualPath(text);
  } catch (error) {
    if (!(error instanceof ScpdError)) throw error;
    throw new UsageError(`no path "${printable(text, 60)}"`, { cause: error });
  }
}

function addressOf(text: string): string | undefined {
  if (text === '') return undefined;
  if (isAddress(text)) return text;
  throw new UsageError(`no IP address "${printable(text, 60)}"`);
}

function userOf(name: string, { users }: Config): User {
  const found = users.find(({ user }) => user.name === name);
  if (found !== undefined) return found.user;
  const names = users.map(({ user }) => user.name);
  throw new UsageError(`unknown user "${printable(name, 60)}"${didYouMean(name, names)}`);
}
