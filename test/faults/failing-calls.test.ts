/**
 * Goal: whichever system call of an upload the host fails, with whichever errno, the client is told so, the old file or
 * the new one stands there whole, nothing is left over, and the next upload works. Method: a real server under a library
 * that lets one kind of call on one path fail; a case in which no call has failed is no test, and fails.
 */
import t, { type Test } from 'tap';
import { setTimeout as pause } from 'node:timers/promises';
import { missing, run } from '../support/clients.ts';
import {
  startFaultSite,
  type FaultSite,
  type Standing,
  type UserName,
} from '../support/faults/fault-site.ts';
import { isFullRun, newCounts, noteFault } from '../support/faults/fault-table.ts';
import type { Errno, FaultyCall, HostFault } from '../support/faults/shim.ts';
import { ways, type Way } from '../support/faults/ways.ts';

const skip = missing('scp') || missing('gcc');
if (isFullRun) t.setTimeout(3_600_000);
/** How soon the journal is tried again: see retryMs there. */
const journalRetryMs = 2000;

interface Case {
  readonly what: string;
  readonly call: FaultyCall;
  readonly path: string;
  readonly errors: readonly Errno[];
  readonly after?: number;
  readonly times?: number;
  /** What stands under the name after it. */
  /** `either`: it fails before or after the rename, as records are gathered. */
  readonly leaves: Standing | 'either';
  readonly user?: UserName;
}

const staged = '/.scpd/staging/';

/** In the order in which an upload makes them. */
const uploadCases: readonly Case[] = [
  {
    what: 'the staged file can not be created',
    call: 'open',
    path: staged,
    errors: ['EMFILE', 'EIO', 'ENFILE', 'EDQUOT', 'ENOSPC', 'EACCES', 'EROFS'],
    leaves: 'old',
  },
  {
    what: 'the first write',
    call: 'write',
    path: staged,
    errors: ['EDQUOT', 'EIO', 'ENOSPC'],
    leaves: 'old',
  },
  {
    what: 'a later write',
    call: 'write',
    path: staged,
    errors: ['EIO', 'EDQUOT', 'ENOSPC'],
    after: 2,
    leaves: 'old',
  },
  { what: 'one write only', call: 'write', path: staged, errors: ['EIO'], after: 1, times: 1, leaves: 'old' },
  { what: 'its mode', call: 'fchmod', path: staged, errors: ['EIO', 'EACCES'], leaves: 'old' },
  { what: 'its fsync', call: 'fsync', path: staged, errors: ['EIO', 'EDQUOT', 'ENOSPC'], leaves: 'old' },
  {
    what: 'the directory can not be opened for its fsync',
    call: 'open',
    path: '/var/demo/.$',
    errors: ['EMFILE', 'EIO'],
    leaves: 'old',
  },
  { what: 'the rename', call: 'rename', path: '/kept$', errors: ['EIO', 'ENOSPC', 'EDQUOT'], leaves: 'old' },
  { what: 'the fsync of the directory', call: 'fsync', path: '/var/demo$', errors: ['EIO'], leaves: 'new' },
];

/** Names are given by link(2) and unlink(2) where nothing may be replaced. */
const dropBoxCases: readonly Case[] = [
  { what: 'the link', call: 'link', path: '/var/box/', errors: ['EIO', 'EDQUOT', 'ENOSPC'], leaves: 'old' },
  {
    what: 'the unlink after the link',
    call: 'unlink',
    path: staged,
    errors: ['EIO'],
    times: 1,
    leaves: 'old',
  },
];

const journalCases: readonly Case[] = [
  {
    what: 'a write',
    call: 'write',
    path: '/var/audit/',
    errors: ['ENOSPC', 'EIO', 'EDQUOT'],
    leaves: 'either',
  },
  { what: 'an fsync', call: 'fsync', path: '/var/audit/', errors: ['EIO'], leaves: 'either' },
];

let turn = 0;

/** In a full run all; else each case once, with one errno, in turn with one of the ways. */
function chosen(one: Case): readonly { readonly error: Errno; readonly way: Way }[] {
  const all = one.errors.flatMap((error) => ways.map((way) => ({ error, way })));
  turn += 1;
  return isFullRun ? all : all.slice(turn % ways.length, (turn % ways.length) + 1);
}

function faultOf({ call, path, after, times }: Case, error: Errno): HostFault {
  return {
    call,
    path,
    error,
    ...(after === undefined ? {} : { after }),
    ...(times === undefined ? {} : { times }),
  };
}

/** One upload onto a name while the host fails, and one after it. */
async function tryCase(t: Test, site: FaultSite, { one, error, way }: Trial): Promise<void> {
  const { user = 'demo', leaves } = one;
  // Whoever may not overwrite gets a new name each time.
  const path = user === 'box' ? `sent-${(turn += 1)}` : 'kept';
  const before = site.stored(path, user);
  const words = `${one.what}, ${error}, ${way.name}`;
  site.faults.arm(faultOf(one, error));
  // Four SFTP requests, so that there is a later write.
  const sent = await site.put(way, path, { user, sizeBytes: 1_000_000 });
  const hits = site.faults.disarm();
  t.ok(hits > 0, `${words}: the host failed ${hits} times`);
  t.not(sent.status, 0, `${words}: the client knows`);
  t.notMatch(sent.stderr, /scpd-test|E[A-Z]{2,}\b/, `${words}: and no more than that: ${sent.stderr}`);
  const facts = { ...(before === undefined ? {} : { before }), came: sent.sha256, user };
  const standing = site.standing(path, { before: undefined, ...facts });
  if (leaves === 'either') t.ok(['old', 'new'].includes(standing), `${words}: ${standing}`);
  else t.equal(standing, leaves, words);
  if (one.path.includes('/audit/')) await pause(journalRetryMs);
  const { leaked } = await site.checkWhole(t, words);
  const again = await site.put(way, path, { user, sizeBytes: 1000 });
  t.equal(again.status, 0, `${words}: works again: ${again.stderr}`);
  const counts = newCounts();
  counts[standing] += 1;
  const group = 'The host fails a system call';
  noteFault({
    group,
    fault: `${error} of ${one.call}: ${one.what}`,
    way: way.name,
    rounds: 1,
    counts,
    leaks: leaked,
  });
}

interface Trial {
  readonly one: Case;
  readonly error: Errno;
  readonly way: Way;
}

async function tryAll(t: Test, site: FaultSite, cases: readonly Case[]): Promise<void> {
  for (const one of cases) {
    for (const trial of chosen(one)) await tryCase(t, site, { one, ...trial });
  }
}

t.test('the disk of the root', { skip }, async (t) => {
  const site = await startFaultSite(t);
  t.equal((await site.put(ways[0] as Way, 'kept')).status, 0);
  await tryAll(t, site, uploadCases);
  await tryAll(
    t,
    site,
    dropBoxCases.map((one) => ({ ...one, user: 'box' as const })),
  );
  await site.checkServes(t);
});

t.test('the disk of the journal', { skip }, async (t) => {
  const site = await startFaultSite(t);
  t.equal((await site.put(ways[0] as Way, 'kept')).status, 0);
  await tryAll(
    t,
    site,
    journalCases.map((one) => ({ ...one, what: `${one.what} of the journal` })),
  );
  await site.checkServes(t);
});

t.test('other changes of the tree', { skip }, async (t) => {
  const site = await startFaultSite(t);
  const { server } = site;
  t.equal((await site.put(ways[0] as Way, 'kept')).status, 0);
  const kept = site.stored('kept');
  const tries: readonly (readonly [words: string, fault: HostFault, batch: string])[] = [
    ['mkdir', { call: 'mkdir', error: 'EDQUOT', path: '/var/demo/' }, 'mkdir made'],
    ['mkdir', { call: 'mkdir', error: 'EIO', path: '/var/demo/' }, 'mkdir made'],
    ['rm', { call: 'unlink', error: 'EIO', path: '/kept$' }, 'rm kept'],
    ['rename', { call: 'rename', error: 'EIO', path: '/moved$' }, 'rename kept moved'],
    ['rename without replacing', { call: 'link', error: 'EIO', path: '/moved$' }, 'rename -l kept moved'],
    [
      'the unlink of a rename without replacing',
      { call: 'unlink', error: 'EIO', path: '/kept$', times: 1 },
      'rename -l kept moved',
    ],
    ['the fsync after a rename', { call: 'fsync', error: 'EIO', path: '/var/demo$' }, 'rename kept moved'],
  ];
  for (const [words, fault, batch] of tries) {
    site.faults.arm(fault);
    const done = await server.sftp(`${batch}\n`);
    t.ok(site.faults.disarm() > 0, `${words}: the host failed`);
    t.not(done.status, 0, `${words}: the client knows`);
    const isMoved = words === 'the fsync after a rename';
    t.equal(site.stored(isMoved ? 'moved' : 'kept'), kept, words);
    t.equal(site.stored(isMoved ? 'kept' : 'moved'), undefined, words);
    await site.checkWhole(t, words);
    const again = await server.sftp(isMoved ? 'rename moved kept\n' : `mkdir made\nrmdir made\n`);
    t.equal(again.status, 0, again.stderr);
    const group = 'The host fails a system call';
    const counts = { ...newCounts(), [isMoved ? 'new' : 'old']: 1 };
    noteFault({
      group,
      fault: `${fault.error} of ${fault.call}: ${words}`,
      way: 'sftp',
      rounds: 1,
      counts,
      leaks: 0,
    });
  }
  await site.checkServes(t);
});

const truncating = `
import paramiko, sys
transport = paramiko.Transport(('127.0.0.1', int(sys.argv[1])))
transport.connect(username='demo', pkey=paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
client = paramiko.SFTPClient.from_transport(transport)
with client.open('kept', 'w') as file:
    file.write(b'x' * 100000)
    file.truncate(50000)
`;

t.test('a cut in an open file', { skip: skip || missing('python3') }, async (t) => {
  const site = await startFaultSite(t);
  const { server } = site;
  t.equal((await site.put(ways[0] as Way, 'kept')).status, 0);
  const kept = site.stored('kept');
  for (const error of ['EIO', 'EDQUOT'] as const) {
    site.faults.arm({ call: 'ftruncate', error, path: staged });
    const key = `${server.place}/keys/demo/id_ed25519`;
    const done = await run('/usr/bin/python3', ['-c', truncating, String(server.port), key]);
    t.ok(site.faults.disarm() > 0, 'the host failed');
    t.not(done.status, 0, 'the client knows');
    t.equal(site.stored('kept'), kept);
    await site.checkWhole(t, error);
    const group = 'The host fails a system call';
    const counts = { ...newCounts(), old: 1 };
    noteFault({ group, fault: `${error} of ftruncate: a cut`, way: 'paramiko', rounds: 1, counts, leaks: 0 });
  }
  await site.checkServes(t);
});
