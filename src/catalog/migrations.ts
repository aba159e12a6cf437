/**
 * The database's structure, as numbered steps. A step that was released is never changed; a change is a new step. SQLite
 * keeps the number of the last one in the file's header (`user_version`).
 */
import type { SchemaModule, Kysely } from 'kysely';
import { sql } from './kysely.ts';
import type { Writer } from './tables.ts';

type Step = (schema: SchemaModule, database: Kysely<unknown>) => Promise<void>;

const steps: readonly Step[] = [
  async (schema) => {
    await schema
      .createTable('roots')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('host_path', 'blob', (column) => column.notNull().unique())
      .addColumn('surveyed_at', 'text')
      .execute();
    await schema
      .createTable('entries')
      .addColumn('root_id', 'integer', (column) => column.notNull().references('roots.id'))
      .addColumn('path', 'blob', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('user', 'text')
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('modified_ms', 'real', (column) => column.notNull())
      .addColumn('inode', 'text', (column) => column.notNull())
      .addColumn('sha256', 'text')
      .addColumn('verdict', 'text')
      .addColumn('upload_id', 'text')
      .addColumn('stored_at', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('entries_key', ['root_id', 'path'])
      .execute();
    await schema
      .createTable('usage')
      .addColumn('user', 'text', (column) => column.primaryKey())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('files', 'integer', (column) => column.notNull())
      .addColumn('reserved_bytes', 'integer', (column) => column.notNull())
      .addColumn('reserved_files', 'integer', (column) => column.notNull())
      .execute();
  },
  async (schema) => {
    await schema
      .createTable('processes')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('boot', 'text', (column) => column.notNull())
      .execute();
    await schema
      .createTable('reservations')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('process', 'text', (column) => column.notNull())
      .addColumn('root_id', 'integer', (column) => column.notNull().references('roots.id'))
      .addColumn('path', 'blob', (column) => column.notNull())
      .addColumn('target', 'blob')
      .addColumn('user', 'text', (column) => column.notNull())
      .addColumn('apart', 'integer', (column) => column.notNull())
      .addColumn('claimed_bytes', 'integer', (column) => column.notNull())
      .addColumn('claimed_files', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('files', 'integer', (column) => column.notNull())
      .execute();
    await schema.createIndex('reservations_path').on('reservations').columns(['root_id', 'path']).execute();
  },
  async (schema) => {
    await schema
      .createTable('versions')
      .addColumn('root_id', 'integer', (column) => column.notNull().references('roots.id'))
      .addColumn('path', 'blob', (column) => column.notNull())
      .addColumn('taken_at', 'text', (column) => column.notNull())
      .addColumn('user', 'text')
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('sha256', 'text')
      .addColumn('verdict', 'text')
      .addColumn('retain_until', 'text')
      .addPrimaryKeyConstraint('versions_key', ['root_id', 'path', 'taken_at'])
      .execute();
    await schema
      .createTable('uploads')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('root_id', 'integer', (column) => column.notNull().references('roots.id'))
      .addColumn('path', 'blob', (column) => column.notNull())
      .addColumn('user', 'text', (column) => column.notNull())
      .addColumn('staged_name', 'text', (column) => column.notNull())
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('touched_at', 'text', (column) => column.notNull())
      .execute();
    await schema.createIndex('uploads_path').on('uploads').columns(['root_id', 'path']).execute();
  },
  // Old versions are entries like all others, so that they are verified, found again and counted alike.
  async (schema) => {
    await schema.dropTable('versions').execute();
    await schema
      .alterTable('entries')
      .addColumn('counts', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
    await schema.createIndex('entries_stored_at').on('entries').column('stored_at').execute();
  },
  // An upload that is kept is a claim that outlives its process, and nothing had been written into that table.
  async (schema) => {
    await schema.alterTable('reservations').addColumn('staged_name', 'text').execute();
    await schema.alterTable('reservations').addColumn('suspended_at', 'text').execute();
    await schema.dropTable('uploads').execute();
  },
  // Quotas of directories.
  async (schema, database) => {
    await schema
      .createTable('directories')
      .addColumn('root_id', 'integer', (column) => column.notNull().references('roots.id'))
      .addColumn('prefix', 'blob', (column) => column.notNull())
      .addColumn('bytes_max', 'integer')
      .addColumn('files_max', 'integer')
      .addColumn('bytes', 'integer', (column) => column.notNull())
      .addColumn('files', 'integer', (column) => column.notNull())
      .addColumn('reserved_bytes', 'integer', (column) => column.notNull())
      .addColumn('reserved_files', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('directories_key', ['root_id', 'prefix'])
      .execute();
    for (const name of ['shared_bytes', 'shared_files']) {
      await schema
        .alterTable('reservations')
        .addColumn(name, 'integer', (column) => column.notNull().defaultTo(0))
        .execute();
    }
    await sql`update reservations set shared_bytes = bytes, shared_files = files`.execute(database);
  },
];

/** Brings the structure up to date, in the caller's transaction. Throws an Error if a newer scpd has made it. */
export async function migrate(writer: Writer): Promise<void> {
  const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(writer);
  const reached = rows[0]?.user_version ?? 0;
  if (reached > steps.length) throw new Error('a newer scpd has written it');
  for (const step of steps.slice(reached)) {
    await step(writer.schema, writer as unknown as Kysely<unknown>);
  }
  if (reached < steps.length) await sql.raw(`pragma user_version = ${steps.length}`).execute(writer);
}
