/** What a bridge does wrong, once or more often, with requests that fit. */
export interface Fault {
  /**
   * `delay`: the answer comes `ms` later. `late`: the connection breaks, and the command is carried out `ms` later all the same. `dropBefore`: the connection breaks before the command is carried out. `dropAfter`: it breaks when the
   * command has been carried out. `status`: answers `status` without carrying it out. `slow`: the answer's body, or a stream's events, come in
   * pieces, `ms` apart. `garbage`: the answer is no JSON. `refuse`: it is answered with `message` as Redis's error.
   */
  readonly kind: "delay" | "late" | "dropBefore" | "dropAfter" | "status" | "slow" | "garbage" | "refuse";
  /** Only requests that hold this command, in capitals. Default: all. */
  readonly command?: string;
  readonly ms?: number;
  readonly status?: number;
  readonly message?: string;
  /** How many requests it hits. Default 1. */
  readonly times?: number;
  /** Share of the fitting requests that it hits, by the bed's seed. Default 1: each. */
  readonly share?: number;
}

/** The faults of one bed. */
export class Faults {
  readonly #planned: { readonly fault: Fault; left: number }[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  add(fault: Fault): void {
    this.#planned.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#planned.length = 0;
  }

  /** The fault that hits a request with these commands; undefined: none. */
  next(commands: readonly string[]): Fault | undefined {
    for (const planned of this.#planned) {
      const { fault } = planned;
      if (planned.left <= 0) continue;
      if (fault.command !== undefined && !commands.includes(fault.command)) continue;
      if (fault.share !== undefined && this.#random() >= fault.share) continue;
      planned.left--;
      return fault;
    }
    return undefined;
  }

  /** Mulberry32. */
  #random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
}
