/**
 * A process with the catalog open, for tests of several of them: `storm` changes the tree as fast as it can until it is
 * killed, `claim` claims ten bytes at a time until the quota is used up, says how often, and waits to be told to go on.
 * Arguments: what to do, the place's catalog file, its root, the quota in bytes.
 */
import { SessionJournal } from '../../src/audit/session-journal.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import { QuotaKeeper } from '../../src/guard/quota.ts';
import { virtualPath } from '../../src/guard/virtual-path.ts';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { processes } from './catalog.ts';
import { CheckedJournal, testSession } from './checked-journal.ts';
import { randomNumbers } from './random-numbers.ts';
import { codeOf } from './throws.ts';

const [what, file = '', hostPath = '', quotaBytes = '0', seed = '1'] = process.argv.slice(2);
const root = { hostPath, users: ['alice'] };
const quota = { bytesMax: Number(quotaBytes) };
const onFailure = (): never => process.exit(3);
const catalog = await openCatalog({ file, damaged: 'refuse', processes, onFailure });
const ledger = await catalog.ledger({ root, user: 'alice', quota });

async function claimAll(): Promise<void> {
  let granted = 0;
  for (let index = 0; ; index += 1) {
    const path = virtualPath(`${process.pid}-${index}`);
    if ((await ledger.claim({ path, bytes: 10, creates: true })) === undefined) break;
    granted += 1;
  }
  process.stdout.write(`${granted}\n`);
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once('end', resolve));
}

async function storm(): Promise<void> {
  const files = createGuardedFiles({
    user: { name: 'alice', root: hostPath, preset: 'full', fileBytesMax: 2 ** 40 },
    store: openDiskStore(hostPath, 'none'),
    journal: new SessionJournal(new CheckedJournal(), testSession),
    quota: new QuotaKeeper({ ledger, quota, freeBytesMin: 0, onFailure }),
  });
  const chance = randomNumbers(Number(seed));
  const names = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'e'];
  const pick = (): ReturnType<typeof virtualPath> => virtualPath(names[chance(names.length)] ?? 'a');
  const put = async (): Promise<void> => {
    const declaredBytes = chance(300);
    const upload = await files.upload(pick(), {
      existing: 'replace',
      missing: 'create',
      newFileMode: 0o644,
      declaredBytes,
    });
    await upload.write(Buffer.alloc(declaredBytes), 0);
    await upload.commit('verified');
  };
  const acts: readonly (() => Promise<unknown>)[] = [
    put,
    put,
    () => files.remove(pick()),
    () => files.rename(pick(), pick(), { replace: true }),
    () => files.makeDirectory(pick(), 0o755),
    () => files.removeDirectory(pick()),
  ];
  process.stdout.write('started\n');
  for (;;) await Promise.all([0, 1, 2].map(() => codeOf(acts[chance(acts.length)] ?? put)));
}

await (what === 'claim' ? claimAll() : storm());
process.exit(0);
