/** Goal: what the configuration says of links and modes reaches the users, and nonsense is refused where it stands. */
import t from 'tap';
import { makePlace, soundSettings } from '../support/config-place.ts';

t.test('a user has its own, or what stands at the top', async (t) => {
  const place = makePlace(t);
  const plain = await place.load(soundSettings());
  t.match(plain.config?.users[0]?.user, { symlinks: 'beneath', umask: undefined });
  const settings = { ...soundSettings(), umask: '0027' };
  settings.users['alice'] = { ...settings.users['alice'], symlinks: 'refuse', umask: '07' };
  const { config } = await place.load(settings);
  t.match(
    config?.users.map(({ user: { symlinks, umask } }) => ({ symlinks, umask })),
    [
      { symlinks: 'refuse', umask: 0o07 },
      { symlinks: 'beneath', umask: 0o27 },
    ],
  );
});

t.test('what can not be is refused', async (t) => {
  const place = makePlace(t);
  for (const umask of ['0777', '0100', '8', '0o27', '', 'u=rwx', '00027', 27]) {
    const words = /umask: expected a umask that leaves the owner everything, from "0000" to "0077", got /;
    t.match(await place.problems({ ...soundSettings(), umask }), [words], String(umask));
  }
  const settings = soundSettings();
  settings.users['alice'] = { ...settings.users['alice'], symlinks: 'follow', umask: '0777' };
  t.match(await place.problems(settings), [
    /users\.alice\.symlinks: expected one of "beneath", "refuse", got "follow"/,
    /:\d+:\d+ users\.alice\.umask: expected a umask/,
  ]);
});
