/** Virtual paths as the database has them: the bytes of their names, so that no two become one and ranges are by byte. */
import type { Expression, SqlBool } from 'kysely';
import { sql } from './kysely.ts';
import { decodeName, encodeName } from '../name-bytes.ts';
import type { VirtualPath } from '../guard/virtual-path.ts';
import type { Blob } from './tables.ts';

export function asBytes(path: VirtualPath): Buffer {
  return encodeName(path);
}

/** @param bytes what `asBytes` gave and the driver gives back */
export function asPath(bytes: Blob): VirtualPath {
  return decodeName(bytes instanceof ArrayBuffer ? Buffer.from(bytes) : bytes) as VirtualPath;
}

/** The path of a row. */
export function pathOf({ path }: { readonly path: Blob }): VirtualPath {
  return asPath(path);
}

/** That a path is `path` or lies below it, as a range of bytes: "0" is the character after "/". */
export function inside(column: string, path: VirtualPath): Expression<SqlBool> {
  const reference = sql.ref(column);
  if (path === '/') return sql<SqlBool>`1 = 1`;
  const [low, high] = [asBytes(`${path}/` as VirtualPath), asBytes(`${path}0` as VirtualPath)];
  return sql<SqlBool>`(${reference} = ${asBytes(path)} or (${reference} >= ${low} and ${reference} < ${high}))`;
}
