/** The presets: one word for the rights of a common kind of user. What no preset names is denied. */
import type { Preset, Verb, VersionPolicy } from '../users/rule.ts';

/** In the order of documentation. */
export const verbs = [
  'list',
  'stat',
  'read',
  'hash',
  'create',
  'overwrite',
  'append',
  'delete',
  'rename',
  'mkdir',
  'rmdir',
  'attributes',
  'symlink',
] as const satisfies readonly Verb[];

export interface Rights {
  /** Allowed on everything. */
  readonly all: ReadonlySet<Verb>;
  /** Allowed on what the user made itself, in this session or lately. */
  readonly own: ReadonlySet<Verb>;
  /** Whether everything that is not the user's own must look as if it were not there. */
  readonly blind: boolean;
}

const looking = ['list', 'stat', 'read', 'hash'] as const;
const none: readonly Verb[] = [];

/** Preset → what it allows. */
export const presetRights: Readonly<Record<Preset, Rights>> = {
  full: rights({ all: verbs }),
  'read-only': rights({ all: looking }),
  // Real clients look at, date, rename and sometimes remove what they have just sent; without that they report failure.
  'drop-box': rights({
    all: ['create', 'mkdir'],
    own: ['stat', 'hash', 'overwrite', 'delete', 'rename', 'rmdir', 'attributes'],
    blind: true,
  }),
  // What is replaced or deleted stays as a version, so that backup tools may tidy up and nobody loses anything by it.
  backup: rights({
    all: [...looking, 'create', 'mkdir', 'attributes', 'rename', 'overwrite', 'delete', 'rmdir'],
  }),
  // No byte that was committed is ever changed or removed. What is new may still get its times and its final name, because
  // every backup tool sends under a temporary one; that changes no byte, and never replaces a file.
  'append-only': rights({ all: [...looking, 'create', 'mkdir'], own: ['attributes', 'rename'] }),
};

/** Where versions are kept and nothing says how many, and of the preset `backup`. */
export const defaultVersions: VersionPolicy = { versionsMax: 10, ageMsMax: 90 * 24 * 60 * 60 * 1000 };

/** Verbs that change nothing. */
export const lookingVerbs: ReadonlySet<Verb> = new Set(looking);

function rights({
  all,
  own = none,
  blind = false,
}: {
  readonly all: readonly Verb[];
  readonly own?: readonly Verb[];
  readonly blind?: boolean;
}): Rights {
  return { all: new Set(all), own: new Set(own), blind };
}
