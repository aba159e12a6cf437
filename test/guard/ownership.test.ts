/** Goal: what is somebody's own, for how long, and when it stops being so. */
import t from 'tap';
import { Ownership, type OwnPaths } from '../../src/guard/ownership.ts';
import { virtualPath, type VirtualPath } from '../../src/guard/virtual-path.ts';

const windowMs = 600_000;

class Desk {
  nowMs = 1e6;
  readonly ownership = new Ownership(() => this.nowMs);

  open(userName: string, root = '/root'): OwnPaths {
    return this.ownership.open({ userName, root, windowMs });
  }
}

const named = (path: string, stored = path): { path: VirtualPath; stored: VirtualPath } => ({
  path: virtualPath(path),
  stored: virtualPath(stored),
});
const add = (own: OwnPaths, path: string, stored = path): void =>
  own.add(named(path, stored), { remember: true });
const has = (own: OwnPaths, path: string): boolean => own.has(virtualPath(path));

t.test('in the session that made it for as long as it lasts, in others for the window', async (t) => {
  const desk = new Desk();
  const [first, second, stranger] = [desk.open('a'), desk.open('a'), desk.open('b')];
  add(first, '/x');
  t.strictSame([has(first, '/x'), has(second, '/x'), has(stranger, '/x')], [true, true, false]);
  t.notOk(has(desk.open('a', '/elsewhere'), '/x'), 'another root');
  desk.nowMs += windowMs;
  t.strictSame([has(first, '/x'), has(second, '/x')], [true, false]);
  first.close();
  t.notOk(has(desk.open('a'), '/x'));
});

t.test('what somebody else put there is not own any more', async (t) => {
  const desk = new Desk();
  const [a, b] = [desk.open('a'), desk.open('b')];
  add(a, '/x');
  add(b, '/x');
  t.strictSame([has(a, '/x'), has(b, '/x')], [false, true]);
  add(a, '/y');
  b.add(named('/y'), { remember: false });
  t.notOk(has(a, '/y'), 'also if it is nothing to remember for the other');
  add(a, '/d');
  add(a, '/d/z');
  b.remove(named('/d/z'));
  t.notOk(has(a, '/d/z'));
  b.move(named('/d'), named('/e'), { isDirectory: true });
  t.strictSame([has(a, '/d'), has(a, '/e'), has(b, '/e')], [false, false, false]);
});

t.test('what is moved is own at its new place, with all that is in it', async (t) => {
  const own = new Desk().open('a');
  for (const path of ['/d', '/d/x', '/d/y/z', '/dx', '/to/old']) add(own, path);
  own.move(named('/d'), named('/to'), { isDirectory: true });
  t.strictSame(
    ['/d', '/d/x', '/to', '/to/x', '/to/y/z', '/dx', '/to/old'].map((path) => has(own, path)),
    [false, false, true, true, true, true, false],
  );
  own.move(named('/dx'), named('/to/x'), { isDirectory: false });
  t.strictSame([has(own, '/dx'), has(own, '/to/x')], [false, true]);
});

t.test('neither a second name nor another place gives more time', async (t) => {
  const desk = new Desk();
  const [first, second] = [desk.open('a'), desk.open('a')];
  add(first, '/x');
  add(first, '/y');
  first.close();
  desk.nowMs += windowMs - 1000;
  second.link(virtualPath('/x'), virtualPath('/x2'));
  second.move(named('/y'), named('/y2'), { isDirectory: false });
  second.link(virtualPath('/none'), virtualPath('/none2'));
  const paths = ['/x', '/x2', '/y2', '/none2'];
  t.strictSame(
    paths.map((path) => has(second, path)),
    [true, true, true, false],
  );
  desk.nowMs += 1000;
  t.strictSame(
    paths.map((path) => has(second, path)),
    [false, false, false, false],
  );
});

t.test('what is found in the place of one’s own is not own', async (t) => {
  const own = new Desk().open('a');
  own.add({ ...named('/x'), identity: '1' }, { remember: true });
  t.notOk(own.found(named('/x'), '1'));
  own.move(named('/x'), named('/y'), { isDirectory: false });
  t.notOk(own.found(named('/y'), '1'), 'it is known again where it was moved to');
  t.ok(own.found(named('/y'), '2'));
  t.notOk(has(own, '/y'));
});

t.test('a name for what is stored under another one', async (t) => {
  const desk = new Desk();
  const [a, b] = [desk.open('a'), desk.open('b')];
  add(a, '/x', '/x.1');
  t.equal(a.actual(virtualPath('/x')), '/x.1');
  t.equal(b.actual(virtualPath('/x')), '/x');
  t.ok(has(a, '/x.1'));
  a.move(named('/x', '/x.1'), named('/y'), { isDirectory: false });
  t.strictSame([has(a, '/x'), has(a, '/x.1'), has(a, '/y')], [false, false, true]);
  add(a, '/x', '/x.2');
  b.remove(named('/x.2'));
  t.notOk(has(a, '/x'), 'it holds as long as that is own');
  t.equal(a.actual(virtualPath('/x')), '/x');
});

t.test('it is bounded', async (t) => {
  const desk = new Desk();
  const own = desk.open('a');
  for (let count = 0; count <= 100_000; count += 1) add(own, `/${count}`);
  t.strictSame([has(own, '/0'), has(own, '/1'), has(own, '/100000')], [false, true, true]);
  own.close();
  desk.nowMs += windowMs;
  const later = desk.open('a');
  t.notOk(has(later, '/100000'));
});
