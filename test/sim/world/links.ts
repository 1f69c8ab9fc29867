import type { Seeded } from "../../support/seeded.ts";
import type { Kernel } from "./kernel.ts";

/** How messages travel. */
export interface LinkSettings {
  readonly minDelayMs: number;
  /** Most that chance adds; one in twenty takes up to ten times as long. */
  readonly spreadMs: number;
  /** Share of calls that break though nothing is cut. */
  readonly breaks: number;
  /** Share of calls that arrive twice. */
  readonly twice: number;
  /** Of some calls that are lost the caller never hears. Not so between objects: the platform tells them in the end. */
  readonly isSilent?: boolean;
}

/** A way between two hosts, in both directions. */
export class Link {
  readonly #kernel: Kernel;
  readonly #random: Seeded;
  #settings: LinkSettings;
  #cutThere = 0;
  #cutBack = 0;
  #slowUntilMs = 0;
  #slowMs = 0;

  constructor(kernel: Kernel, random: Seeded, settings: LinkSettings) {
    this.#kernel = kernel;
    this.#random = random;
    this.#settings = settings;
  }

  /** Cuts it until a true time; `there`: what the first host sends, `back`: what it would receive. */
  cut(untilMs: number, there: boolean, back: boolean): void {
    if (there) this.#cutThere = Math.max(this.#cutThere, untilMs);
    if (back) this.#cutBack = Math.max(this.#cutBack, untilMs);
  }

  slow(untilMs: number, ms: number): void {
    this.#slowUntilMs = untilMs;
    this.#slowMs = ms;
  }

  /** Makes it whole, and good from now on. */
  heal(): void {
    this.#settings = { minDelayMs: 1, spreadMs: 1, breaks: 0, twice: 0 };
    this.#cutThere = 0;
    this.#cutBack = 0;
    this.#slowUntilMs = 0;
  }

  isUp(direction: "there" | "back"): boolean {
    return (direction === "there" ? this.#cutThere : this.#cutBack) <= this.#kernel.nowMs;
  }

  /** When a cut direction is whole again: a true time. */
  upAtMs(direction: "there" | "back"): number {
    return direction === "there" ? this.#cutThere : this.#cutBack;
  }

  /** How long the next message takes. */
  delayMs(): number {
    const { minDelayMs, spreadMs } = this.#settings;
    const long = this.#random.below(20) === 0 ? 10 : 1;
    const slow = this.#slowUntilMs > this.#kernel.nowMs ? this.#random.below(this.#slowMs + 1) : 0;
    return minDelayMs + this.#random.below(spreadMs * long + 1) + slow;
  }

  breaksNow(): boolean {
    return this.#random.below(1_000) < this.#settings.breaks * 1_000;
  }

  comesTwice(): boolean {
    return this.#random.below(1_000) < this.#settings.twice * 1_000;
  }

  /** Whether the caller of a call that was lost is not told. */
  isSilentNow(): boolean {
    return this.#settings.isSilent === true && this.#random.below(4) === 0;
  }

  below(end: number): number {
    return this.#random.below(end);
  }
}
