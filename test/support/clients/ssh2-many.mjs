// Opens SESSIONS connections at once, sends FILES small files by each, and prints what was acknowledged: { path: sha256 }.
// Usage: node ssh2-many.mjs PORT USER KEYFILE SESSIONS FILES
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client } from 'ssh2';

const [port, username, keyFile, sessions, files] = process.argv.slice(2);
const privateKey = readFileSync(keyFile);
const acknowledged = {};

function connect() {
  const client = new Client();
  return new Promise((resolve, reject) => {
    client.once('error', reject);
    client.once('ready', () =>
      client.sftp((error, sftp) => (error ? reject(error) : resolve({ client, sftp }))),
    );
    client.connect({ host: '127.0.0.1', port: Number(port), username, privateKey, readyTimeout: 120_000 });
  });
}

async function send(number) {
  const { client, sftp } = await connect();
  for (let file = 0; file < Number(files); file += 1) {
    const [path, content] = [`/${number}-${file}`, `${number} ${file} ${'x'.repeat(number * 7)}`];
    await new Promise((resolve, reject) =>
      sftp.writeFile(path, content, (error) => (error ? reject(error) : resolve())),
    );
    acknowledged[path] = createHash('sha256').update(content).digest('hex');
  }
  client.end();
}

await Promise.all(Array.from({ length: Number(sessions) }, (_, number) => send(number)));
process.stdout.write(`${JSON.stringify(acknowledged)}\n`);
