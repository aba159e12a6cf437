/** The clients that the rows drive, with their default settings: nothing is told to them but where to go and by which key. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/clients.ts';
import { knownHostLines, type Peer } from './peers.ts';

/** A million files took 35 minutes to send. */
export const clientMsMax = 7_200_000;

export type Client = 'scp' | 'scp -O' | 'pscp' | 'rclone';

/** Where a copy comes from or goes to: a host path of the client's, or a name in the peer's directory. */
export interface Copy {
  readonly direction: 'put' | 'get';
  readonly local: string;
  readonly remote: string;
  readonly recursive?: boolean;
  /** To reach the peer by another port than its own. */
  readonly port?: number;
}

/** The place of a client: its keys and what it sends and fetches. */
export class Desk {
  readonly directory: string;
  readonly #knownHosts: string;
  /** PuTTY's form of a peer's keys. */
  readonly #putty = new Map<Peer, { readonly key: string; readonly fingerprint: string }>();

  constructor(directory: string) {
    this.directory = directory;
    this.#knownHosts = join(directory, 'known_hosts');
    writeFileSync(this.file('none'), ''); // an empty configuration keeps rclone quiet about having none
  }

  /** Makes a peer known. @param ports by which it is reached */
  async meet(peer: Peer, ports: readonly number[]): Promise<void> {
    appendFileSync(this.#knownHosts, knownHostLines(peer, ports).join(''));
    const key = this.file(`key-${peer.port}.ppk`);
    await run('puttygen', [peer.keys.client, '-O', 'private', '-o', key]);
    const hostKey = join(peer.keys.hostDirectory, 'ssh_host_ed25519_key.pub');
    const fingerprint = (await run('ssh-keygen', ['-l', '-f', hostKey])).stdout.split(' ')[1] ?? '';
    this.#putty.set(peer, { key, fingerprint });
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** Options for OpenSSH's programs: none of them changes how data is sent. */
  sshOptions(peer: Peer): string[] {
    const options = [
      `UserKnownHostsFile=${this.#knownHosts}`,
      'GlobalKnownHostsFile=none',
      'BatchMode=yes',
      'IdentitiesOnly=yes',
      'LogLevel=ERROR',
    ];
    return ['-F', 'none', '-i', peer.keys.client, ...options.flatMap((option) => ['-o', option])];
  }

  /** Runs a client to its end. Throws if it fails. */
  async copy(client: Client, peer: Peer, copy: Copy): Promise<void> {
    const [program = '', ...parameters] = this.#command(client, peer, copy);
    const environment = client === 'rclone' ? this.#rcloneSettings(peer, copy) : {};
    const { status, stderr } = await run(program, parameters, { timeoutMs: clientMsMax, environment });
    if (status !== 0) throw new Error(`${client} ${copy.direction} with ${peer.name}: ${stderr}`);
  }

  #command(client: Client, peer: Peer, copy: Copy): string[] {
    const port = String(copy.port ?? peer.port);
    const recursive = copy.recursive === true ? ['-r'] : [];
    const far = `${peer.user}@127.0.0.1:${peer.path(copy.remote)}`;
    const ends = copy.direction === 'put' ? [copy.local, far] : [far, copy.local];
    if (client === 'pscp') {
      const { key = '', fingerprint = '' } = this.#putty.get(peer) ?? {};
      const keys = ['-i', key, '-hostkey', fingerprint];
      return ['pscp', '-q', '-batch', '-noagent', '-P', port, ...keys, ...recursive, ...ends];
    }
    if (client === 'rclone') {
      const box = `box:${peer.path(copy.remote)}`;
      const both = copy.direction === 'put' ? [copy.local, box] : [box, copy.local];
      return ['rclone', 'copyto', ...both, '--config', this.file('none'), '--retries', '1'];
    }
    const protocol = client === 'scp -O' ? ['-O'] : [];
    return ['scp', '-q', ...protocol, ...recursive, '-P', port, ...this.sshOptions(peer), ...ends];
  }

  #rcloneSettings(peer: Peer, { port = peer.port }: Copy): Record<string, string> {
    return {
      RCLONE_CONFIG_BOX_TYPE: 'sftp',
      RCLONE_CONFIG_BOX_HOST: '127.0.0.1',
      RCLONE_CONFIG_BOX_PORT: String(port),
      RCLONE_CONFIG_BOX_USER: peer.user,
      RCLONE_CONFIG_BOX_KEY_FILE: peer.keys.client,
      RCLONE_CONFIG_BOX_KNOWN_HOSTS_FILE: this.#knownHosts,
      // Otherwise it takes what it is told of a refused command for a shell's answer, and fails at md5sum.
      ...(peer.isWithoutShell === true && { RCLONE_CONFIG_BOX_SHELL_TYPE: 'none' }),
    };
  }
}
