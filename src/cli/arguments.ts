import { WarpError } from "../errors.ts";
import { parseDuration } from "./duration.ts";

/** Wrong use of the command line: its exit code is 2. */
export function usageError(message: string): WarpError {
  return new WarpError("invalid_argument", message);
}

export type FlagValue = string | boolean | readonly string[];

/** A command's arguments and flags as they were given, already held against its declaration. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #flags: ReadonlyMap<string, FlagValue>;

  constructor(positionals: readonly string[], flags: ReadonlyMap<string, FlagValue>) {
    this.positionals = positionals;
    this.#flags = flags;
  }

  /** A positional that the declaration calls for. */
  at(index: number): string {
    const value = this.positionals[index];
    if (value === undefined) throw usageError("an argument is missing");
    return value;
  }

  /** Whether a flag without a value was given. */
  has(flag: string): boolean {
    return this.#flags.has(flag);
  }

  text(flag: string): string | undefined {
    const value = this.#flags.get(flag);
    return typeof value === "string" ? value : undefined;
  }

  /** Values of a flag that may stand several times. */
  all(flag: string): readonly string[] {
    const value = this.#flags.get(flag);
    return typeof value === "object" ? value : [];
  }

  /** A whole number from `min` on. Throws a usage error that names the flag. */
  wholeNumber(flag: string, min: number): number | undefined {
    const text = this.text(flag);
    if (text === undefined) return undefined;
    return wholeNumber(`--${flag}`, text, min);
  }

  /** A duration in ms. Throws a usage error that names the flag. */
  durationMs(flag: string): number | undefined {
    const text = this.text(flag);
    if (text === undefined) return undefined;
    const ms = parseDuration(text);
    if (ms === undefined) {
      throw usageError(`--${flag} takes a duration such as 500ms, 10s, 5m, 1h or 7d, not "${text}"`);
    }
    return ms;
  }

  /** Throws a usage error where more than one of `flags` is given. */
  atMostOne(...flags: readonly string[]): void {
    const given = flags.filter((flag) => this.has(flag));
    if (given.length > 1) {
      throw usageError(`${given.map((flag) => `--${flag}`).join(" and ")} can't stand together`);
    }
  }
}

/** `text` as a whole number from `min` on. Throws a usage error that names `what`. */
export function wholeNumber(what: string, text: string, min: number): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= Number.MAX_SAFE_INTEGER)) {
    throw usageError(`${what} takes a whole number from ${min} on, not "${text}"`);
  }
  return number;
}
