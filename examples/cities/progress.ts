/** A bar at a terminal, a line every tenth elsewhere. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  #tenth = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  show(done: number): void {
    const part = Math.min(1, done / this.#total);
    if (process.stdout.isTTY) {
      const bar = "=".repeat(Math.floor(part * 40)).padEnd(40, ".");
      process.stdout.write(`\r${this.#label} [${bar}] ${number(done)} of ${number(this.#total)}`);
      return;
    }
    const tenth = Math.floor(part * 10);
    if (tenth <= this.#tenth) return;
    this.#tenth = tenth;
    console.log(`${this.#label}: ${number(done)} of ${number(this.#total)}`);
  }

  /** Ends it; what comes next has a line of its own. */
  end(): void {
    this.show(this.#total);
    if (process.stdout.isTTY) process.stdout.write("\n");
  }
}

/** A number with thousands set apart. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
