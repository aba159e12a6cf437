/** `scpd audit report`: sums by user. */
import { queryJournal } from '../audit/journal-query.ts';
import { Report, type UserReport } from '../audit/report.ts';
import { findJournal, journalOptions } from './audit-common.ts';
import { queryFrom, timeOptions } from './audit-query.ts';
import type { Command } from './command.ts';
import { printLine } from './output.ts';
import { sizeText } from './progress.ts';

export const command: Command = {
  description: `Sums up the journal by user: uploads and downloads with their bytes, failures (transfers that broke off or
were refused), other denials, logins, the slowest transfer of at least 1 MiB, and the last upload that
ended well.

Exit code 0: printed. 2: there is no journal.`,
  options: { ...timeOptions, ...journalOptions, json: { summary: 'print one JSON object a user' } },

  async run(values) {
    const query = queryFrom(values);
    const found = await findJournal(values);
    if (found === undefined) return 2;
    const report = new Report();
    for await (const record of queryJournal(found.directory, query)) report.add(record);
    for (const sums of report.users) {
      if (values['json'] === '') linesOf(sums).forEach(printLine);
      else printLine(JSON.stringify(sums));
    }
    if (values['json'] === '' && report.users.length === 0) printLine('nobody did anything in this time');
    return 0;
  },
};

function linesOf(sums: UserReport): string[] {
  const { user, uploads, uploadBytes, downloads, downloadBytes, failures, denials, logins, loginsRefused } =
    sums;
  const { slowest, lastGoodUpload } = sums;
  return [
    user,
    `  uploads    ${uploads} (${sizeText(uploadBytes)})`,
    `  downloads  ${downloads} (${sizeText(downloadBytes)})`,
    `  failures   ${failures}, other denials ${denials}`,
    `  logins     ${logins}, refused ${loginsRefused}`,
    ...(slowest === null
      ? []
      : [`  slowest    ${sizeText(slowest.bytesPerSecond)}/s ${slowest.path} (${slowest.transfer})`]),
    ...(lastGoodUpload === null ? [] : [`  last good  ${lastGoodUpload.time} ${lastGoodUpload.path}`]),
  ];
}
