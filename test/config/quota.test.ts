/** Goal: quotas, the floor and the catalog's place are read as they are meant, and refused where they can't hold. */
import t from 'tap';
import { makePlace, soundSettings } from '../support/config-place.ts';

t.test('sizes become bytes, and what is not said is no limit', async (t) => {
  const place = makePlace(t);
  const settings = soundSettings();
  settings['freeSpaceMin'] = '1GiB';
  settings.users['alice'] = { ...settings.users['alice'], quota: { bytes: '10MB', files: 7 } };
  settings.users['bob'] = { ...settings.users['bob'], quota: { files: 1, versions: false } };
  const { config } = await place.load(settings);
  t.equal(config?.freeBytesMin, 1024 ** 3);
  t.same(
    config?.users.map(({ user }) => user.quota),
    [
      { bytesMax: 10_000_000, filesMax: 7, countsVersions: true },
      { filesMax: 1, countsVersions: false },
    ],
  );
  t.equal(config?.catalog.file, place.path('var/catalog.db'), 'where it is by default');
  t.equal((await place.load(soundSettings())).config?.freeBytesMin, 0);
});

t.test('a rule may have a quota, if its path is a directory', async (t) => {
  const place = makePlace(t);
  const settings = soundSettings();
  const rule = (path: string, quota: object): object => ({ path, preset: 'full', quota });
  settings.users['alice'] = {
    ...settings.users['alice'],
    rules: [rule('/in/**', { bytes: '10MB', files: 7 }), rule('/**', { files: 9 })],
  };
  const { config } = await place.load(settings);
  t.match(config?.users[0]?.user.rules, [
    { quota: { bytesMax: 10_000_000, filesMax: 7 } },
    { quota: { filesMax: 9 } },
  ]);
  settings['roles'] = { partner: { rules: [rule('/in', { files: 1 }), rule('/a**', { files: 1 })] } };
  settings.users['alice'] = {
    ...settings.users['alice'],
    rules: [
      rule('/in/*', { bytes: 1 }),
      rule('/{a,b}/**', { bytes: 1 }),
      rule('/in/**', { bytes: '1 gig', size: 2 }),
    ],
  };
  t.match(await place.problems(settings), [
    /:\d+:\d+ users\.alice\.rules\[0\]\.quota: expected .*"\/incoming\/\*\*", for a quota, got "\/in\/\*"/,
    /:\d+:\d+ users\.alice\.rules\[1\]\.quota: .*got "\/\{a,b\}/,
    /:\d+:\d+ users\.alice\.rules\[2\]\.quota\.bytes: expected a size such as "50GiB", got "1 gig"/,
    /:\d+:\d+ users\.alice\.rules\[2\]\.quota\.size: unknown key/,
    /:\d+:\d+ roles\.partner\.rules\[0\]\.quota: expected a rule whose path is a directory, .*got "\/in"/,
    /:\d+:\d+ roles\.partner\.rules\[1\]\.path: expected a pattern/,
  ]);
});

t.test('versions and retention, of users and of rules', async (t) => {
  const place = makePlace(t);
  const settings = soundSettings();
  settings.users['alice'] = {
    ...settings.users['alice'],
    versions: {},
    retain: '2w',
    rules: [{ path: '/**', preset: 'full', versions: { keep: 1, days: 2 }, retain: '12h' }],
  };
  const { config } = await place.load(settings);
  const dayMs = 24 * 60 * 60 * 1000;
  t.match(config?.users[0]?.user, {
    versions: { versionsMax: 10, ageMsMax: 90 * dayMs },
    retainMs: 14 * dayMs,
    rules: [{ versions: { versionsMax: 1, ageMsMax: 2 * dayMs }, retainMs: dayMs / 2 }],
  });
  settings.users['alice'] = {
    ...settings.users['alice'],
    versions: { keep: 0, day: 1 },
    retain: 'forever',
  };
  t.match(await place.problems(settings), [
    /users\.alice\.versions\.keep: expected a whole number from 1 to 1000, got 0/,
    /users\.alice\.versions\.day: unknown key "day"; did you mean "days"\?/,
    /users\.alice\.retain: expected a time such as "12h", "30d" or "52w", got "forever"/,
  ]);
});

t.test('what can not hold is refused', async (t) => {
  const place = makePlace(t);
  const inRoot = { ...soundSettings(), catalog: { url: 'sqlite:../data/alice/catalog.db' } };
  t.match(await place.problems(inRoot), [
    /users\.alice\.root: expected a directory apart .*holds the catalog /,
  ]);
  const elsewhere = { ...soundSettings(), catalog: { url: 'postgres://host/db' } };
  t.match(await place.problems(elsewhere), [/catalog\.url: expected "sqlite:" and the path of a file/]);
  const settings = soundSettings();
  settings.users['alice'] = { ...settings.users['alice'], quota: { bytes: '10 gigs', files: 0 } };
  t.match(await place.problems(settings), [
    /users\.alice\.quota\.bytes: expected a size such as "50GiB", got "10 gigs"/,
    /users\.alice\.quota\.files: expected a whole number from 1 to/,
  ]);
});
