/** Records of a server that has been busy for a month, for as long as there is none. */
import type { AuditRecord } from '../../src/audit/record.ts';

const monthMs = 30 * 86_400_000;
/** Between two records. */
const apartMs = 250;
const beganMs = Date.now() - monthMs;

/** Two for each upload: its begin and its end. */
export function transferRecord(index: number): AuditRecord {
  const upload = Math.floor(index / 2);
  const hex = upload.toString(16).padStart(12, '0');
  const ended = {
    phase: 'end',
    bytes: 1024,
    sha256: hex.padStart(64, '5'),
    mode: '0644',
    durationMs: 40,
    verdict: 'closed',
  } as const;
  return {
    time: new Date(beganMs + index * apartMs).toISOString(),
    connection: `01938f00-0000-7000-8000-${hex}`,
    session: `01938f00-0001-7000-8000-${hex}`,
    user: `user${upload % 50}`,
    key: `SHA256:${'A'.repeat(43)}`,
    address: `192.0.2.${upload % 250}`,
    client: 'OpenSSH_9.2p1 Debian-2',
    protocol: 'sftp',
    operation: 'upload',
    transfer: `01938f00-0002-7000-8000-${hex}`,
    direction: 'in',
    outcome: 'done',
    path: `/rows/${upload % 1000}/file-${upload}`,
    ...(index % 2 === 0 ? { phase: 'begin' } : ended),
  };
}
