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

/** Makes a query from values that stand for the real ones: it must only pass them on, and never look at them. */
type Build<Values, Row> = (on: Reader, values: Values) => { compile(): CompiledQuery<Row> };

/** The query as a function, which answers its rows at once. */
export function prepared<Values extends object, Row>(
  build: Build<Values, Row>,
): (on: Writer, values: Values) => Row[] {
  const bind = bound(build);
  return (on, values) => on.statements.run(...bind(on, values)) as Row[];
}

/** The same for what has no rows as a rule: to ask for the first one alone takes a third of the time. */
export function preparedRare<Values extends object, Row>(
  build: Build<Values, Row>,
): (on: Writer, values: Values) => Row[] {
  const bind = bound(build);
  return (on, values) => {
    const [text, parameters] = bind(on, values);
    if (on.statements.first(text, parameters) === undefined) return [];
    return on.statements.run(text, parameters) as Row[];
  };
}

/** The same for a query of which one row at most is wanted. */
export function preparedRow<Values extends object, Row>(
  build: Build<Values, Row>,
): (on: Writer, values: Values) => Row | undefined {
  const bind = bound(build);
  return (on, values) => on.statements.first(...bind(on, values)) as Row | undefined;
}

type Bound = [text: string, parameters: readonly unknown[]];

/** The text of a query and its real values. */
function bound<Values extends object, Row>(build: Build<Values, Row>): (on: Writer, values: Values) => Bound {
  const named = new Proxy({}, { get: (_target, name) => new Placeholder(String(name)) }) as Values;
  let query: CompiledQuery<Row> | undefined;
  return (on, values) => {
    query ??= build(on, named).compile();
    const parameters = query.parameters.map((parameter) =>
      parameter instanceof Placeholder ? (values as Record<string, unknown>)[parameter.name] : parameter,
    );
    return [query.sql, parameters];
  };
}
