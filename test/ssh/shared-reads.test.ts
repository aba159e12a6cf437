/** Goal: all connections are read into one piece of memory, and nobody notices. */
import t from 'tap';
import { connect, createServer, type Socket } from 'node:net';
import { pattern, sha256, sshArgs, startServer, run, type Test } from '../support/ssh-harness.ts';

/** What a packet's authentication tag is longer than. */
const heldBackBytes = 9;

/**
 * A line that brings the end of whatever the client sends a little later, so that the server reads the rest of it first, and
 * other things between.
 */
async function startStutter(t: Test, port: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.on('data', (chunk: Buffer) => {
      const cut = Math.max(chunk.length - heldBackBytes, 0);
      far.write(chunk.subarray(0, cut));
      near.pause();
      setTimeout(() => {
        far.write(chunk.subarray(cut));
        near.resume();
      }, 2);
    });
    near.on('end', () => far.end());
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

const content = pattern(400_000);

for (const cipher of ['aes128-gcm@openssh.com', 'aes256-ctr']) {
  t.test(`packets whose tags come later are whole, ${cipher}`, async (t) => {
    const server = await startServer(t);
    const port = await startStutter(t, server.port);
    const options = [
      '-c',
      cipher,
      '-m',
      'hmac-sha2-256-etm@openssh.com',
      '-o',
      `HostKeyAlias=[127.0.0.1]:${server.port}`,
    ];
    const args = sshArgs(server.directory, port, [...options, 'alice@127.0.0.1', 'swallow']);
    // Several, so that each one's memory is filled by the others meanwhile.
    const runs = await Promise.all(Array.from({ length: 3 }, () => run('ssh', args, { input: content })));
    for (const { code, stdout, stderr } of runs) {
      t.equal(code, 0, stderr);
      t.equal(stdout.toString(), sha256(content));
    }
  });
}

t.test(
  'connections that send at the same time get their own bytes, also while keys are renewed',
  async (t) => {
    const server = await startServer(t);
    const contents = Array.from({ length: 6 }, (_, index) => Buffer.alloc(3_000_000, index + 1));
    const runs = await Promise.all(
      contents.map((input, index) => {
        const rekeying = index % 2 === 0 ? ['-o', 'RekeyLimit=512K'] : [];
        return server.ssh([...rekeying, 'alice@127.0.0.1', 'cat'], { input });
      }),
    );
    for (const [index, { code, stdout }] of runs.entries()) {
      t.equal(code, 0);
      t.ok(contents[index]?.equals(stdout), `connection ${index}`);
    }
  },
);
