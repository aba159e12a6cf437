/** The modes that chmod(1) takes: octal, or clauses such as `u+rwX,go-w`, which WinSCP sends for bits left undecided. */

/** The new mode of something that has `mode` now; only the bits 0o777 come into it. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

/** Reads a mode; undefined for what is none. setuid, setgid and sticky are read and have no effect. */
export function modeChange(text: string): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const bits = Number.parseInt(text, 8) & 0o777;
    return () => bits;
  }
  const clauses = text.split(',').map(clause);
  if (clauses.some((change) => change === undefined)) return undefined;
  return (mode, isDirectory) =>
    clauses.reduce((bits, change) => change?.(bits, isDirectory) ?? bits, mode & 0o777);
}

const whoBits: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: 0o777 };
const permissionBits: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };

function clause(text: string): ModeChange | undefined {
  const [, who = '', action, letters = ''] = /^([ugoa]*)([-+=])([rwxXst]*)$/.exec(text) ?? [];
  if (action === undefined) return undefined;
  const whose = Array.from(who).reduce((bits, letter) => bits | (whoBits[letter] ?? 0), 0) || 0o777;
  return (mode, isDirectory) => {
    let bits = Array.from(letters).reduce((sum, letter) => sum | (permissionBits[letter] ?? 0), 0);
    if (letters.includes('X') && (isDirectory || (mode & 0o111) !== 0)) bits |= 0o111;
    bits &= whose;
    if (action === '+') return mode | bits;
    if (action === '-') return mode & ~bits;
    return (mode & ~whose) | bits;
  };
}
