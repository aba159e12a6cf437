/** The reference of the configuration as Markdown, made from the schema: `make docs` writes it to `config/README.md`. */
import type { Schema } from './schema.ts';

interface Row {
  /** The dotted path of the key, with NAME for a name of the operator's choice and [] for a list's items. */
  readonly key: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** The whole page. Pure: the same schema gives the same text. */
export function renderReference(schema: Schema): string {
  const sections = Object.entries(schema.properties ?? {}).map(([key, section]) => {
    return renderSection(key, section, schema.required?.includes(key) ?? false);
  });
  return `<!-- Made from schema.json by "make docs"; do not edit. -->

# ${schema.title}

${schema.description}

\`scpd init\` writes a commented \`config/scpd.json\` to start from. \`scpd check --config FILE\` reports everything that is
wrong with a configuration at once and starts nothing; \`scpd serve\` makes the same checks before it starts. For
completion and checks in an editor, let \`$schema\` point to [schema.json](schema.json).

${renderExample(schema)}

## Problems

One line each on standard error: file, line, column, key, what was expected and what is there.

\`\`\`
config/scpd.json:14:18 users.alice.fileSizeMax: expected a size such as "50GiB", got "50 gigs"
config/scpd.json:15:7 users.alice.prest: unknown key "prest"; did you mean "preset"?
config/scpd.json:19:5 hostKeys[0]: expected a private key closed to group and others, got mode 0644; correct it with: chmod 600 keys/host/ssh_host_ed25519_key
\`\`\`

Exit code 0: no problem. 1: problems. 2: wrong usage.

${sections.join('\n\n')}
`;
}

/** The required keys with their first examples: the shortest configuration there is. */
function renderExample(schema: Schema): string {
  const keys = (schema.required ?? []).map((key) => {
    const example = JSON.stringify(schema.properties?.[key]?.examples?.[0], null, 2);
    return `  "${key}": ${example.replaceAll('\n', '\n  ')},`;
  });
  return `The shortest configuration:\n\n\`\`\`jsonc\n{\n${keys.join('\n')}\n}\n\`\`\``;
}

function renderSection(key: string, schema: Schema, required: boolean): string {
  return [`## ${key}`, ...renderRows({ key, schema, required })].join('\n\n');
}

/** A key's own paragraph, then one for each key below it. */
function renderRows(row: Row): string[] {
  const below = rowsBelow(row);
  return [renderRow(row), ...below.flatMap((inner) => [`### ${inner.key}`, ...renderRows(inner)])];
}

function rowsBelow({ key, schema }: Row): Row[] {
  if (schema.items !== undefined) {
    return schema.items.properties === undefined
      ? []
      : rowsBelow({ key: `${key}[]`, schema: schema.items, required: false });
  }
  const named = schema.additionalProperties;
  if (named !== undefined && named !== false)
    return rowsBelow({ key: `${key}.NAME`, schema: named, required: false });
  return Object.entries(schema.properties ?? {}).map(([name, inner]) => {
    return { key: `${key}.${name}`, schema: inner, required: schema.required?.includes(name) ?? false };
  });
}

function renderRow({ schema, required }: Row): string {
  const facts = [`Type: ${typeWords(schema)}`, required ? 'required' : defaultWords(schema)];
  const [example] = schema.examples ?? [];
  if (example !== undefined) facts.push(`example: \`${JSON.stringify(example)}\``);
  return `${schema.description}\n\n${facts.join(' · ')}`;
}

function defaultWords(schema: Schema): string {
  const isObject = typeof schema.default === 'object';
  return schema.default === undefined || isObject
    ? 'optional'
    : `default: \`${JSON.stringify(schema.default)}\``;
}

function typeWords(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`"${word}"\``).join(', ');
  const { minimum, maximum, minItems, maxItems } = schema;
  switch (schema.type) {
    case 'integer':
      return `whole number from ${minimum} to ${maximum}`;
    case 'array':
      return `list of ${minItems} to ${maxItems}`;
    case 'string':
      return 'text';
    case 'boolean':
      return '`true` or `false`';
    case 'object':
      return 'object';
    default:
      return 'text or whole number';
  }
}
