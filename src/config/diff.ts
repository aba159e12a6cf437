/** What is different between two configurations, in lines for an operator: each key with what it was and what it is. */
import { isDeepStrictEqual } from 'node:util';
import { printable } from '../name-bytes.ts';
import type { Config } from './config.ts';
import { shownPath, type KeyPath } from './document.ts';

const valueLengthMax = 60;

/** Where a rule stands in the file is no part of what it says. */
const placeKey = 'place';

/** Such as `limits.connections: 1024 → 2048` or `users.bob: removed`. */
export function configDifferences(before: Config, after: Config): string[] {
  return [...differences([], comparable(before), comparable(after))];
}

/** Users by their names, and of host keys what is no secret. */
function comparable({ users, hostKeys, path: _path, ...config }: Config): Record<string, unknown> {
  return {
    ...config,
    hostKeys: hostKeys.map(({ path, type, publicKeyBlob }) => ({
      path,
      type,
      publicKey: publicKeyBlob.toString('base64'),
    })),
    users: Object.fromEntries(users.map(({ user, ...rest }) => [user.name, { ...user, ...rest }])),
  };
}

function* differences(path: KeyPath, before: unknown, after: unknown): Iterable<string> {
  if (path.at(-1) === placeKey || isDeepStrictEqual(before, after)) return;
  const both = [before, after];
  if (both.every(isRecord)) {
    const [old, now] = both as [Record<string, unknown>, Record<string, unknown>];
    for (const key of new Set([...Object.keys(old), ...Object.keys(now)]))
      yield* differences([...path, key], old[key], now[key]);
  } else if (both.every(Array.isArray)) {
    const [old, now] = both as [unknown[], unknown[]];
    for (let index = 0; index < Math.max(old.length, now.length); index += 1)
      yield* differences([...path, index], old[index], now[index]);
  } else if (before === undefined)
    yield `${shownPath(path)}: added${isRecord(after) ? '' : ` ${shown(after)}`}`;
  else if (after === undefined) yield `${shownPath(path)}: removed`;
  else yield `${shownPath(path)}: ${shown(before)} → ${shown(after)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value), valueLengthMax);
}
