/** df: the space that a user has, in the format of POSIX (`-P`) or GNU; rclone and duplicity read it. */
import { operandTexts, pathIn, readParameters, tryEach, type RunCommand } from './command.ts';

const blockBytes = 1024;

export const df: RunCommand = async (context, words) => {
  const parameters = await readParameters(context, words, { name: 'df', known: ['k', 'P', 'portability'] });
  if (parameters === undefined) return 1;
  const texts = await operandTexts(context, 'df', parameters.operands);
  if (texts === undefined) return 1;
  const isPortable = parameters.flags.has('P') || parameters.flags.has('portability');
  const rows: string[] = [];
  let status = 0;
  for (const text of texts.length === 0 ? ['.'] : texts) {
    const done = await tryEach(context, `df: ${text}`, async () => {
      const space = await context.files.space(pathIn(context.directory, text));
      const total = Math.floor(space.totalBytes / blockBytes);
      const used = Math.floor((space.totalBytes - space.freeBytes) / blockBytes);
      const available = Math.floor(space.availableBytes / blockBytes);
      const share = used + available === 0 ? 0 : Math.ceil((100 * used) / (used + available));
      rows.push(row(['scpd', String(total), String(used), String(available), `${share}%`, '/']));
    });
    if (!done) status = 1;
  }
  if (rows.length === 0) return status;
  const head = isPortable
    ? ['Filesystem', '1024-blocks', 'Used', 'Available', 'Capacity', 'Mounted on']
    : ['Filesystem', '1K-blocks', 'Used', 'Available', 'Use%', 'Mounted on'];
  await context.output.print(row(head) + rows.join(''));
  return status;
};

function row([
  name = '',
  total = '',
  used = '',
  available = '',
  share = '',
  place = '',
]: readonly string[]): string {
  const columns = [total.padStart(14), used.padStart(14), available.padStart(14), share.padStart(8)];
  return `${name.padEnd(10)} ${columns.join(' ')} ${place}\n`;
}
