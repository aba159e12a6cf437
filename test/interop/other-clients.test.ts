/** Goal: clients other than OpenSSH's send and fetch a file whole, replace it, and see failures as failures. */
import t from 'tap';
import { join } from 'node:path';
import { missing, type Finished } from '../support/clients.ts';
import { sha256Of, writeRandom } from '../support/content.ts';
import { curl, host, lftp, pscp, psftp, rclone, setDesk, type Desk } from '../support/sftp-clients.ts';

interface Client {
  readonly name: string;
  readonly program: string;
  /** What the record says of a complete upload. */
  readonly verdict: 'verified' | 'closed';
  /** It makes missing directories itself. */
  readonly makesDirectories?: boolean;
  put(desk: Desk, local: string, path: string): Promise<Finished>;
  get(desk: Desk, path: string, local: string): Promise<Finished>;
}

const clients: readonly Client[] = [
  {
    name: 'pscp -scp',
    program: 'pscp',
    verdict: 'verified',
    put: (desk, local, path) => pscp(desk, [local, `demo@${host}:${path}`], '-scp'),
    get: (desk, path, local) => pscp(desk, [`demo@${host}:${path}`, local], '-scp'),
  },
  {
    name: 'pscp -sftp',
    program: 'pscp',
    verdict: 'closed',
    put: (desk, local, path) => pscp(desk, [local, `demo@${host}:${path}`]),
    get: (desk, path, local) => pscp(desk, [`demo@${host}:${path}`, local]),
  },
  {
    name: 'psftp',
    program: 'psftp',
    verdict: 'closed',
    put: (desk, local, path) => psftp(desk, `put ${local} ${path}\n`),
    get: (desk, path, local) => psftp(desk, `get ${path} ${local}\n`),
  },
  {
    name: 'curl scp://',
    program: 'curl',
    verdict: 'verified',
    put: (desk, local, path) => curl(desk, ['-T', local, `scp://${host}:${desk.server.port}/${path}`]),
    get: (desk, path, local) => curl(desk, ['-o', local, `scp://${host}:${desk.server.port}/${path}`]),
  },
  {
    name: 'curl sftp://',
    program: 'curl',
    verdict: 'closed',
    put: (desk, local, path) => curl(desk, ['-T', local, `URL/${path}`]),
    get: (desk, path, local) => curl(desk, ['-o', local, `URL/${path}`]),
  },
  {
    name: 'rclone',
    program: 'rclone',
    verdict: 'closed',
    makesDirectories: true,
    put: (desk, local, path) => rclone(desk, ['copyto', '--ignore-times', local, `box:${path}`]),
    get: (desk, path, local) => rclone(desk, ['copyto', `box:${path}`, local]),
  },
  {
    name: 'lftp',
    program: 'lftp',
    verdict: 'closed',
    put: (desk, local, path) => lftp(desk, `put ${local} -o ${path}`),
    get: (desk, path, local) => lftp(desk, `get ${path} -o ${local}`),
  },
];

t.test('other clients', async (t) => {
  const desk = await setDesk(t);
  const { server, place } = desk;
  writeRandom(join(place, 'long'), 3_000_000);
  writeRandom(join(place, 'short'), 5000);
  for (const client of clients) {
    await t.test(client.name, { skip: missing(client.program) }, async (t) => {
      const path = `by-${client.name.replaceAll(/\W/g, '')}`;
      for (const name of ['long', 'short']) {
        const up = await client.put(desk, join(place, name), path);
        t.equal(up.status, 0, `${name} up: ${up.stderr}${up.stdout}`);
        t.equal(await sha256Of(server.stored(path)), await sha256Of(join(place, name)), 'same bytes');
        const down = await client.get(desk, path, join(place, `back-${path}-${name}`));
        t.equal(down.status, 0, `${name} down: ${down.stderr}${down.stdout}`);
        t.equal(
          await sha256Of(join(place, `back-${path}-${name}`)),
          await sha256Of(join(place, name)),
          'same bytes',
        );
      }
      const record = server.records().findLast(({ operation }) => operation === 'upload');
      t.match(record, { outcome: 'done', bytes: 5000, verdict: client.verdict });
      t.not((await client.get(desk, 'nothing-of-that-name', join(place, 'none'))).status, 0);
      const astray = await client.put(desk, join(place, 'short'), `no/${path}/place`);
      if (client.makesDirectories !== true)
        t.not(astray.status, 0, `a missing directory: ${astray.stdout}${astray.stderr}`);
    });
  }
  t.strictSame(server.staged(), []);
});
