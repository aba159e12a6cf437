/** "Did you mean": the closest of the words that would have been right. */
import { closest, distance } from 'fastest-levenshtein';

const wordLengthMax = 64; // the cost grows with the square of the length

/** `; did you mean "preset"?`, or '' when no known word is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  if (known.length === 0 || word.length > wordLengthMax) return '';
  const nearest = closest(word.toLowerCase(), known.map(lowerCase));
  const suggestion = known.find((candidate) => lowerCase(candidate) === nearest) ?? nearest;
  // Two letters swapped are a distance of two.
  const distanceMax = word.length <= 3 ? 1 : Math.max(2, Math.floor(word.length / 3));
  return distance(word.toLowerCase(), nearest) <= distanceMax ? `; did you mean "${suggestion}"?` : '';
}

function lowerCase(word: string): string {
  return word.toLowerCase();
}
