import t from 'tap';
import { readFileSync } from 'node:fs';
import { runCli } from '../support/cli.ts';

const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
const { version } = JSON.parse(manifest) as { version: string };

/** Words, exit code, and what standard output and standard error hold. Undefined: nothing at all. */
type Row = readonly [
  words: readonly string[],
  exitCode: number,
  stdout: RegExp | undefined,
  stderr: RegExp | undefined,
];

const rows: readonly Row[] = [
  [
    ['--help'],
    0,
    /^scpd \S+: [^]*serve .*\n[^]* init .*\n +check [^]*Exit codes:\n +0 [^]*\n +1 [^]*\n +2 /,
    undefined,
  ],
  [['-h'], 0, /^scpd \S+: /, undefined],
  [['--version'], 0, new RegExp(`^scpd ${version}\n$`), undefined],
  [[], 2, undefined, /Usage: scpd COMMAND/],
  [
    ['chekc'],
    2,
    undefined,
    /^scpd: unknown command "chekc"; did you mean "check"\?\nRun "scpd --help" for the list/,
  ],
  [['\u001b[2J'], 2, undefined, /^scpd: unknown command "\\x1b\[2J"\n/],
  [['--verison'], 2, undefined, /^scpd: unknown option --verison; did you mean "--version"\?\n/],
  [
    ['check', '--help'],
    0,
    /^scpd check: [^]*--config FILE +\S[^]*default: config\/scpd\.json[^]*Exit codes:/,
    undefined,
  ],
  [['serve', '-h'], 0, /^scpd serve: [^]*SIGTERM/, undefined],
  [['init', '--help'], 0, /^scpd init: [^]*--dir DIR/, undefined],
  [
    ['check', '--confg', 'x'],
    2,
    undefined,
    /^scpd: unknown option --confg; did you mean "--config"\?\nRun "scpd check --help"/,
  ],
  [['commands'], 0, /md5sum \[-b\][^]*\[hash\]\n[^]*as WinSCP does:\n[^]*chmod/, undefined],
  [['check', '-c', 'x'], 2, undefined, /^scpd: unknown option -c/],
  [['check', '--config'], 2, undefined, /^scpd: option --config needs a value\n/],
  [['check', '--config', '--verbose'], 2, undefined, /^scpd: option --config needs a value\n/],
  [['check', '--config='], 2, undefined, /^scpd: option --config needs a value\n/],
  [['check', '--config', 'a', '--config=b'], 2, undefined, /^scpd: option --config is given twice\n/],
  [['check', 'config/scpd.json'], 2, undefined, /^scpd: unexpected argument "config\/scpd\.json"\n/],
  [
    ['check'],
    1,
    undefined,
    /^config\/scpd\.json: expected a configuration, got no file at config\/scpd\.json; "scpd init" makes one\n$/,
  ],
  [['serve', '--config', 'none'], 1, undefined, /^none: expected a configuration, got no file/],
];

t.test('what each command line says and how it ends', async (t) => {
  const directory = t.testdir();
  t.jobs = 2;
  for (const [words, exitCode, stdout, stderr] of rows) {
    t.test(`scpd ${words.join(' ')}`, async (t) => {
      const result = await runCli(words, directory);
      t.equal(result.exitCode, exitCode);
      t.match(result.stdout, stdout ?? /^$/);
      t.match(result.stderr, stderr ?? /^$/);
    });
  }
});
