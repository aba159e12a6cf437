/** What a user may do where, as facts. `guard/` decides by them; nothing here acts. */

/** What can be done to a path. */
export type Verb =
  | 'list'
  | 'stat'
  | 'read'
  | 'create'
  | 'overwrite'
  | 'append'
  | 'delete'
  | 'rename'
  | 'mkdir'
  | 'rmdir'
  | 'attributes'
  | 'symlink'
  | 'hash';

/** A named set of rights that a configuration may name; what each allows stands in `guard/presets.ts`. */
export type Preset = 'full' | 'read-only' | 'append-only' | 'drop-box' | 'backup';

/** What becomes of a new file whose name is taken by another's: refused, or stored under a name of its own. */
export type OnConflict = 'refuse' | 'rename';

/** Patterns for the last component of a path: one of `allow` (if there is a list) and none of `deny`. */
export interface NameFilter {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** How long files stay that were replaced or removed: as versions, until one of the two is exceeded. */
export interface VersionPolicy {
  /** Of one file. */
  readonly versionsMax: number;
  readonly ageMsMax: number;
}

/** The first rule whose path matches decides about every verb; what it doesn't allow is denied. */
export interface Rule {
  /** Where it stands in the configuration, such as `config/scpd.json:14:9`; '' for one that stands nowhere. */
  readonly place: string;
  /** Its key there, such as `roles.partner.rules[0]`. */
  readonly key: string;
  /** A pattern for absolute paths (`guard/glob.ts`). */
  readonly path: string;
  readonly preset?: Preset;
  /** Added to the preset's. */
  readonly allow: readonly Verb[];
  /** Taken away again. */
  readonly deny: readonly Verb[];
  /** For names that are made: files need both lists, directories only `deny`. */
  readonly names?: NameFilter;
  /** Largest file here, in bytes, where the user may store larger ones elsewhere. */
  readonly fileBytesMax?: number;
  readonly onConflict?: OnConflict;
  /** For all that is below the path, which is that of a directory: of all users of the root together. */
  readonly quota?: { readonly bytesMax?: number; readonly filesMax?: number };
  /** Without it, what the user's says. */
  readonly versions?: VersionPolicy;
  /** How long after it was stored a file can't be removed. Without it, what the user's says. */
  readonly retainMs?: number;
}
