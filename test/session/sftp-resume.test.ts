/** Goal: WinSCP's way to go on with an upload works step by step, and clients that never go on are not shown what is left. */
import t, { type Test } from 'tap';
import { readFileSync, readdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SessionJournal } from '../../src/audit/session-journal.ts';
import type { SqliteCatalog } from '../../src/catalog/catalog.ts';
import { sftpStatus } from '../../src/errors.ts';
import { createGuardedFiles } from '../../src/guard/guarded-files.ts';
import { QuotaKeeper } from '../../src/guard/quota.ts';
import type { OpenFlags } from '../../src/protocol/sftp/file-requests.ts';
import { runSftp } from '../../src/session/sftp.ts';
import { openDiskStore } from '../../src/storage/disk-store.ts';
import { makeCatalogPlace, startCatalog, type CatalogPlace } from '../support/catalog.ts';
import { CheckedJournal, testSession } from '../support/checked-journal.ts';
import { MemoryChannel } from '../support/memory-channel.ts';
import { noFlags, SftpPeer } from '../support/sftp-wire.ts';

const content = randomBytes(2_000_000);
const pieceBytes = 32_768; // as WinSCP sends it

interface Session {
  readonly peer: SftpPeer;
  readonly open: (path: string, flags: Partial<OpenFlags>) => Promise<string>;
  readonly send: (handle: string, start: number, end: number) => Promise<void>;
  /** The connection is lost. */
  readonly lose: () => Promise<void>;
}

async function connect(
  { place, catalog }: { readonly place: CatalogPlace; readonly catalog: SqliteCatalog },
  clientSoftware: string,
): Promise<Session> {
  const root = place.root.hostPath;
  const ledger = await catalog.ledger({ root: place.root, user: 'alice', quota: {} });
  const onFailure = (): void => undefined;
  const files = createGuardedFiles({
    user: { name: 'alice', root, preset: 'full', fileBytesMax: 2 ** 40 },
    store: openDiskStore(root, 'none'),
    journal: new SessionJournal(new CheckedJournal(), testSession),
    quota: new QuotaKeeper({ ledger, quota: {}, freeBytesMin: 0, onFailure }),
    resume: { ledger, resumeMs: 60_000, onFailure },
  });
  const channel = new MemoryChannel();
  const peer = new SftpPeer(channel);
  const over = runSftp(channel, files, { userName: 'alice', clientSoftware });
  await peer.start();
  return {
    peer,
    open: async (path, flags) =>
      await peer.askHandle({
        kind: 'open',
        path,
        flags: { ...noFlags, write: true, ...flags },
        attributes: {},
      }),
    send: async (handle, start, end) => {
      for (let offset = start; offset < end; offset += pieceBytes) {
        const data = content.subarray(offset, Math.min(offset + pieceBytes, end));
        await peer.ask({ kind: 'write', handle, offset, data });
      }
    },
    lose: async () => {
      channel.lose();
      await over;
      await files.close('CONNECTION_LOST');
    },
  };
}

async function interrupted(t: Test, path: string) {
  const place = makeCatalogPlace(t);
  const catalog = await startCatalog(place);
  t.teardown(() => catalog.close());
  const first = await connect({ place, catalog }, 'WinSCP_release_6.3.3');
  const handle = await first.open(path, { create: true, truncate: true });
  await first.send(handle, 0, 1_700_000);
  await first.lose();
  return { place, catalog };
}

t.test('WinSCP: LSTAT of the .filepart, OPEN without CREAT, offsets, RENAME, times', async (t) => {
  const box = await interrupted(t, 'big.iso.filepart');
  const { peer, open, send, lose } = await connect(box, 'WinSCP_release_6.3.3');
  t.match(await peer.ask({ kind: 'lstat', path: 'big.iso' }), { status: sftpStatus.NO_SUCH_FILE });
  const seen = await peer.ask({ kind: 'lstat', path: 'big.iso.filepart' });
  const size = seen.kind === 'attributes' ? (seen.attributes.sizeBytes ?? 0) : 0;
  t.ok(size > 1_000_000 && size < 1_700_000, `${size} bytes wait`);
  const handle = await open('big.iso.filepart', {});
  await send(handle, size, content.length);
  t.match(await peer.ask({ kind: 'close', handle }), { status: sftpStatus.OK });
  t.match(await peer.ask({ kind: 'rename', from: 'big.iso.filepart', to: 'big.iso' }), {
    status: sftpStatus.OK,
  });
  const attributes = { times: { accessedSeconds: 1_000_000_000, modifiedSeconds: 1_000_000_000 } };
  t.match(await peer.ask({ kind: 'setstat', path: 'big.iso', attributes }), { status: sftpStatus.OK });
  await lose();
  const root = box.place.root.hostPath;
  t.ok(readFileSync(join(root, 'big.iso')).equals(content));
  t.strictSame(readdirSync(join(root, '.scpd/partial')), []);
});

t.test('rclone and paramiko are shown nothing, and what they send is whole', async (t) => {
  for (const software of ['rclone/v1.60.1', 'paramiko_2.12.0']) {
    const box = await interrupted(t, 'a');
    const { peer, open, send, lose } = await connect(box, software);
    t.match(await peer.ask({ kind: 'stat', path: 'a' }), { status: sftpStatus.NO_SUCH_FILE }, software);
    const handle = await open('a', { create: true, truncate: true });
    await send(handle, 0, content.length);
    t.match(await peer.ask({ kind: 'close', handle }), { status: sftpStatus.OK });
    const cut = await open('b', { create: true, truncate: true });
    await send(cut, 0, 1_700_000);
    await lose();
    const root = box.place.root.hostPath;
    t.ok(readFileSync(join(root, 'a')).equals(content));
    t.strictSame(readdirSync(join(root, '.scpd/partial')), [], 'and nothing of theirs is kept');
  }
});
