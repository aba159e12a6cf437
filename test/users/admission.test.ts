/** Goal: whoever comes from elsewhere, or at another time, does not exist; and nothing else depends on where or when. */
import t from 'tap';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateHostKey } from '../../src/ssh/host-keys.ts';
import { Admission } from '../../src/users/admission.ts';
import { createUserDirectory } from '../../src/users/directory.ts';
import { networkTest, parseNetwork } from '../../src/users/networks.ts';
import { isTimeZone, isWithin, parseDays, parseMinute } from '../../src/users/time-window.ts';

t.test('networks', async (t) => {
  const isListed = networkTest(['192.0.2.0/24', '2001:db8::/32', '198.51.100.7', '::1/128']);
  const inside = [
    '192.0.2.0',
    '192.0.2.255',
    '::ffff:192.0.2.1',
    '2001:db8::1',
    '2001:DB8:0:0::ffff',
    '198.51.100.7',
    '::1',
  ];
  const outside = [
    '192.0.3.0',
    '2001:db9::1',
    '198.51.100.8',
    '::2',
    '',
    'x',
    '0192.0.2.1',
    '192.0.2.1 ',
    '::ffff:192.0.3.1',
  ];
  for (const address of inside) t.ok(isListed(address), address);
  for (const address of outside) t.notOk(isListed(address), address);
  t.ok(isListed('2001:db8::1%eth0'), 'a zone is no part of the address');
  t.ok(networkTest(['0.0.0.0/0'])('203.0.113.9'));
  for (const text of [
    '192.0.2.0/33',
    '2001:db8::/129',
    '192.0.2/24',
    '192.0.2.0/',
    '192.0.2.0/-1',
    '192.0.2.0/024',
    'host',
    '',
  ]) {
    t.equal(parseNetwork(text), undefined, text);
  }
});

t.test('time windows', async (t) => {
  const rows: readonly (readonly [
    days: string,
    from: string,
    to: string,
    zone: string,
    now: string,
    open: boolean,
  ])[] = [
    ['mon-fri', '06:00', '20:00', 'UTC', '2026-11-20T06:00:00Z', true], // a Friday
    ['mon-fri', '06:00', '20:00', 'UTC', '2026-11-20T05:59:59Z', false],
    ['mon-fri', '06:00', '20:00', 'UTC', '2026-11-20T20:00:00Z', false],
    ['mon-fri', '06:00', '20:00', 'UTC', '2026-11-21T12:00:00Z', false],
    ['mon-sun', '00:00', '24:00', 'UTC', '2026-11-21T23:59:59Z', true],
    ['fri', '22:00', '06:00', 'UTC', '2026-11-20T23:00:00Z', true],
    ['fri', '22:00', '06:00', 'UTC', '2026-11-21T05:59:00Z', true],
    ['fri', '22:00', '06:00', 'UTC', '2026-11-20T05:59:00Z', false],
    ['fri', '22:00', '06:00', 'UTC', '2026-11-21T22:00:00Z', false],
    ['sun', '22:00', '06:00', 'UTC', '2026-11-23T01:00:00Z', true], // over the end of the week
    ['sat', '00:00', '02:00', 'Europe/Berlin', '2026-11-20T23:30:00Z', true],
    ['fri', '20:00', '24:00', 'America/New_York', '2026-11-21T04:59:00Z', true],
    ['sat', '08:00', '09:00', 'Asia/Kolkata', '2026-11-21T03:00:00Z', true], // half an hour off
    ['sat', '10:00', '11:00', 'Europe/Berlin', '2026-07-04T08:30:00Z', true], // summer time
  ];
  for (const [days, from, to, zone, now, open] of rows) {
    const window = {
      days: parseDays(days) ?? [],
      fromMinute: parseMinute(from) ?? -1,
      toMinute: parseMinute(to) ?? -1,
      zone,
    };
    t.equal(isWithin(window, new Date(now)), open, `${days} ${from}-${to} ${zone}: ${now}`);
  }
  t.strictSame(parseDays('sat-mon'), [5, 6, 0]);
  t.strictSame(parseDays('mon-sun'), [0, 1, 2, 3, 4, 5, 6]);
  for (const text of ['', 'monday', 'mon-', '-mon', 'mon-tue-wed', 'Mon', 'mon,tue'])
    t.equal(parseDays(text), undefined, text);
  for (const text of ['6:00', '24:01', '25:00', '12:60', '12', '', '12:0'])
    t.equal(parseMinute(text), undefined, text);
  t.strictSame(['UTC', 'Europe/Berlin', 'Nowhere/None', ''].map(isTimeZone), [true, true, false, false]);
});

t.test('every list must be met, and one entry of it is enough', async (t) => {
  const admission = new Admission({ networks: [['192.0.2.0/24', '198.51.100.0/24'], ['192.0.2.128/25']] });
  t.ok(admission.allowsAddress('192.0.2.200'));
  t.notOk(admission.allowsAddress('192.0.2.1'));
  t.notOk(admission.allowsAddress('198.51.100.1'));
  t.ok(new Admission({}).allowsAddress(''));
  t.ok(new Admission({}).allowsTime(new Date()));
});

t.test('outside of network or hours a user is nobody', async (t) => {
  const file = join(t.testdir(), 'keys');
  const key = generateHostKey('ed25519', '').publicKey;
  writeFileSync(file, key);
  const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64');
  const user = { root: '/nowhere', preset: 'full', fileBytesMax: 1 } as const;
  const today = new Date().getUTCDay();
  const otherDay = (today + 2) % 7; // Monday is 0 here and 1 there, so this is tomorrow
  const window = { days: [otherDay], fromMinute: 0, toMinute: 1, zone: 'UTC' };
  const directory = createUserDirectory(
    [
      { user: { ...user, name: 'anywhere' }, authorizedKeysFile: file },
      { user: { ...user, name: 'office', networks: [['192.0.2.0/24']] }, authorizedKeysFile: file },
      { user: { ...user, name: 'late', hours: [[window]] }, authorizedKeysFile: file },
    ],
    () => t.fail('nothing is wrong with the keys'),
  );
  t.ok(await directory.find('anywhere', blob));
  t.ok(await directory.find('office', blob, '192.0.2.1'));
  t.equal(await directory.find('office', blob, '198.51.100.1'), undefined);
  t.equal(await directory.find('office', blob), undefined, 'an address that is not known is in no network');
  t.equal(await directory.find('late', blob, '192.0.2.1'), undefined);
});
