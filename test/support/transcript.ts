/**
 * A session as a text that people can read: what the client asked for, what both sides sent in order, and how it ended.
 *
 *     # where it comes from
 *     $ scp -t file              the command
 *     > C0644 3 file\n           bytes of the client; lines of one side that follow each other are one piece
 *     < \0                       bytes of the server
 *     ! words                    a line on standard error
 *     = 0                        the exit status
 *
 * Bytes that are no printable ASCII are \n, \0 or \xHH; a backslash is \\.
 */

export type TranscriptEntry =
  | { readonly kind: 'client'; readonly bytes: Buffer }
  | { readonly kind: 'server'; readonly bytes: Buffer }
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'status'; readonly status: number };

export interface Transcript {
  readonly comment: string;
  readonly command: Buffer;
  readonly entries: readonly TranscriptEntry[];
}

const signs = { client: '>', server: '<' } as const;

export function renderTranscript({ comment, command, entries }: Transcript): string {
  const lines = [`# ${comment}`, `$ ${escapeBytes(command)}`];
  let open: { kind: 'client' | 'server'; bytes: Buffer } | undefined;
  const close = (): void => {
    if (open === undefined) return;
    // A line each for the lines of the protocol, so that a difference between two recordings is readable.
    for (const piece of escapeBytes(open.bytes).match(/.*?\\n|.+$/g) ?? [])
      lines.push(`${signs[open.kind]} ${piece}`);
    open = undefined;
  };
  for (const entry of entries) {
    if (entry.kind === 'client' || entry.kind === 'server') {
      if (open?.kind !== entry.kind) close();
      open = { kind: entry.kind, bytes: Buffer.concat([open?.bytes ?? Buffer.alloc(0), entry.bytes]) };
    } else {
      close();
      lines.push(entry.kind === 'error' ? `! ${entry.text}` : `= ${entry.status}`);
    }
  }
  close();
  return `${lines.join('\n')}\n`;
}

export function parseTranscript(text: string): Transcript {
  let comment = '';
  let command: Buffer = Buffer.alloc(0);
  const entries: TranscriptEntry[] = [];
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const rest = line.slice(2);
    if (line.startsWith('#')) comment = rest;
    else if (line.startsWith('$')) command = unescapeBytes(rest);
    else if (line.startsWith('>')) entries.push({ kind: 'client', bytes: unescapeBytes(rest) });
    else if (line.startsWith('<')) entries.push({ kind: 'server', bytes: unescapeBytes(rest) });
    else if (line.startsWith('!')) entries.push({ kind: 'error', text: rest });
    else if (line.startsWith('=')) entries.push({ kind: 'status', status: Number(rest) });
    else throw new Error(`not a line of a transcript: ${line}`);
  }
  return { comment, command, entries };
}

/** All bytes of one side. */
export function bytesOf({ entries }: Transcript, side: 'client' | 'server'): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => (entry.kind === side && 'bytes' in entry ? [entry.bytes] : [])),
  );
}

function escapeBytes(bytes: Buffer): string {
  return Array.from(bytes, (byte) => {
    if (byte === 0x0a) return '\\n';
    if (byte === 0) return '\\0';
    if (byte === 0x5c) return '\\\\';
    return byte >= 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`;
  }).join('');
}

function unescapeBytes(text: string): Buffer {
  const plain = text.replaceAll(/\\(?:n|0|\\|x([0-9a-f]{2}))/g, (escape, hex: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    return escape === '\\n' ? '\n' : escape === '\\0' ? '\0' : '\\';
  });
  return Buffer.from(plain, 'latin1');
}
