/**
 * The table of what a client may ask for over exec, and in the shell that WinSCP needs. It is all there is: none of these
 * starts a program, each is answered by scpd itself through the user's rules, and what is not in the table is refused.
 */

export interface Program {
  readonly name: string;
  /** As its user would write it. */
  readonly usage: string;
  readonly summary: string;
  /** The verbs of the rules that it needs, for people who write rules. */
  readonly verbs: string;
  /** `shell`: only within the shell of a client that asks for one, as WinSCP's SCP mode does. */
  readonly where: 'exec' | 'shell';
}

export const programs = [
  {
    name: 'scp',
    usage: 'scp -t|-f [-r] [-p] [-d] [-v] [-q] [--] PATH...',
    summary: 'receives or sends files; what scp -O, pscp -scp and curl scp:// run',
    verbs: 'create overwrite mkdir attributes, or read list stat',
    where: 'exec',
  },
  {
    name: 'sftp-server',
    usage: '[DIRECTORY/]sftp-server',
    summary: 'the SFTP subsystem, for clients that ask for it by its path',
    verbs: 'those of each request',
    where: 'exec',
  },
  {
    name: 'md5sum',
    usage: 'md5sum [-b] [FILE...]',
    summary: 'MD5 of files, or of standard input',
    verbs: 'hash',
    where: 'exec',
  },
  {
    name: 'sha1sum',
    usage: 'sha1sum [-b] [FILE...]',
    summary: 'SHA-1 of files, or of standard input',
    verbs: 'hash',
    where: 'exec',
  },
  {
    name: 'sha256sum',
    usage: 'sha256sum [-b] [FILE...]',
    summary: 'SHA-256 of files, or of standard input',
    verbs: 'hash',
    where: 'exec',
  },
  {
    name: 'sha512sum',
    usage: 'sha512sum [-b] [FILE...]',
    summary: 'SHA-512 of files, or of standard input',
    verbs: 'hash',
    where: 'exec',
  },
  {
    name: 'df',
    usage: 'df [-k] [-P] [PATH...]',
    summary: 'space, in blocks of 1024 bytes',
    verbs: 'stat',
    where: 'exec',
  },
  {
    name: 'ls',
    usage: 'ls [-1aAdl] [--full-time] [PATH...]',
    summary: 'lists directories and files',
    verbs: 'list stat',
    where: 'exec',
  },
  {
    name: 'mkdir',
    usage: 'mkdir [-p] DIRECTORY...',
    summary: 'makes directories',
    verbs: 'mkdir stat',
    where: 'exec',
  },
  { name: 'pwd', usage: 'pwd', summary: 'the current directory', verbs: '', where: 'exec' },
  {
    name: 'echo',
    usage: 'echo [WORD...]',
    summary: 'its words; all variables are empty',
    verbs: '',
    where: 'exec',
  },
  { name: 'cd', usage: 'cd [DIRECTORY]', summary: 'changes the directory', verbs: 'stat', where: 'shell' },
  {
    name: 'rm',
    usage: 'rm [-f] [-r] PATH...',
    summary: 'removes files and trees',
    verbs: 'delete rmdir list stat',
    where: 'shell',
  },
  { name: 'mv', usage: 'mv [-f] FROM TO', summary: 'renames or moves', verbs: 'rename stat', where: 'shell' },
  {
    name: 'cp',
    usage: 'cp [-p] [-r] [-f] [-T] FROM TO',
    summary: 'copies files and trees',
    verbs: 'read create overwrite mkdir attributes list stat',
    where: 'shell',
  },
  {
    name: 'ln',
    usage: 'ln [-s] TARGET NAME',
    summary: 'makes a link',
    verbs: 'symlink, or read create',
    where: 'shell',
  },
  {
    name: 'chmod',
    usage: 'chmod [-R] MODE PATH...',
    summary: 'sets permission bits, in octal or as u+x',
    verbs: 'attributes list stat',
    where: 'shell',
  },
  {
    name: 'chgrp',
    usage: 'chgrp GROUP PATH...',
    summary: 'refused: groups are the server’s',
    verbs: '',
    where: 'shell',
  },
  {
    name: 'chown',
    usage: 'chown OWNER PATH...',
    summary: 'refused: owners are the server’s',
    verbs: '',
    where: 'shell',
  },
  { name: 'groups', usage: 'groups', summary: 'the name of the account', verbs: '', where: 'shell' },
  {
    name: 'printenv',
    usage: 'printenv NAME',
    summary: 'LANG, which says that names are UTF-8',
    verbs: '',
    where: 'shell',
  },
  { name: 'unset', usage: 'unset NAME...', summary: 'nothing', verbs: '', where: 'shell' },
  { name: 'unalias', usage: 'unalias NAME...', summary: 'nothing', verbs: '', where: 'shell' },
  { name: 'exit', usage: 'exit', summary: 'ends the shell', verbs: '', where: 'shell' },
] as const satisfies readonly Program[];

export type ProgramName = (typeof programs)[number]['name'];

/** The rows of the table that are more than their name: scp and SFTP have sessions of their own. */
export type CompanionName = Exclude<ProgramName, 'scp' | 'sftp-server'>;

/** The row of that name among those that may be asked for there; undefined if there is none. */
export function companionNamed(name: string, where: 'exec' | 'shell'): CompanionName | undefined {
  const row = programs.find((program) => program.name === name);
  if (row === undefined || row.name === 'scp' || row.name === 'sftp-server') return undefined;
  return row.where === 'exec' || where === 'shell' ? row.name : undefined;
}
