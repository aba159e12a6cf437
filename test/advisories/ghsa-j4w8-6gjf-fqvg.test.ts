/**
 * GHSA-j4w8-6gjf-fqvg (SFTPGo before 2.7.6): a control line without an end was collected for as long as it came. Here it ends
 * the session after 4 KiB, in whatever pieces it comes and wherever a line is read.
 */
import t from 'tap';
import { scpLineBytesMax } from '../../src/limits.ts';
import { MemoryFiles } from '../support/memory-files.ts';
import { ScpClient, visible } from '../support/scp-client.ts';

const starts = {
  'a record': ['scp -t .', 'C0644 '],
  times: ['scp -t .', 'T1'],
  'an error of the client': ['scp -t .', '\x01'],
  'an answer to a download': ['scp -f a', '\0\x01'],
} as const;

for (const [what, [command, start]] of Object.entries(starts)) {
  t.test(what, async (t) => {
    for (const piece of [1, 1000, 100_000]) {
      const files = new MemoryFiles();
      files.put('/a', 'x');
      const client = new ScpClient(command, files);
      client.channel.feed(start);
      for (let sent = 0; sent < 10 * scpLineBytesMax; sent += piece) client.channel.feed('1'.repeat(piece));
      const { rest, status } = await client.finished();
      t.match(visible(rest), /␂scp: protocol error: line too long\n$/, `${piece} bytes at a time`);
      t.equal(status, 1);
      if (piece <= 1000) t.ok(client.channel.fedBytes > 5 * scpLineBytesMax, 'the rest is not read');
    }
  });
}
