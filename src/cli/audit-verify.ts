/** `scpd audit verify`: whether the journal is what was written, and if not, where it is not. */
import { verifyJournal, type JournalFinding, type JournalSummary } from '../audit/verify.ts';
import type { Head } from '../audit/chain.ts';
import { printable } from '../name-bytes.ts';
import { findJournal, findKey, journalOptions } from './audit-common.ts';
import type { Command } from './command.ts';
import { UsageError } from './options.ts';
import { printLine } from './output.ts';
import { Progress, sizeText } from './progress.ts';

export const command: Command = {
  description: `Reads the whole journal, compressed files too, and says which records were changed, removed,
inserted or moved, and whether the checkpoints are signed by the journal's key. The server may
run meanwhile. What the signatures don't cover yet (at most a minute of records) is proved by a
head that was kept elsewhere: --expect-head takes a line of "scpd audit head".

Take the key from where nobody who can write the journal can change it.

Exit code 0: all is as written. 1: something is not, and is listed. 2: nothing was checked.`,
  options: {
    ...journalOptions,
    key: { value: 'FILE', summary: "the journal's public key, instead of the one beside it", default: '' },
    'expect-head': { value: 'SEQ:HASH', summary: 'a record that must be there, as it was', default: '' },
    json: { summary: 'print JSON objects, one a line; the last one sums up' },
  },

  async run(values) {
    const expectHead = headIn(values['expect-head'] ?? '');
    const found = await findJournal(values);
    if (found === undefined) return 2;
    const key = await findKey(found.directory, values['key'] ?? '');
    if (key === undefined) return 2;
    const progress = new Progress({
      files: 0,
      bytes: found.files.reduce((sum, { bytes }) => sum + bytes, 0),
    });
    const { directory } = found;
    const findings = verifyJournal({
      directory,
      key,
      expectHead,
      progress: (bytes) => progress.add({ files: 1, bytes }),
    });
    let wrong = 0;
    let next = await findings.next();
    for (; next.done !== true; next = await findings.next()) {
      wrong += 1;
      progress.clear();
      printLine(values['json'] === '' ? textOf(next.value) : JSON.stringify(next.value));
    }
    progress.clear();
    const facts = { ...next.value, bytes: progress.done.bytes, findings: wrong };
    printLine(values['json'] === '' ? summaryOf(facts) : JSON.stringify({ ...facts, ok: wrong === 0 }));
    return wrong === 0 ? 0 : 1;
  },
};

/** Throws `UsageError`. */
function headIn(text: string): Head | undefined {
  if (text === '') return undefined;
  const [, seq = '', hash = ''] = /^([1-9][0-9]{0,15}):([0-9a-f]{64})(?:\s.*)?$/.exec(text) ?? [];
  if (seq === '')
    throw new UsageError(
      `--expect-head: expected SEQ:HASH as "scpd audit head" prints it, got "${printable(text, 80)}"`,
    );
  return { seq: Number(seq), hash };
}

const words: Readonly<Record<JournalFinding['kind'], string>> = {
  changed: 'was changed',
  removed: 'missing: removed',
  inserted: 'was inserted',
  moved: 'is not in its place',
  unlinked: 'was changed, and its hash made anew',
  signature: 'is a checkpoint without a good signature: all since the last good one may be made up',
  beginning: 'missing: removed, and no record says that they were taken out',
  head: 'not as expected: cut off or replaced',
  index: 'and later ones may be passed over by a search: the index is not that of the file; remove it',
  unreadable: 'and later ones: the file can not be read to its end',
};

function textOf({ kind, seq, until, file, line, detail }: JournalFinding): string {
  const records = until === undefined || until === seq ? `record ${seq}` : `records ${seq} to ${until}`;
  const more = detail === undefined ? '' : ` (${printable(detail)})`;
  return `${file}:${line}: ${records} ${words[kind]}${more}`;
}

function summaryOf({
  records,
  checkpoints,
  signedSeq,
  head,
  bytes,
  findings,
}: JournalSummary & { readonly bytes: number; readonly findings: number }): string {
  const read = `${records} records, ${sizeText(bytes)} read`;
  const signed = `${checkpoints} checkpoints, signed up to record ${signedSeq}`;
  const verdict = findings === 0 ? 'all as written' : `${findings} findings`;
  return `${read}: ${verdict}; ${signed}; head ${head.seq}:${head.hash}`;
}
