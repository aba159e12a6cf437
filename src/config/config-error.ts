/** What loading a configuration throws: everything that was found wrong, in the order of the file. */

/** The configuration can't be used. Each problem is one printable line for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  /** Never empty. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = Object.freeze([...problems]);
  }
}
