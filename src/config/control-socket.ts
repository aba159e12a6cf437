/** Where the control socket of a configuration is. That a server runs does not depend on what its file has become since. */
import { dirname, resolve } from 'node:path';
import { readConfigDocument } from './load.ts';
import { configSchema } from './schema.ts';

/** Host path. Throws `ConfigError` if there is no file. @param path of the configuration, as the operator gave it */
export async function controlSocketOf(path: string): Promise<string> {
  const { value } = await readConfigDocument(path);
  const configured = (value as { control?: { socket?: unknown } } | undefined)?.control?.socket;
  const fallback = configSchema.properties?.['control']?.properties?.['socket']?.default;
  return resolve(dirname(resolve(path)), String(typeof configured === 'string' ? configured : fallback));
}
