/** What a peer is told is one short printable line, whatever it quotes. */
import t from 'tap';
import { aboutPath, fatalReply, okReply, warningReply } from '../../../src/protocol/scp/replies.ts';

t.test('the three answers', async (t) => {
  t.same(okReply(), Buffer.of(0));
  t.equal(warningReply('x: No').toString(), '\x01scp: x: No\n');
  t.equal(fatalReply('bye').toString(), '\x02scp: bye\n');
});

t.test('a text can neither end the line nor reach the terminal', async (t) => {
  const text = warningReply('a\nb\r\x1b[2J\x9b\u202e\udcff').toString();
  t.equal(text, '\x01scp: a\\x0ab\\x0d\\x1b[2J\\x9b\\u{202e}\\xff\n');
});

t.test('a long text is cut, and a long path leaves room for the words', async (t) => {
  for (const character of ['a', 'ä', '漢', '😀', '\x1b']) {
    const bytes = warningReply(aboutPath(character.repeat(5000), 'No such file or directory'));
    t.ok(bytes.length <= 500, `${bytes.length} bytes`);
    t.match(bytes.toString(), /: No such file or directory\n$/);
    t.ok(warningReply(character.repeat(5000)).length <= 500);
    t.notMatch(bytes.toString(), /\ufffd/);
  }
});
