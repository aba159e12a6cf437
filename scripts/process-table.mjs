/**
 * Renders docs/processes.md from the rows that the tests wrote (test/support/processes/process-rows.ts):
 *
 *   node scripts/process-table.mjs ROWS.jsonl > docs/processes.md
 */
import { readFileSync } from 'node:fs';

const rows = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));

const shown = rows.filter(({ title }) => title !== undefined);
const lines = rows
  .filter(({ event }) => event !== undefined)
  .map((row) => {
    const back = row.backMsMax === undefined ? '' : `${Math.round(row.backMsMax)} ms`;
    const counts = [row.rounds, row.transfers, row.wrong, row.broken, row.refused];
    return `| ${[row.event, ...counts, back, row.left].join(' | ')} |`;
  });

process.stdout.write(`# Processes

What was done to a real server while OpenSSH's \`scp\` sent and fetched files in both protocols, and what became of that. _Wrong_:
a success of which not every byte is there, or half a file under its name. _Broken_: the client was told that it failed; each
of these was under way at that moment. _Refused_: nobody answered, or the connection ended before the login. _Back_:
the longest until the next client had its file there, with the client's own time (some 0.2 s), and where the supervisor
was killed, with the start of Node; it grows with whatever else the machine does at that time. _Left over_: processes, staged files, claims on quotas and counted connections when all
clients had ended. Afterwards the journal was whole: its chain, and an end for every beginning. This page is made by
\`make soak-processes\`; nobody writes it by hand.

| event | times | transfers | wrong | broken | refused | back | left over |
| --- | --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}
${shown.map(({ title, text }) => `\n## ${title}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`).join('')}`);
