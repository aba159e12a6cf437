/**
 * Renders docs/faults.md from the rows that the tests of faults wrote (test/support/faults/fault-table.ts):
 *
 *   node scripts/fault-table.mjs ROWS.jsonl > docs/faults.md
 */
import { readFileSync } from 'node:fs';

const rows = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));

const unique = (values) => [...new Set(values)];
const sum = (some, of) => some.reduce((total, row) => total + of(row), 0);

function rowOf(some) {
  const { fault, way } = some[0];
  const standing = ['old', 'new', 'half'].map((key) => sum(some, ({ counts }) => counts[key]));
  const cells = [fault, way, sum(some, (row) => row.rounds), ...standing, sum(some, (row) => row.leaks)];
  return `| ${cells.join(' | ')} |`;
}

function section(group) {
  const own = rows.filter((row) => row.group === group);
  const keys = unique(own.map(({ fault, way }) => JSON.stringify([fault, way])));
  const lines = keys.map((key) =>
    rowOf(own.filter(({ fault, way }) => JSON.stringify([fault, way]) === key)),
  );
  const notes = unique(own.map(({ note }) => note).filter((note) => note !== undefined));
  return `
## ${group}

| fault | sent by | rounds | old | new | half | left over |
| --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}
${notes.map((note) => `\n${note}\n`).join('')}`;
}

const groups = unique(rows.map(({ group }) => group)).sort((one, other) => one.localeCompare(other));
process.stdout.write(`# Faults

What was done to a real server while real clients sent files to it, and what stood under the name afterwards: the _old_ file,
the _new_ one, or _half_ of something; and how many staged files and descriptors were _left over_. After each round the
tests (\`test/faults/\`) also saw that the catalog, the sums of the quota and the journal told what was on the disk, that
each success that a client was told of was in the journal, and that the next upload worked. This page is made by
\`make faults\`; nobody writes it by hand.
${groups.map(section).join('')}`);
