/**
 * `scpd init`: all that a first run needs, made once. Nothing that is there is ever changed, but for what merely follows
 * from other files (known_hosts, a .pub beside a key just made). Where the configuration no longer has the demo user,
 * nothing is made for it.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { generateJournalKey, journalKeyName, journalPublicKeyName } from '../audit/journal-key.ts';
import { ConfigError } from '../config/config-error.ts';
import type { Config, ConfiguredUser } from '../config/config.ts';
import { readConfigDocument } from '../config/load.ts';
import { PrivateKeyError, readPrivateKeyFacts, type PrivateKeyFacts } from '../config/openssh-private-key.ts';
import { shellPath, shortPath, shownFile } from '../config/host-files.ts';
import { schemaFile } from '../config/schema.ts';
import { generateHostKey } from '../ssh/host-keys.ts';
import { knownHostsName, localHost } from './address.ts';
import { clientLines } from './client-lines.ts';
import type { Command, ExitCode } from './command.ts';
import { loadReported } from './config-option.ts';
import { FileCreator } from './create-files.ts';
import {
  demoUser,
  helloFile,
  helloText,
  hostKeyTypes,
  initialConfig,
  initLayout,
  type InitLayout,
} from './init-layout.ts';
import { printLine, printProblem } from './output.ts';

export const command: Command = {
  description: `Creates what is missing of: host keys (keys/host), a demo user with a client key (keys/demo,
keys/users/demo) and a root (var/demo), the audit directory (var/audit) and a commented
configuration (config/scpd.json). Keeps whatever is there. Then prints command lines for
scp and sftp that work as soon as "scpd serve" runs.`,
  options: { dir: { value: 'DIR', summary: 'where to create them', default: '.' } },

  async run({ dir = '.' }) {
    try {
      return await init(initLayout(dir));
    } catch (error) {
      // What fails here is the disk (no permission, no space, a file where a directory should be) or a key of the owner's.
      if (!(error instanceof Error)) throw error;
      if (error instanceof PrivateKeyError)
        printProblem(`scpd: can't make a .pub file: the private key is ${error.message}`);
      else if ('syscall' in error) printProblem(`scpd: ${error.message}`);
      else throw error;
      return 1;
    }
  },
};

async function init(layout: InitLayout): Promise<ExitCode> {
  const creator = new FileCreator();
  try {
    const demoWanted = await wantsDemo(layout, creator);
    await makeHostKeys(layout, creator);
    if (demoWanted) await makeDemo(layout, creator);
    await makeConfig(layout, creator);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const problem of error.problems) printProblem(problem);
    return 1;
  }
  const config = await loadReported(shortPath(layout.configFile));
  const demo = config?.users.find(({ user }) => user.name === demoUser);
  const address = config === undefined ? undefined : clientAddress(config);
  if (config !== undefined && demo !== undefined && address !== undefined) {
    await creator.derivedFile(layout.knownHostsFile, knownHosts(config, address), 0o644);
  }
  creator.report.forEach(printLine);
  if (config === undefined) return 1;
  if (demo !== undefined && address !== undefined) await printClientLines(layout, demo, address);
  return 0;
}

async function wantsDemo(layout: InitLayout, creator: FileCreator): Promise<boolean> {
  if (!(await creator.isThere(layout.configFile))) return true;
  return (await readConfigDocument(shortPath(layout.configFile))).has(['users', demoUser]);
}

async function makeHostKeys(layout: InitLayout, creator: FileCreator): Promise<void> {
  await creator.directory(layout.hostKeyDirectory, 'private');
  for (const type of hostKeyTypes)
    await makeKey(creator, layout.hostKeyFiles[type], { type, comment: 'scpd host key' });
}

async function makeDemo(layout: InitLayout, creator: FileCreator): Promise<void> {
  await creator.directory(layout.demoKeyDirectory, 'private');
  await makeKey(creator, layout.demoKeyFile, { type: 'ed25519', comment: 'scpd demo' });
  await creator.directory(layout.userKeyDirectory, 'shared');
  const publicKey = await readFile(`${layout.demoKeyFile}.pub`, 'utf8');
  await creator.file(layout.demoAuthorizedKeysFile, publicKey, 0o644);
  // Only into a root of our own making: what the owner removed stays removed.
  if (await creator.directory(layout.demoRoot, 'shared')) {
    await creator.file(helloFile(layout.demoRoot), helloText, 0o644);
  }
}

/** A key pair, unless the private key is there; a public key that is missing or left from another pair is made from it. */
async function makeKey(
  creator: FileCreator,
  file: string,
  { type, comment }: { readonly type: (typeof hostKeyTypes)[number]; readonly comment: string },
): Promise<void> {
  if (await creator.isThere(file)) {
    creator.keep(file);
    if (await creator.isThere(`${file}.pub`)) creator.keep(`${file}.pub`);
    else
      await creator.file(
        `${file}.pub`,
        publicKeyLine(readPrivateKeyFacts(await readFile(file)), comment),
        0o644,
      );
    return;
  }
  const { privateKey, publicKey } = generateHostKey(type, comment);
  if (await creator.file(file, privateKey, 0o600)) await creator.derivedFile(`${file}.pub`, publicKey, 0o644);
}

function publicKeyLine({ type, publicKeyBlob }: PrivateKeyFacts, comment: string): string {
  return `${type} ${publicKeyBlob.toString('base64')} ${comment}\n`;
}

/** So that its public half can be kept elsewhere before the first record is written. */
async function makeJournalKey({ auditDirectory }: InitLayout, creator: FileCreator): Promise<void> {
  const { privateKey, publicKey } = generateJournalKey();
  const publicKeyFile = join(auditDirectory, journalPublicKeyName);
  if (await creator.file(join(auditDirectory, journalKeyName), privateKey, 0o600))
    await creator.derivedFile(publicKeyFile, publicKey, 0o644);
  else creator.keep(publicKeyFile);
}

async function makeConfig(layout: InitLayout, creator: FileCreator): Promise<void> {
  await creator.directory(layout.auditDirectory, 'private');
  await makeJournalKey(layout, creator);
  await creator.directory(layout.configDirectory, 'shared');
  await creator.file(layout.schemaFile, await readFile(schemaFile, 'utf8'), 0o644);
  await creator.file(layout.configFile, initialConfig(), 0o644);
}

/** Where a client on this machine reaches the server; undefined if only the running server knows the port. */
function clientAddress({ listen }: Config): { readonly host: string; readonly port: number } | undefined {
  const address = listen.find(({ port }) => port !== 0);
  return address === undefined ? undefined : { host: localHost(address.host), port: address.port };
}

function knownHosts({ hostKeys }: Config, address: { readonly host: string; readonly port: number }): string {
  const name = knownHostsName(address);
  return hostKeys
    .map(({ type, publicKeyBlob }) => `${name} ${type} ${publicKeyBlob.toString('base64')}\n`)
    .join('');
}

async function printClientLines(
  layout: InitLayout,
  { user, authorizedKeysFile }: ConfiguredUser,
  address: { readonly host: string; readonly port: number },
): Promise<void> {
  const publicKeyFile = `${layout.demoKeyFile}.pub`;
  const [, publicKey = ''] = (await readFile(publicKeyFile, 'utf8')).split(' ');
  if (!(await readFile(authorizedKeysFile, 'utf8')).includes(publicKey)) {
    printLine(`\n${shownFile(authorizedKeysFile)} does not have the demo key. To let it in:`);
    printLine(`cat ${shellPath(publicKeyFile)} >> ${shellPath(authorizedKeysFile)}`);
  }
  const hasHello = await new FileCreator().isThere(helloFile(user.root));
  const lines = clientLines({
    user: user.name,
    preset: user.preset,
    ...address,
    keyFile: layout.demoKeyFile,
    knownHostsFile: layout.knownHostsFile,
    localFile: layout.configFile,
    localDirectory: layout.configDirectory,
    receiveDirectory: layout.dataDirectory,
    remoteFile: basename(hasHello ? helloFile(user.root) : layout.configFile),
  });
  printLine(
    '\nWhile "scpd serve" runs, these lines work as they are, in another terminal but in this directory:\n',
  );
  lines.forEach(printLine);
  printLine('');
}
