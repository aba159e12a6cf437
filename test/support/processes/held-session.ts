/** A session of OpenSSH's sftp that stays, and does a line when it is told to. */
import { spawn } from 'node:child_process';
import type { TestServer } from '../server.ts';
import { until } from './until.ts';

export interface HeldSession {
  /** Whether it got in; resolves when that is known. */
  readonly isIn: Promise<boolean>;
  /** A failure does not end the session. Resolves with what was said when the line was done. */
  run(line: string): Promise<string>;
  /** @param last a line that ends it at once if it fails */
  end(last?: string): Promise<number | null>;
}

export function holdSession(server: TestServer, user: string): HeldSession {
  const words = ['-b', '-', '-P', String(server.port), ...server.sshOptions, `${user}@127.0.0.1`];
  const child = spawn('sftp', words, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (said += String(bytes)));
  child.stdin.on('error', () => undefined);
  let hasEnded = false;
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  void ended.then(() => (hasEnded = true));
  child.stdin.write('!echo held\n');
  const isHeld = (): boolean => said.includes('\nheld');
  return {
    isIn: until(() => hasEnded || isHeld(), 'a login or an end', 60_000).then(isHeld),
    run: async (line) => {
      const before = said.length;
      const mark = `mark-${Math.random()}`;
      child.stdin.write(`-${line}\n!echo ${mark}\n`);
      await until(() => said.slice(before).includes(`\n${mark}`), `the end of ${line}`);
      return said.slice(before);
    },
    end: async (last = '') => {
      child.stdin.end(`${last}\nbye\n`);
      return await ended;
    },
  };
}
