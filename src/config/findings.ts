/** The problems of one configuration file, gathered from all the checks, and what may still be checked beside them. */
import type { ConfigDocument, KeyPath, Problem } from './document.ts';
import { shownPath } from './document.ts';

export class Findings {
  readonly #document: ConfigDocument;
  readonly #problems: Problem[] = [];
  readonly #unsound = new Set<string>();

  constructor(document: ConfigDocument) {
    this.#document = document;
    for (const problem of document.problems) this.#push(problem);
  }

  /** The value at `path` is wrong, and there is a value. */
  add(path: KeyPath, message: string): void {
    this.#push({ offset: this.#document.offsetOf(path), path, message });
  }

  /** The key at the end of `path` is wrong, not its value. */
  addAtKey(path: KeyPath, message: string): void {
    this.#push({ offset: this.#document.keyOffsetOf(path), path, message });
  }

  get none(): boolean {
    return this.#problems.length === 0;
  }

  /** Whether the value at `path` is worth a further check: it was read as it was meant and nothing is wrong with it. */
  isSound(path: KeyPath): boolean {
    return this.#document.isTrusted(path) && !this.#unsound.has(shownPath(path));
  }

  /** One line a problem, in the order of the file. @param file the path as the operator gave it */
  lines(file: string): string[] {
    return this.#problems
      .toSorted((left, right) => left.offset - right.offset)
      .map(({ offset, path, message }) => {
        return `${file}:${this.#document.position(offset)} ${shownPath(path)}: ${message}`;
      });
  }

  #push(problem: Problem): void {
    this.#problems.push(problem);
    this.#unsound.add(shownPath(problem.path));
  }
}
