/** Goal: caps count what one peer can be expected to own, and every seat is given back once. */
import t from 'tap';
import { addressGroup } from '../../src/supervisor/address-group.ts';
import { Admission } from '../../src/supervisor/admission.ts';
import type { Seat } from '../../src/ssh/events.ts';

t.test('groups of addresses', (t) => {
  for (const [address, group] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
    ['2001:0DB8:00:0:ffff::', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['', ''],
  ] as const) {
    t.equal(addressGroup(address), group, address);
  }
  t.end();
});

t.test('seats are counted and given back', (t) => {
  const admission = new Admission({
    connections: 4,
    connectionsPerIp: 2,
    connectionsPerUser: 2,
    unauthenticatedConnections: 3,
  });
  const seat = (address: string): Seat => {
    const given = admission.admit(address);
    if (typeof given === 'string') throw new Error(given);
    return given;
  };
  const a = seat('2001:db8::1');
  const b = seat('2001:db8::2');
  t.equal(admission.admit('2001:db8::3'), 'connections-per-address');
  const c = seat('192.0.2.1');
  t.equal(admission.admit('192.0.2.2'), 'unauthenticated-connections');
  t.ok(a.logIn('alice'));
  t.ok(a.logIn('alice'), 'asking twice counts once');
  const d = seat('192.0.2.2');
  t.equal(admission.admit('192.0.2.3'), 'connections');
  for (const one of [a, a, b, c, d, d]) one.release();
  t.notOk(a.logIn('alice'), 'who is gone can not log in');
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.2']) seat(address);
  t.equal(admission.admit('192.0.2.2'), 'unauthenticated-connections', 'giving back twice counts once');
  t.end();
});

t.test('a user has so many connections and no more', (t) => {
  const limits = { connections: 9, connectionsPerIp: 9, unauthenticatedConnections: 9 };
  const admission = new Admission({ ...limits, connectionsPerUser: 2 });
  const seats = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) => admission.admit(address) as Seat);
  const [a, b, c] = seats;
  t.ok(a?.logIn('alice'));
  t.ok(b?.logIn('alice'));
  t.notOk(c?.logIn('alice'));
  t.strictSame([...admission.users], [['alice', 2]]);
  t.ok(c?.logIn('bob'), 'somebody else may');
  a?.release();
  t.ok((admission.admit('192.0.2.4') as Seat).logIn('alice'), 'a place became free');
  for (const seat of seats) seat.release();
  t.strictSame(admission.counts, { connections: 1, unauthenticated: 0 });
  t.strictSame([...admission.users], [['alice', 1]]);
  t.end();
});
