#!/usr/bin/env node
/**
 * The program `scpd`: its table of commands. Nothing but this file may load before Node's version is known to suffice, so
 * everything else is imported late, and the syntax here is old.
 */
import type { CommandTable } from './cli/command.ts';

const commands: CommandTable = [
  {
    name: 'serve',
    summary: 'receive files until told to stop',
    load: () => import('./cli/serve.ts'),
  },
  {
    name: 'status',
    summary: 'show what a running server does',
    load: () => import('./cli/status.ts'),
  },
  {
    name: 'sessions',
    summary: 'list the connections of a running server',
    load: () => import('./cli/sessions.ts'),
  },
  {
    name: 'kill',
    summary: 'end a connection of a running server',
    load: () => import('./cli/kill.ts'),
  },
  {
    name: 'reload',
    summary: 'have a running server read its configuration again',
    load: () => import('./cli/reload.ts'),
  },
  {
    name: 'restart',
    summary: 'have a new process take over from a running server',
    load: () => import('./cli/restart.ts'),
  },
  {
    name: 'stop',
    summary: 'stop a running server',
    load: () => import('./cli/stop.ts'),
  },
  {
    name: 'init',
    summary: 'create keys, a demo user and a configuration, once',
    load: () => import('./cli/init.ts'),
  },
  {
    name: 'check',
    summary: 'report everything that is wrong with a configuration',
    load: () => import('./cli/check.ts'),
  },
  {
    name: 'verify',
    summary: 'read what is stored and compare it with what was received',
    load: () => import('./cli/verify.ts'),
  },
  {
    name: 'audit verify',
    summary: 'check that the journal is what was written',
    load: () => import('./cli/audit-verify.ts'),
  },
  {
    name: 'audit head',
    summary: "print the journal's end, to be kept elsewhere",
    load: () => import('./cli/audit-head.ts'),
  },
  {
    name: 'audit search',
    summary: 'find records of the journal',
    load: () => import('./cli/audit-search.ts'),
  },
  {
    name: 'audit tail',
    summary: 'print the newest records, and those that come',
    load: () => import('./cli/audit-tail.ts'),
  },
  {
    name: 'audit show',
    summary: 'tell the whole story of a transfer or session',
    load: () => import('./cli/audit-show.ts'),
  },
  {
    name: 'audit report',
    summary: 'sum up what each user did',
    load: () => import('./cli/audit-report.ts'),
  },
  {
    name: 'audit export',
    summary: 'print records as CSV',
    load: () => import('./cli/audit-export.ts'),
  },
  {
    name: 'receipt verify',
    summary: 'check the receipt of an upload',
    load: () => import('./cli/receipt-verify.ts'),
  },
  {
    name: 'explain',
    summary: 'say whether a user may do something, and by which rule',
    load: () => import('./cli/explain.ts'),
  },
  {
    name: 'commands',
    summary: 'list what clients may run over ssh',
    load: () => import('./cli/commands.ts'),
  },
  {
    name: 'requests',
    summary: 'list the SFTP requests that are served',
    load: () => import('./cli/requests.ts'),
  },
];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`scpd: needs Node.js 20.19 or newer, this is ${process.versions.node}\n`);
  process.exit(1);
}
void import('./cli/run.ts')
  .then(({ run }) => run(process.argv.slice(2), commands))
  .then((exitCode) => process.exit(exitCode));
