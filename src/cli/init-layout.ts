/** Where `scpd init` puts things, and what it writes into the configuration. */
import { join, resolve } from 'node:path';
import { configSchema } from '../config/schema.ts';

export const demoUser = 'demo';
export const hostKeyTypes = ['ed25519', 'ecdsa', 'rsa'] as const;
export const demoHost = '127.0.0.1';
export const demoPort = 2222;

export interface InitLayout {
  readonly configDirectory: string;
  readonly configFile: string;
  readonly schemaFile: string;
  readonly hostKeyDirectory: string;
  readonly hostKeyFiles: Readonly<Record<(typeof hostKeyTypes)[number], string>>;
  readonly demoKeyDirectory: string;
  readonly demoKeyFile: string;
  readonly knownHostsFile: string;
  readonly userKeyDirectory: string;
  readonly demoAuthorizedKeysFile: string;
  readonly dataDirectory: string;
  readonly demoRoot: string;
  readonly auditDirectory: string;
}

/** All host paths, absolute. */
export function initLayout(directory: string): InitLayout {
  const base = resolve(directory);
  const hostKeyDirectory = join(base, 'keys/host');
  const hostKeyFile = (type: string): string => join(hostKeyDirectory, `ssh_host_${type}_key`);
  return {
    configDirectory: join(base, 'config'),
    configFile: join(base, 'config/scpd.json'),
    schemaFile: join(base, 'config/schema.json'),
    hostKeyDirectory,
    hostKeyFiles: { ed25519: hostKeyFile('ed25519'), ecdsa: hostKeyFile('ecdsa'), rsa: hostKeyFile('rsa') },
    demoKeyDirectory: join(base, 'keys/demo'),
    demoKeyFile: join(base, 'keys/demo/id_ed25519'),
    knownHostsFile: join(base, 'keys/demo/known_hosts'),
    userKeyDirectory: join(base, 'keys/users'),
    demoAuthorizedKeysFile: join(base, 'keys/users', demoUser),
    dataDirectory: join(base, 'var'),
    demoRoot: join(base, 'var', demoUser),
    auditDirectory: join(base, 'var/audit'),
  };
}

/** The commented configuration. Limits and their defaults are taken from the schema, so that they can't go stale. */
export function initialConfig(): string {
  return `// Configuration of scpd: JSON with comments; trailing commas are allowed.
// Paths are relative to this file. Check it after a change: scpd check
// Every key is described in schema.json; editors complete keys from it.
{
  "$schema": "./schema.json",

  // Only this machine can connect. "0.0.0.0" listens on every IPv4 address, "::" on every address.
  "listen": [{ "host": "${demoHost}", "port": ${demoPort} }],

  // What proves this server to its clients; some know only one of the types.
  "hostKeys": [
${hostKeyTypes.map((type) => `    "../keys/host/ssh_host_${type}_key",`).join('\n')}
  ],

  // "full": a success means that the file is on disk, whatever happens next. "none" is faster and promises less.
  "durability": "full",

  // Every transfer and every refusal is written down here.
  "audit": { "dir": "../var/audit" },

  "log": { "level": "info" },

  // These are the defaults; take the slashes away to change one.
  "limits": {
${limitLines().join('\n')}
  },

  "users": {
    // Log in with keys/demo/id_ed25519. For a user of your own: make a root, put the public keys into a file.
    "${demoUser}": {
      "root": "../var/${demoUser}",
      "authorizedKeys": "../keys/users/${demoUser}",
      // "full", "backup", "read-only", "append-only" or "drop-box"
      "preset": "full",
      // "fileSizeMax": "1TiB",
    },
  },
}
`;
}

function limitLines(): string[] {
  const limits = Object.entries(configSchema.properties?.['limits']?.properties ?? {});
  return limits.flatMap(([name, schema]) => [
    `    // ${schema.description}`,
    `    // "${name}": ${JSON.stringify(schema.default)},`,
  ]);
}

/** In the root of the demo user. */
export function helloFile(root: string): string {
  return join(root, 'hello.txt');
}

/** A small file in the demo root, so that there is something to download at once. */
export const helloText = `Hello from scpd.

This directory is the root of the user "${demoUser}": what you send there is stored here, whole or not at all.
`;
