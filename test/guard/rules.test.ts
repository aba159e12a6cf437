/** Goal: the first rule that matches decides, in every spelling of a path, and what no rule names is denied. */
import t from 'tap';
import { presetRights, verbs } from '../../src/guard/presets.ts';
import { decide, mayMoveTree, rulesOf, type CompiledRule, type Reason } from '../../src/guard/rules.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { configSchema } from '../../src/config/schema.ts';
import { decodeName } from '../../src/name-bytes.ts';
import type { Rule, Verb } from '../../src/users/rule.ts';
import { Chance } from '../support/chance.ts';

type ShortRule = Partial<Rule> & { readonly path: string };

function compile(...rules: readonly ShortRule[]): readonly CompiledRule[] {
  return rulesOf({
    name: 'alice',
    root: '/nowhere',
    fileBytesMax: 1,
    rules: rules.map((rule) => ({ place: '', key: '', allow: [], deny: [], ...rule })),
  });
}

function reasonOf(
  rules: readonly CompiledRule[],
  verb: Verb,
  path: string,
  isOwn = false,
): Reason | `yes: ${Reason}` {
  const { allowed, reason } = decide(rules, { verb, path: virtualPath(path), isOwn });
  return allowed ? `yes: ${reason}` : reason;
}

/** A test's name in ASCII: TAP is read line by line, and other things than line feeds may end a line. */
function shown(value: unknown): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replaceAll(/[^ -~]/g, escape);
}

t.test('the first rule whose path matches decides about every verb', async (t) => {
  const rules = compile(
    { path: '/secret/**', allow: [] },
    { path: '/pub/**', preset: 'read-only', allow: ['create'], deny: ['hash', 'create'] },
    { path: '/in/**', preset: 'drop-box', names: { allow: ['*.gpg'], deny: ['.*'] } },
    { path: '/*.log', allow: ['append', 'stat'] },
    { path: '/secret/public', preset: 'full' },
  );
  const rows: readonly (readonly [verb: Verb, path: string, reason: string, isOwn?: boolean])[] = [
    ['read', '/secret/x', 'not-allowed'],
    ['read', '/secret/public', 'not-allowed'],
    ['read', '/pub/x', 'yes: allowed'],
    ['hash', '/pub/x', 'denied'],
    ['create', '/pub/x', 'denied'],
    ['delete', '/pub/x', 'not-allowed'],
    ['create', '/in/a.gpg', 'yes: allowed'],
    ['create', '/in/a.txt', 'name'],
    ['create', '/in/.a.gpg', 'name'],
    ['overwrite', '/in/a.txt', 'name', true],
    ['mkdir', '/in/a', 'yes: allowed'],
    ['mkdir', '/in/.a', 'name'],
    ['stat', '/in/a.gpg', 'not-own'],
    ['stat', '/in/a.gpg', 'yes: own', true],
    ['stat', '/in', 'yes: rule-directory'],
    ['delete', '/in', 'not-own'],
    ['append', '/x.log', 'yes: allowed'],
    ['append', '/d/x.log', 'no-rule'],
    ['read', '/other', 'no-rule'],
    ['stat', '/', 'yes: root'],
    ['list', '/', 'no-rule'],
    ['rename', '/', 'root'],
    ['read', '/.scpd/x', 'reserved'],
  ];
  for (const [verb, path, reason, isOwn] of rows) {
    t.equal(reasonOf(rules, verb, path, isOwn), reason, `${verb} ${path}`);
  }
});

t.test('no preset opens what is reserved, and each is what its description says', async (t) => {
  for (const preset of ['full', 'read-only', 'drop-box', 'backup', 'append-only'] as const) {
    const rules = compile({ path: '/**', preset });
    for (const verb of verbs)
      t.equal(reasonOf(rules, verb, '/.scpd/x', true), 'reserved', `${preset} ${verb}`);
  }
  const denied = (preset: keyof typeof presetRights): Verb[] =>
    verbs.filter((verb) => !presetRights[preset].all.has(verb) && !presetRights[preset].own.has(verb));
  t.strictSame(denied('full'), []);
  t.strictSame(denied('backup'), ['append', 'symlink']);
  t.strictSame(denied('append-only'), ['overwrite', 'append', 'delete', 'rmdir', 'symlink']);
});

t.test('the configuration knows the same verbs', async (t) => {
  const rule = configSchema.properties?.['roles']?.additionalProperties;
  const allow = rule === false ? undefined : rule?.properties?.['rules']?.items?.properties?.['allow'];
  t.strictSame(allow?.items?.enum, verbs);
});

/** Spellings of "/box/<name>" that mean the same path, and the very name in another Unicode form. */
function spellings(chance: Chance, name: string): string {
  const join = (): string => chance.pick(['/', '//', '/./', '/x/../', '///.//']);
  const form = chance.pick(['NFC', 'NFD'] as const);
  const start = chance.pick(['', '/', './', '../', '/../../']);
  return `${start}${chance.pick(['', 'y/..'])}${join()}box${join()}${name.normalize(form)}${chance.pick(['', '/', '/.', '//', '/z/..'])}`;
}

t.test('no spelling of a name gets around a rule', async (t) => {
  const names = [
    'secret',
    'caf\u00e9',
    '\u1e9b\u0323',
    'a b',
    '.hidden',
    decodeName(Buffer.from('b\xff', 'latin1')),
    '\u212b',
  ];
  const rules = compile(...names.map((name) => ({ path: `/box/${name}`, allow: [] })), {
    path: '/**',
    preset: 'full',
  });
  const chance = new Chance(7);
  for (let round = 0; round < 3000; round += 1) {
    const spelling = spellings(chance, chance.pick(names));
    if (reasonOf(rules, 'read', spelling) !== 'not-allowed') {
      t.equal(reasonOf(rules, 'read', spelling), 'not-allowed', shown(spelling));
      return;
    }
  }
  // What is another file on the disk is another name to the rules.
  for (const other of [
    '/box/Secret',
    '/box/secret ',
    '/box/secret.',
    '/box/%73ecret',
    '/box\\secret',
    '/box/secre',
  ]) {
    t.equal(reasonOf(rules, 'read', other), 'yes: allowed', other);
  }
});

t.test('bytes that are no UTF-8 do not get around a pattern', async (t) => {
  const rules = compile(
    { path: '/*.exe', allow: [] },
    { path: '/**', preset: 'full', names: { deny: ['*.exe', '?.com'] } },
  );
  for (const bytes of [
    [0xff],
    [0xc0, 0xae],
    [0xed, 0xa0, 0x80],
    [0xf8, 0x88],
    [0x0a],
    [0x0d],
    [0xe2, 0x80, 0xa8],
  ]) {
    const name = decodeName(Buffer.from(bytes));
    t.equal(reasonOf(rules, 'create', `/${name}.exe`), 'not-allowed', shown(name));
    t.equal(reasonOf(rules, 'create', `/d/${name}.exe`), 'name', shown(name));
  }
  t.equal(reasonOf(rules, 'create', `/d/${decodeName(Buffer.of(0xff))}.com`), 'name');
});

t.test('a directory moves only if everything that might be in it may', async (t) => {
  const rows: readonly (readonly [
    name: string,
    rules: readonly ShortRule[],
    from: string,
    to: string,
    may: boolean,
  ])[] = [
    ['all is allowed', [{ path: '/**', preset: 'full' }], '/a', '/b', true],
    [
      'a filter that holds at both ends',
      [{ path: '/**', preset: 'full', names: { deny: ['.*'] } }],
      '/a',
      '/b',
      true,
    ],
    [
      'a denied subtree is moved along',
      [
        { path: '/a/secret/**', allow: [] },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b',
      false,
    ],
    [
      'a denied subtree elsewhere',
      [
        { path: '/c/secret/**', allow: [] },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b',
      true,
    ],
    [
      'what moves would land under a denied name',
      [
        { path: '/b/secret/**', allow: [] },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b',
      false,
    ],
    [
      'a pattern that may match anywhere',
      [
        { path: '/**/*.key', preset: 'read-only' },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b',
      false,
    ],
    [
      'another rule that allows it as well',
      [
        { path: '/b/**', preset: 'full' },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b/c',
      true,
    ],
    [
      'a filter at the other end',
      [
        { path: '/b/**', preset: 'full', names: { allow: ['*.gpg'] } },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b/c',
      false,
    ],
    [
      'a size limit at the other end',
      [
        { path: '/b/**', preset: 'full', fileBytesMax: 5 },
        { path: '/**', preset: 'full' },
      ],
      '/a',
      '/b/c',
      false,
    ],
    ['no rule for some of it', [{ path: '/*', preset: 'full' }], '/a', '/b', false],
    ['a blind user within its box', [{ path: '/in/**', preset: 'drop-box' }], '/in/a', '/in/b', true],
    [
      'a blind user out of its box',
      [
        { path: '/in/**', preset: 'drop-box' },
        { path: '/**', preset: 'full' },
      ],
      '/in/a',
      '/b',
      false,
    ],
    ['names that were committed stay', [{ path: '/**', preset: 'append-only' }], '/a', '/b', false],
  ];
  for (const [name, rules, from, to, may] of rows) {
    t.equal(mayMoveTree(compile(...rules), virtualPath(from), virtualPath(to)), may, name);
  }
});
