/**
 * Goal: the drawing in src/README.md stays true. Who may import whom, what may be called where, and how large things may
 * grow are checked here, with the replacement named, because a rule that is no test is a wish.
 */
import t from 'tap';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('..', import.meta.url));

/** What every room may use: words, numbers, names. */
const common = ['errors.ts', 'limits.ts', 'name-bytes.ts', 'ids.ts', 'in-time.ts', 'blocks.ts', 'pace.ts'];

/** Room → the rooms (or files) whose code it may import. `types:` means `import type` only. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'limits.ts': [],
  'name-bytes.ts': [],
  'ids.ts': [],
  'in-time.ts': [],
  'blocks.ts': [],
  'pace.ts': [],
  // What the operator may write is what is read later: patterns, networks, hours and witnesses have one reader each.
  config: [
    'types:users',
    'guard/glob.ts',
    'users/networks.ts',
    'users/time-window.ts',
    'audit/witness-target.ts',
  ],
  users: [],
  protocol: [],
  session: ['protocol', 'guard', 'types:audit', 'types:users'],
  guard: ['types:audit', 'types:users'],
  storage: ['guard/virtual-path.ts', 'guard/version-path.ts', 'guard/receipt-path.ts', 'types:guard'],
  catalog: [
    'guard/virtual-path.ts',
    'guard/version-path.ts',
    'guard/ledger.ts',
    'guard/hash.ts',
    'guard/conflict-name.ts',
    'types:guard',
    'types:audit',
  ],
  audit: ['types:ssh', 'types:users'],
  ssh: ['session', 'users', 'types:types'],
  supervisor: ['guard/ownership.ts', 'guard/virtual-path.ts', 'types:config', 'types:ssh', 'types:audit'],
  // Copies of records go out by sockets, which the audit room has none of.
  observe: ['types:audit', 'types:guard', 'types:supervisor'],
  types: [],
  cli: ['*'],
  'compose.ts': ['*'],
  'compose-catalog.ts': ['*'],
  'compose-versions.ts': ['*'],
  'compose-serving.ts': ['*'],
  'compose-observe.ts': ['*'],
  'compose-running.ts': ['*'],
  'compose-generations.ts': ['*'],
  'compose-journal.ts': ['*'],
  'worker.ts': ['*'],
  'compose-resume.ts': ['*'],
  'main.ts': ['*'],
};

/** Where the outside world may be touched. Everything else asks one of these. */
const mayUse: readonly {
  readonly modules: RegExp;
  readonly rooms: readonly string[];
  readonly instead: string;
}[] = [
  {
    modules: /^node:fs(\/promises)?$/,
    rooms: ['storage', 'audit', 'catalog', 'config', 'users', 'supervisor', 'cli', 'main.ts'],
    instead: 'reach files of clients through guard/files.ts',
  },
  // users/ needs the block lists of node:net, and opens no socket.
  {
    modules: /^node:(net|tls|http|https)$/,
    rooms: ['ssh', 'users', 'supervisor', 'observe'],
    instead: 'sockets live in supervisor/ and ssh/',
  },
  { modules: /^picomatch$/, rooms: ['guard'], instead: 'guard/glob.ts reads patterns' },
  // The supervisor starts workers: this same program, and nothing that a client could have named.
  {
    modules: /^node:child_process$/,
    rooms: ['supervisor'],
    instead: 'scpd starts no process for anybody',
  },
  { modules: /^ssh2(\/|$)/, rooms: ['ssh'], instead: 'ssh/ is the only room that knows ssh2' },
  {
    modules: /^(libsql|kysely)(\/|$)/,
    rooms: ['catalog'],
    instead: 'catalog/ is the only room with a database',
  },
  { modules: /^ajv(\/|$)/, rooms: ['config'], instead: 'config/ validates' },
];

/** PURE rooms: bytes in, events out. */
const pureRooms = ['protocol', 'errors.ts', 'limits.ts', 'name-bytes.ts'];
const pureModules = new Set(['node:buffer']);

interface Import {
  readonly from: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith('.ts') && statSync(path).isFile());
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const pattern = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^;'"]*?\sfrom\s+)?['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map((match) => ({
    from: relative(join(project, 'src'), path),
    specifier: match[2] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

const sources = filesBelow(join(project, 'src'));
const imports = sources.flatMap(importsOf);
const roomOf = (path: string): string => path.split('/')[0] ?? '';

t.test('rooms import only whom the drawing lets them', async (t) => {
  t.ok(imports.length > 100, 'the imports were found');
  for (const { from, specifier, typeOnly } of imports) {
    if (!specifier.startsWith('.')) continue;
    const target = relative(join(project, 'src'), resolve(project, 'src', dirname(from), specifier));
    const room = roomOf(from);
    const allowed = mayImport[room];
    if (allowed === undefined) {
      t.fail(`${from}: the room ${room} is not in the table`);
      continue;
    }
    const targetRoom = roomOf(target);
    const fine =
      targetRoom === room ||
      common.includes(target) ||
      allowed.includes('*') ||
      allowed.includes(targetRoom) ||
      allowed.includes(target) ||
      (typeOnly && allowed.includes(`types:${targetRoom}`));
    if (!fine) t.fail(`${from} may not import ${target}`);
  }
});

t.test('the outside world is touched only where it belongs', async (t) => {
  for (const { from, specifier, typeOnly } of imports) {
    if (typeOnly) continue;
    for (const { modules, rooms, instead } of mayUse) {
      if (modules.test(specifier) && !rooms.includes(roomOf(from)))
        t.fail(`${from} imports ${specifier}: ${instead}`);
    }
    const pure = pureRooms.includes(roomOf(from));
    if (pure && !specifier.startsWith('.') && !pureModules.has(specifier))
      t.fail(`${from} imports ${specifier}: it is pure`);
  }
});

/** Calls that are wrong wherever they stand, and what to do. */
const forbidden: readonly { readonly pattern: RegExp; readonly instead: string; readonly except?: RegExp }[] =
  [
    { pattern: /\bconsole\./, instead: 'log through pino, print through the command’s output' },
    {
      pattern: /\brealpath(Sync)?\b[^\n]*from 'node:fs/,
      instead: 'walk by descriptors',
      except: /^config\//,
    },
    { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, instead: 'an issue' },
    { pattern: /@ts-(ignore|nocheck|expect-error)|oxlint-disable|eslint-disable/, instead: 'mend the cause' },
    { pattern: /^export default/m, instead: 'a named export' },
  ];

t.test('forbidden calls', async (t) => {
  for (const path of sources) {
    const name = relative(join(project, 'src'), path);
    const text = readFileSync(path, 'utf8');
    for (const { pattern, instead, except } of forbidden) {
      if (pattern.test(text) && except?.test(name) !== true) t.fail(`${name}: ${pattern} - use ${instead}`);
    }
  }
});

t.test('files stay readable', async (t) => {
  for (const path of sources) {
    const name = relative(project, path);
    const lines = readFileSync(path, 'utf8').split('\n');
    if (lines.length > 400 && !name.endsWith('.d.ts'))
      t.fail(`${name} has ${lines.length} lines, more than 400`);
    if (!/^(#!.*\n)?\/\*\*/.test(lines.slice(0, 2).join('\n'))) t.fail(`${name} does not say why it exists`);
  }
});

t.test('every test file is one that tap runs', async (t) => {
  for (const path of filesBelow(join(project, 'test'))) {
    const name = relative(project, path);
    if (!/^test\/(support|bench)\//.test(name)) t.match(name, /\.test\.ts$/, name);
  }
});

t.test('each error code is used', async (t) => {
  const all = sources
    .filter((path) => !path.endsWith('/errors.ts'))
    .map((path) => readFileSync(path, 'utf8'));
  const { errorCatalogue } = await import('../src/errors.ts');
  for (const code of Object.keys(errorCatalogue))
    t.ok(
      all.some((text) => text.includes(`'${code}'`)),
      code,
    );
});
