/** A bar on standard error while something long goes on; nothing where that is no terminal. */

const barWidth = 30;
const drawMsMin = 100;

/** Of what is to be done, as far as that is known. */
export interface Amount {
  readonly files: number;
  readonly bytes: number;
}

export class Progress {
  readonly #total: Amount;
  readonly #isShown = process.stderr.isTTY;
  #files = 0;
  #bytes = 0;
  #drawnMs = 0;

  constructor(total: Amount) {
    this.#total = total;
  }

  get done(): Amount {
    return { files: this.#files, bytes: this.#bytes };
  }

  add({ files, bytes }: Amount): void {
    this.#files += files;
    this.#bytes += bytes;
    if (!this.#isShown || performance.now() - this.#drawnMs < drawMsMin) return;
    this.#drawnMs = performance.now();
    process.stderr.write(`\r\u001b[K${progressLine(this.done, this.#total)}`);
  }

  /** Takes the bar away, so that a line can be printed in its place. */
  clear(): void {
    if (this.#isShown && this.#drawnMs > 0) process.stderr.write('\r\u001b[K');
    this.#drawnMs = 0;
  }
}

/** The bar with its figures. More may be done than was thought, because files come while it goes on. */
export function progressLine(done: Amount, total: Amount): string {
  const whole = Math.max(total.bytes, done.bytes, 1);
  const share = total.bytes === 0 ? 0 : done.bytes / whole;
  const filled = Math.floor(share * barWidth);
  const bar = '#'.repeat(filled) + '-'.repeat(barWidth - filled);
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `[${bar}] ${percent}%  ${sizeText(done.bytes)} of ${sizeText(whole)}, ${done.files} files`;
}

/** Such as "1.5 GiB". */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
