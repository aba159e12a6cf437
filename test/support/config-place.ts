/** A place with keys, roots and a sound configuration, for tests to break in one point or many. */
import type { Test } from 'tap';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../src/config/config-error.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { generateHostKey } from '../../src/ssh/host-keys.ts';

const ed25519 = generateHostKey('ed25519', 'test');
const ecdsa = generateHostKey('ecdsa', 'test');

export class Place {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, content: string | Buffer, mode = 0o644): string {
    writeFileSync(this.path(name), content);
    chmodSync(this.path(name), mode);
    return this.path(name);
  }

  /** Loads `content` as config/scpd.json: what came of it, or the problems with the place's own path left out. */
  async load(content: string | object): Promise<{ config: Config | undefined; problems: readonly string[] }> {
    const file = this.write(
      'config/scpd.json',
      typeof content === 'string' ? content : JSON.stringify(content, null, 2),
    );
    try {
      return { config: await loadConfig(file), problems: [] };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return {
        config: undefined,
        problems: error.problems.map((line) => line.replaceAll(`${this.directory}/`, '')),
      };
    }
  }

  async problems(content: string | object): Promise<readonly string[]> {
    return (await this.load(content)).problems;
  }
}

/** Removed when the test ends. Outside of the current directory, so that paths are shown whole. */
export function makePlace(t: Test): Place {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'scpd-config-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const place = new Place(directory);
  for (const name of ['config', 'keys', 'data/alice', 'data/bob', 'audit']) {
    mkdirSync(place.path(name), { recursive: true });
  }
  place.write('keys/ed25519', ed25519.privateKey, 0o600);
  place.write('keys/ed25519.pub', ed25519.publicKey);
  place.write('keys/ecdsa', ecdsa.privateKey, 0o600);
  place.write('keys/alice', ed25519.publicKey);
  return place;
}

export interface Settings {
  listen: { host: string; port: number }[];
  hostKeys: string[];
  audit: { dir: string };
  users: Record<string, Record<string, unknown>>;
  [key: string]: unknown;
}

/** A new sound configuration for a place. */
export function soundSettings(): Settings {
  return {
    listen: [{ host: '127.0.0.1', port: 2222 }],
    hostKeys: ['../keys/ed25519', '../keys/ecdsa'],
    audit: { dir: '../audit' },
    users: {
      alice: { root: '../data/alice', authorizedKeys: '../keys/alice', preset: 'full' },
      bob: {
        root: '../data/bob',
        authorizedKeys: '../keys/alice',
        preset: 'read-only',
        fileSizeMax: '50GiB',
      },
    },
  };
}
