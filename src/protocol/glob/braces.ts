/**
 * Brace expansion, which shells do before they look for files: `a{b,c}d` becomes `abd` and `acd`, whether or not there is
 * anything of that name. As bash does it: braces without a comma, or without their other half, stand for themselves, and
 * a backslash makes the next character literal. Sequences (`{1..9}`) are not expanded.
 */

/** The words that a pattern becomes, in order; undefined if they are more than `wordsMax`. */
export function expandBraces(pattern: string, wordsMax: number): readonly string[] | undefined {
  const words: string[] = [];
  // Depth first, the leftmost brace first, so that the words come in the order in which a shell makes them.
  const open = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const group = firstGroup(next);
    if (group === undefined) {
      if (words.length === wordsMax) return undefined;
      words.push(next);
      continue;
    }
    if (words.length + open.length + group.choices.length > wordsMax) return undefined;
    const { before, choices, after } = group;
    open.push(...choices.map((choice) => before + choice + after).toReversed());
  }
  return words;
}

interface Group {
  readonly before: string;
  readonly choices: readonly string[];
  readonly after: string;
}

/** The first brace that has its other half and a comma of its own. */
function firstGroup(pattern: string): Group | undefined {
  const pair = firstPair(pattern);
  if (pair === undefined) return undefined;
  const { start, end, commas } = pair;
  const cuts = [start, ...commas, end];
  const choices = cuts.slice(1).map((cut, index) => pattern.slice((cuts[index] ?? 0) + 1, cut));
  return { before: pattern.slice(0, start), choices, after: pattern.slice(end + 1) };
}

interface Pair {
  readonly start: number;
  readonly end: number;
  /** Where the commas of this pair stand, not those of pairs within it. */
  readonly commas: readonly number[];
}

/** One pass, and no further than the first group's end where it stands in no brace that is left open. */
function firstPair(pattern: string): Pair | undefined {
  let first: Pair | undefined;
  const open: { readonly start: number; readonly commas: number[] }[] = [];
  for (let index = 0; index < pattern.length; index += 1) {
    const character = pattern[index];
    if (character === '\\') index += 1;
    else if (character === '{') open.push({ start: index, commas: [] });
    else if (character === ',') open.at(-1)?.commas.push(index);
    else if (character === '}') {
      const pair = open.pop();
      if (pair === undefined || pair.commas.length === 0) continue;
      if (first === undefined || pair.start < first.start) first = { ...pair, end: index };
    }
    if (first !== undefined && open.length === 0) return first;
  }
  return first;
}
