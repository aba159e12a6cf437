/**
 * Renders docs/clients.md from the rows that the interop tests wrote (test/support/client-table.ts):
 *
 *   node scripts/client-table.mjs ROWS.jsonl > docs/clients.md
 */
import { readFileSync } from 'node:fs';

const rows = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));

const unique = (values) => [...new Set(values)].sort((one, other) => one.localeCompare(other));

function table(protocol) {
  const own = rows.filter((row) => row.protocol === protocol);
  const lines = ['| client | rights | works | does not |', '| --- | --- | --- | --- |'];
  for (const client of unique(own.map((row) => row.client))) {
    const ofClient = own.filter((row) => row.client === client);
    for (const preset of unique(ofClient.map((row) => row.preset))) {
      const cells = ofClient.filter((row) => row.preset === preset);
      const works = unique(cells.filter((row) => row.works).map((row) => row.action));
      const fails = unique(
        cells.filter((row) => !row.works).map((row) => (row.why ? `${row.action} (${row.why})` : row.action)),
      );
      lines.push(`| ${client} | \`${preset}\` | ${works.join(', ')} | ${fails.join(', ')} |`);
    }
  }
  return own.length === 0 ? '' : `\n## Over ${protocol}\n\n${lines.join('\n')}\n`;
}

process.stdout.write(`# Clients

What real clients did with this server in its own tests (\`test/interop/\`). This page is made by \`make clients\` from what was
seen there; nobody writes it by hand.
${table('SCP')}${table('SFTP')}`);
