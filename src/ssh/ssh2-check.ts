/**
 * The start-up check of ssh2. Much of what we need of it is internal, so the version is pinned, and everything that we lean
 * on is looked at before the first client may come: if it is not there, the server does not start.
 */
import { Duplex } from 'node:stream';
import { generateHostKey } from './host-keys.ts';
import { createSsh2Server, greetingLine, ssh2Version } from './ssh2.ts';
import type { Connection } from './ssh2.ts';

const pinnedVersion = '1.17.0';
const checkMsMax = 10_000;

/** Rejects, in words for the operator, if the installed ssh2 is not the one that this program was written against. */
export async function checkSsh2(): Promise<void> {
  const version = ssh2Version();
  const missing = version === pinnedVersion ? await missingInternals() : [];
  if (version === pinnedVersion && missing.length === 0) return;
  const found = missing.length === 0 ? `version ${version}` : `one without ${missing.join(', ')}`;
  throw new Error(
    `scpd needs ssh2 ${pinnedVersion} exactly and found ${found}; run "npm ci" in scpd's folder. ` +
      'It does not start, because its protections depend on it.',
  );
}

/** Shakes hands with a pretended client as far as its first line, and looks at the connection that ssh2 made for it. */
async function missingInternals(): Promise<readonly string[]> {
  const server = createSsh2Server({
    hostKeys: [Buffer.from(generateHostKey('ed25519', '').privateKey)],
    ident: 'check',
    keepaliveMs: 1000,
    keepalivesUnansweredMax: 1,
  });
  const greeting: Buffer[] = [];
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      greeting.push(chunk);
      done();
    },
  });
  const connection = await new Promise<Connection>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('ssh2 does not answer a client')), checkMsMax);
    server.on('connection', (client) => {
      client.on('error', () => undefined);
      clearTimeout(timer);
      resolve(client);
    });
    server.injectSocket(socket);
    socket.push(greetingLine('check'));
  });
  const missing = internals.filter(({ isThere }) => !isThere(connection)).map(({ name }) => name);
  if (greeting[0]?.toString('latin1') !== greetingLine('check')) missing.push('greeting');
  socket.destroy();
  return missing;
}

const protocolFunctions = [
  '_onPayload',
  '_onWrite',
  'rekey',
  'requestSuccess',
  'requestFailure',
  'channelSuccess',
  'channelFailure',
  'channelEOF',
  'channelClose',
  'channelWindowAdjust',
  'channelData',
  'channelExtData',
  'channelOpenConfirm',
  'channelOpenFail',
  'exitStatus',
] as const;

interface Internal {
  readonly name: string;
  readonly isThere: (connection: Connection) => boolean;
}

const internals: readonly Internal[] = [
  { name: '_sock', isThere: ({ _sock: socket }) => socket instanceof Duplex },
  { name: 'authenticated', isThere: ({ authenticated }) => !authenticated },
  { name: '_kexinit', isThere: ({ _protocol: protocol }) => '_kexinit' in protocol },
  {
    name: '_skipNextInboundPacket',
    isThere: ({ _protocol: protocol }) => '_skipNextInboundPacket' in protocol,
  },
  { name: '_queue', isThere: ({ _protocol: protocol }) => '_queue' in protocol },
  { name: '_kex', isThere: ({ _protocol: protocol }) => Object.hasOwn(protocol, '_kex') },
  {
    name: '_offer',
    isThere: ({ _protocol: { _offer: it } }) => Array.isArray(it.lists.serverHostKey.array),
  },
  {
    name: '_destruct',
    isThere: ({ _protocol: { _destruct: destructor } }) => typeof destructor === 'function',
  },
  {
    name: '_decipher',
    isThere: ({ _protocol: { _decipher: it } }) =>
      typeof member(it, '_onPayload') === 'function' && '_packet' in it,
  },
  {
    name: '_cipher',
    isThere: ({ _protocol: { _cipher: it } }) =>
      typeof member(it, 'encrypt') === 'function' && typeof member(it, 'allocPacket') === 'function',
  },
  {
    name: '_packetRW',
    isThere: ({ _protocol: { _packetRW: it } }) => typeof member(it.write, 'alloc') === 'function',
  },
  ...protocolFunctions.map((name) => ({
    name,
    isThere: ({ _protocol: protocol }: Connection) => typeof protocol[name] === 'function',
  })),
];

/** A property of something that need not be what its type says. */
function member(thing: unknown, name: string): unknown {
  return typeof thing === 'object' && thing !== null ? (thing as Record<string, unknown>)[name] : undefined;
}
