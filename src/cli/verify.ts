/**
 * `scpd verify`: reads what is stored and compares it with the catalog; or makes the catalog, or only its sums, again.
 * May run while the server does.
 */
import { existsSync } from 'node:fs';
import { journalLines } from '../audit/journal-files.ts';
import { CatalogError, type CatalogRoot, type SqliteCatalog } from '../catalog/catalog.ts';
import { loadJournal, rebuild } from '../catalog/rebuild.ts';
import { partsOf, verifyStored, type Finding } from '../catalog/verify.ts';
import { catalogRoots, openConfiguredCatalog } from '../compose-catalog.ts';
import type { Config } from '../config/config.ts';
import { shownFile } from '../config/host-files.ts';
import { didYouMean } from '../config/suggest.ts';
import { ScpdError } from '../errors.ts';
import { isVersionPath, shownVersionPath, storedVersionPath } from '../guard/version-path.ts';
import { rootPath, virtualPath, type VirtualPath } from '../guard/virtual-path.ts';
import { printable } from '../name-bytes.ts';
import { openDiskStore } from '../storage/disk-store.ts';
import type { Command, ExitCode } from './command.ts';
import { configOption, loadReported } from './config-option.ts';
import { UsageError } from './options.ts';
import { printLine, printProblem } from './output.ts';
import { Progress, sizeText } from './progress.ts';

export const command: Command = {
  description: `Reads every stored file, of all users or of one, and compares its SHA-256 with the one that it had
when it was received. Files that are missing, changed, unknown or unreadable are listed. The
server may run meanwhile. Run it as the user that the server runs as.

--usage   compares names and sizes only, and counts again what each user has stored
--rebuild hashes everything anew and makes the catalog from that and from the audit journal: what
          is on the disk now counts as right. For when the catalog was lost

Exit code 0: all is as it should be. 1: something is not, and is listed; --usage and --rebuild have
corrected what they list. 2: nothing was checked, because the usage, the configuration or the
catalog is wrong.`,
  arguments: [
    { name: 'USER', summary: 'name of a user in the configuration', required: false },
    { name: 'PATH', summary: 'file or directory as the user sees it', required: false },
  ],
  options: {
    ...configOption,
    usage: { summary: 'only count again what users have stored' },
    rebuild: { summary: 'make the catalog again' },
    json: { summary: 'print JSON objects, one a line; the last one sums up' },
  },

  async run(values) {
    const action = actionOf(values);
    const below = (values['PATH'] ?? '') === '' ? rootPath : pathOf(values['PATH'] ?? '');
    const config = await loadReported(values['config'] ?? '');
    if (config === undefined) return 2;
    const roots = await rootsOf(values['USER'] ?? '', config);
    const catalog = await openReported(config, { begin: action === rebuildAll });
    if (catalog === undefined) return 2;
    try {
      return await action({
        config,
        catalog,
        roots,
        below,
        print: values['json'] === '' ? printText : printJson,
      });
    } finally {
      await catalog.close();
    }
  },
};

/** What is to be done. Throws `UsageError`. */
function actionOf(values: Readonly<Record<string, string>>): (task: Task) => Promise<ExitCode> {
  const { usage, rebuild: anew, PATH } = values as { usage: string; rebuild: string; PATH: string };
  if (usage === '') return anew === '' ? verifyAll : rebuildAll;
  if (anew !== '') throw new UsageError('--usage and --rebuild exclude each other');
  if (PATH !== '') throw new UsageError('--usage is about all that a user has stored');
  return recountAll;
}

/** One line of the outcome, in both of its forms. */
interface Line {
  readonly text: string;
  readonly json: object;
}

interface Task {
  readonly config: Config;
  readonly catalog: SqliteCatalog;
  readonly roots: readonly CatalogRoot[];
  readonly below: VirtualPath;
  readonly print: (line: Line) => void;
}

function printText({ text }: Line): void {
  printLine(text);
}

function printJson({ json }: Line): void {
  printLine(JSON.stringify(json));
}

async function verifyAll({ catalog, roots, below, print }: Task): Promise<ExitCode> {
  const progress = await progressOf(catalog, roots, below);
  const counts: Record<Finding['kind'], number> = { missing: 0, changed: 0, unknown: 0, unreadable: 0 };
  for (const root of roots) {
    const store = openDiskStore(root.hostPath, 'none');
    try {
      const add: Progress['add'] = (done) => progress.add(done);
      for await (const finding of verifyStored({ catalog, root, store, below, progress: add })) {
        counts[finding.kind] += 1;
        progress.clear();
        print(findingLine(root, finding));
      }
    } finally {
      store.close();
    }
  }
  progress.clear();
  const { files, bytes } = progress.done;
  const wrong = Object.entries(counts).filter(([, count]) => count > 0);
  const words =
    wrong.length === 0 ? 'all as received' : wrong.map(([kind, count]) => `${count} ${kind}`).join(', ');
  print({
    text: `${files} files, ${sizeText(bytes)} read: ${words}`,
    json: { files, bytes, ...counts, ok: wrong.length === 0 },
  });
  return wrong.length === 0 ? 0 : 1;
}

function findingLine(root: CatalogRoot, finding: Finding): Line {
  const path = printable(shownVersionPath(finding.path), 4096);
  const where = `${root.users.map((user) => printable(user)).join(',')}:${path}`;
  const json = {
    root: printable(root.hostPath, 4096),
    users: root.users,
    ...finding,
    path,
  };
  const text = `${finding.kind.padEnd(11)}${where}`;
  if (finding.kind === 'unreadable') return { text: `${text} (${finding.error})`, json };
  return { text, json };
}

async function recountAll({ catalog, roots, print }: Task): Promise<ExitCode> {
  let [entries, wrong] = [0, 0];
  for (const root of roots) {
    const store = openDiskStore(root.hostPath, 'none');
    try {
      const counts = await catalog.survey(root, store);
      entries += counts.entries;
      const { added, corrected, removed } = counts;
      wrong += added + corrected + removed;
      if (added + corrected + removed === 0) continue;
      const text = `${printable(root.hostPath, 4096)}: ${added} added, ${corrected} corrected, ${removed} taken out`;
      print({ text, json: { root: printable(root.hostPath, 4096), ...counts } });
    } finally {
      store.close();
    }
  }
  for (const { of, before, after } of await catalog.recount()) {
    wrong += 1;
    const shown =
      'user' in of
        ? { user: of.user }
        : { root: printable(of.rootHostPath, 4096), directory: printable(of.directory, 4096) };
    const text = `${shown.user ?? `${shown.root} ${shown.directory}`}: had ${before.bytes} bytes in ${before.files} files, has ${after.bytes} in ${after.files}`;
    print({ text, json: { ...shown, before, after } });
  }
  const words = wrong === 0 ? 'all as counted' : `${wrong} corrections`;
  print({ text: `${entries} entries: ${words}`, json: { entries, corrections: wrong, ok: wrong === 0 } });
  return wrong === 0 ? 0 : 1;
}

async function rebuildAll({ config, catalog, roots, below, print }: Task): Promise<ExitCode> {
  if (existsSync(config.audit.dir)) await loadJournal(catalog, journalLines(config.audit.dir));
  const progress = await progressOf(catalog, roots, below);
  let [files, received, unreadable] = [0, 0, 0];
  for (const root of roots) {
    const store = openDiskStore(root.hostPath, 'none');
    try {
      const counts = await rebuild({
        catalog,
        root,
        store,
        below,
        progress: (done) => progress.add(done),
        problem: (path, error) => {
          unreadable += 1;
          progress.clear();
          print(findingLine(root, { kind: 'unreadable', path, error }));
        },
      });
      files += counts.files;
      received += counts.received;
    } finally {
      store.close();
    }
  }
  progress.clear();
  await catalog.recount();
  const text = `${files} files, ${received} of them in the journal`;
  print({
    text: unreadable === 0 ? text : `${text}, ${unreadable} unreadable`,
    json: { files, received, unreadable, ok: unreadable === 0 },
  });
  return unreadable === 0 ? 0 : 1;
}

async function progressOf(
  catalog: SqliteCatalog,
  roots: readonly CatalogRoot[],
  below: VirtualPath,
): Promise<Progress> {
  const sums = await Promise.all(
    roots.flatMap((root) => partsOf(below).map((part) => catalog.filesBelow(root, part))),
  );
  return new Progress({
    files: sums.reduce((sum, { files }) => sum + files, 0),
    bytes: sums.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}

/** @param options.begin whether a new catalog may be begun: by whom it is made, decides who can open it */
async function openReported(
  config: Config,
  { begin }: { readonly begin: boolean },
): Promise<SqliteCatalog | undefined> {
  const { file } = config.catalog;
  if (!begin && !existsSync(file)) {
    printProblem(
      `scpd: there is no catalog at ${shownFile(file)}; "scpd serve" or "scpd verify --rebuild" makes one`,
    );
    return undefined;
  }
  try {
    return await openConfiguredCatalog(config, begin ? 'replace' : 'refuse');
  } catch (error) {
    if (!(error instanceof CatalogError)) throw error;
    printProblem(`scpd: ${printable(error.message, 4096)}`);
    return undefined;
  }
}

async function rootsOf(name: string, config: Config): Promise<readonly CatalogRoot[]> {
  const roots = await catalogRoots(config);
  if (name === '') return [...new Set(roots.values())];
  const root = roots.get(name);
  if (root !== undefined) return [root];
  throw new UsageError(`no user "${printable(name, 60)}"${didYouMean(name, [...roots.keys()])}`);
}

function pathOf(text: string): VirtualPath {
  try {
    const path = virtualPath(text);
    return isVersionPath(path) ? storedVersionPath(path) : path;
  } catch (error) {
    if (error instanceof ScpdError) throw new UsageError(`PATH: ${error.message}`, { cause: error });
    throw error;
  }
}
