/** Goal: a query answers for the values that it was given, whichever way the same text was asked before. */
import t, { type Test } from 'tap';
import Libsql from 'libsql';
import { Statements } from '../../src/catalog/connection.ts';

function openClaims(t: Test): Statements {
  const statements = new Statements(new Libsql(':memory:'));
  t.teardown(() => statements.close());
  statements.run('create table claims (id text, bytes integer)');
  for (const [id, bytes] of Object.entries({ a: 1, b: 2, c: 3 }))
    statements.run('insert into claims values (?, ?)', [id, bytes]);
  return statements;
}

t.test('all rows and the first row of one text, in every order', async (t) => {
  const statements = openClaims(t);
  const text = 'select bytes from claims where id = ?';
  const ways = {
    all: (id: string) => statements.run(text, [id]),
    first: (id: string) => [statements.first(text, [id])].filter((row) => row !== undefined),
  };
  for (const before of ['all', 'first'] as const) {
    for (const after of ['all', 'first'] as const) {
      for (const earlier of ['a', 'nobody']) {
        ways[before](earlier);
        t.match(ways[after]('b'), [{ bytes: 2 }], `${before} of ${earlier}, then ${after} of b`);
        ways[before](earlier);
        t.same(ways[after]('nobody'), [], `${before} of ${earlier}, then ${after} of nobody`);
      }
    }
  }
});

t.test('what comes after a failure is asked with its own values', async (t) => {
  const statements = openClaims(t);
  statements.run(
    "create trigger full before delete on claims when old.id = 'a' begin select raise(abort, 'full'); end",
  );
  const text = 'delete from claims where id = ? returning id';
  t.throws(() => statements.first(text, ['a']), { message: 'full' });
  statements.run('drop trigger full');
  t.match(statements.first(text, ['b']), { id: 'b' });
  t.same(statements.run('select id from claims'), [{ id: 'a' }, { id: 'c' }]);
});
