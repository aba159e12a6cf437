/** Goal: what is shipped for the operator's other programs is something that they accept. */
import t from 'tap';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Metrics } from '../../src/observe/metrics.ts';
import { missing, run } from '../support/clients.ts';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (name: string): string => readFileSync(`${deploy}${name}`, 'utf8');

t.test(
  'Prometheus takes the alert rules, and they fire when they should',
  { skip: missing('promtool') },
  async (t) => {
    const checked = await run('promtool', ['check', 'rules', 'alerts.yml'], { cwd: deploy });
    t.equal(checked.status, 0, checked.stdout + checked.stderr);
    const tested = await run('promtool', ['test', 'rules', 'alerts.test.yml'], { cwd: deploy });
    t.equal(tested.status, 0, tested.stdout + tested.stderr);
  },
);

t.test('rules and dashboard ask for metrics that there are', async (t) => {
  const text = await new Metrics().text({
    connections: 1,
    unauthenticated: 0,
    sessions: 1,
    uploads: 1,
    downloads: 0,
    workers: { serving: 1 },
    workerMemoryBytes: 1,
    loopLagSeconds: { supervisor: 0, workers: 0 },
    recordsWaiting: 0,
    copiesLost: [],
    auditLagSeconds: 0,
    ready: true,
    disks: [{ root: '/srv', freeBytes: 1, totalBytes: 2 }],
    users: [{ name: 'alice', bytes: 1, files: 1, reservedBytes: 0, bytesMax: 9, lastUploadSeconds: 1 }],
  });
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const asked = `${read('alerts.yml')}${read('grafana-dashboard.json')}`.match(/\bscpd_\w+/g) ?? [];
  t.ok(asked.length > 20);
  for (const name of new Set(asked)) t.ok(known.has(name.replace(/_bucket$/, '')), name);
  t.ok(Array.isArray((JSON.parse(read('grafana-dashboard.json')) as { panels: unknown }).panels));
});

t.test('systemd takes the unit', { skip: missing('systemd-analyze') }, async (t) => {
  const verified = await run('systemd-analyze', ['verify', './scpd.service'], { cwd: deploy });
  // Only where scpd is installed do its program and user exist.
  const problems = verified.stderr
    .split('\n')
    .filter((line) => line !== '' && !/not executable|node|man page/.test(line));
  t.strictSame(problems, []);
});
