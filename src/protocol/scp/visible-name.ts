/**
 * A record ends at its newline, so a name that has one can't be sent as it is. scp.c then sends the name through vis(3)
 * with VIS_NL, and so do we: the receiver stores `a\^Jb` for "a<newline>b".
 */

/** The name as a C or D record carries it: itself, unless it has a newline. */
export function visibleName(name: Buffer): Buffer {
  if (!name.includes(0x0a)) return name;
  return Buffer.from(Array.from(name, visibleByte).join(''), 'latin1');
}

/** vis(3) of one byte: printable ASCII is itself, `\^J` a control character, `\M-a` and `\M^A` have the high bit. */
function visibleByte(byte: number): string {
  const low = byte & 0x7f;
  if (byte === 0x5c) return '\\\\';
  if ((byte >= 0x20 && byte < 0x7f) || byte === 0x09) return String.fromCharCode(byte);
  if (low === 0x20) return `\\${byte.toString(8).padStart(3, '0')}`;
  const meta = byte >= 0x80 ? 'M' : '';
  if (low === 0x7f) return `\\${meta}^?`;
  return low < 0x20
    ? `\\${meta}^${String.fromCharCode(low + 0x40)}`
    : `\\${meta}-${String.fromCharCode(low)}`;
}
