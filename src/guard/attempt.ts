/** What one attempt of a client is, in the words of `guarded-files.ts`, and what the record of it says. */
import { ScpdError } from '../errors.ts';
import type { Operation, RecordFacts } from '../audit/record.ts';
import type { Verb } from './access.ts';
import type { Place, StoredAttributes } from './store.ts';
import { virtualPath, type VirtualPath } from './virtual-path.ts';

export interface Attempt {
  readonly operation: Operation;
  /** What is asked for. */
  readonly verb: Verb;
  /** Where it depends on what is there which verb it is: those of which one must be allowed. `act` asks for the right one. */
  readonly anyOf?: readonly Verb[];
  readonly path: VirtualPath;
  /** It is about something of the user's own at the path, and was asked for as such already. */
  readonly isOwn?: boolean;
  /** The other end, or the text of a link. */
  readonly target?: string;
  /** Whether a link at the end of the path is followed. */
  readonly follow: boolean;
  /** Whether success is a change that deserves a record; transfers write their own when they end. */
  readonly recorded: boolean;
  /** What of the request its record says as well. */
  readonly asked?: Pick<RecordFacts, 'mode' | 'mtime'>;
}

/** What an attempt finds out on its way and the record is to say. */
export interface Notes {
  stored?: VirtualPath;
}

/** Looking for what is not there is no event; being kept from looking is. */
export const unremarkable: ReadonlySet<Operation> = new Set(['stat', 'list']);

/** What puts something at its path, or takes it away: what is kept of an upload to it has no place there any more. */
export const givesPlace: ReadonlySet<Operation> = new Set(['remove', 'rename', 'mkdir', 'link']);

/** The paths that an attempt is about; the text of a link is none. */
export function endsOf({ operation, path, target }: Attempt): VirtualPath[] {
  return target === undefined || operation === 'link' ? [path] : [path, virtualPath(target)];
}

/** What is there, or NOT_FOUND. */
export function present(place: Place): { readonly place: Place; readonly attributes: StoredAttributes } {
  if (place.attributes === undefined) throw new ScpdError('NOT_FOUND');
  return { place, attributes: place.attributes };
}
