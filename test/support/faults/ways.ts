/** The ways in which the tests of faults send a file: each protocol, and over SFTP both kinds of overwriting. */
import type { Finished } from '../clients.ts';
import { remote, type TestServer } from '../server.ts';

export interface Way {
  readonly name: string;
  readonly protocol: 'SCP' | 'SFTP';
  put(server: TestServer, file: string, path: string, user?: string): Promise<Finished>;
}

export const ways: readonly Way[] = [
  {
    name: 'scp -O',
    protocol: 'SCP',
    put: (server, file, path, user) => server.scp('scp', [file, remote(path, user)]),
  },
  {
    name: 'scp',
    protocol: 'SFTP',
    put: (server, file, path, user) => server.scp('sftp', [file, remote(path, user)]),
  },
  {
    name: 'sftp put',
    protocol: 'SFTP',
    put: (server, file, path, user) => server.sftp(`put ${file} ${path}\n`, user),
  },
];
