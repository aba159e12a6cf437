/** docs/performance.md: what programs write stands between two comments, what people write around them. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Replaces what stands between two comments of a page. */
export function writeBetween(file: string, name: string, lines: readonly string[]): void {
  const text = readFileSync(file, 'utf8');
  const [begin, end] = [`<!-- ${name}: written by make ${name} -->`, `<!-- ${name}: end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for ${name}`);
  writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${lines.join('\n')}\n${text.slice(to)}`);
}
