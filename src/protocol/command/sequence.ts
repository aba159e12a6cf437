/** The commands of a line, which a shell runs one after the other: `cd "x" ; echo "done:$?"`. */

const [doubleQuote, singleQuote, semicolon, backslash] = Buffer.from('"\';\\');

/** The parts of a line between semicolons that are not quoted. What is in them is left to `shellWords`. */
export function commandSequence(line: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  let quote: number | undefined;
  for (let index = 0; index < line.length; index += 1) {
    const byte = line[index];
    if (byte === backslash && quote !== singleQuote) index += 1;
    else if (quote !== undefined) quote = byte === quote ? undefined : quote;
    else if (byte === doubleQuote || byte === singleQuote) quote = byte;
    else if (byte === semicolon) {
      parts.push(line.subarray(start, index));
      start = index + 1;
    }
  }
  return [...parts, line.subarray(start)];
}
