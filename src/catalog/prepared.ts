/**
 * Queries whose text is made once. The query builder makes the text anew for each call, and each call passes several of its
 * layers, which takes ten times as long as running it does; what is asked with every upload is built with placeholders here,
 * only gets its values later, and runs at once.
 */
import type { CompiledQuery } from 'kysely';
import type { Reader, Writer } from './tables.ts';

/** Stands for a value that is not known yet. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * The query as a function, which answers its rows at once.
 * @param build makes the query from values that stand for the real ones: it must only pass them on, never look at them, and
 * its query must have the same shape for all
 */
export function prepared<Values extends object, Row>(
  build: (on: Reader, values: Values) => { compile(): CompiledQuery<Row> },
): (on: Writer, values: Values) => Row[] {
  const named = new Proxy({}, { get: (_target, name) => new Placeholder(String(name)) }) as Values;
  let query: CompiledQuery<Row> | undefined;
  return (on, values) => {
    query ??= build(on, named).compile();
    const parameters = query.parameters.map((parameter) =>
      parameter instanceof Placeholder ? (values as Record<string, unknown>)[parameter.name] : parameter,
    );
    return on.statements.run(query.sql, parameters) as Row[];
  };
}
