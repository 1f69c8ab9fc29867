import type { Payload } from "../protocol/payload.ts";
import type { Codec } from "../runtime/codec.ts";
import type { HandleLimits, Holding } from "./holding.ts";
import { Lock } from "./lock-handle.ts";

/** An election that was won: the lock of a leader, with what it says. `await using` resigns at the end of the block. */
export class Leadership<T = unknown> extends Lock {
  readonly #holding: Holding;
  readonly #codec: Codec<T>;

  constructor(holding: Holding, codec: Codec<T>) {
    super(holding);
    this.#holding = holding;
    this.#codec = codec;
  }

  /** The leader's value is another from now on; whoever observes hears of it. Throws `lock_lost`, `value_too_large`, `encode_failed`. */
  async proclaim(value: T, options: HandleLimits = {}): Promise<void> {
    await this.#holding.proclaim(this.#codec.encode(value), options);
  }

  /** `release` by its own name: true where it led until then. */
  async resign(options: HandleLimits = {}): Promise<boolean> {
    return await this.release(options);
  }
}

/** What a leader stands for, or undefined where it said nothing. */
export function decodedValue<T>(value: Payload | undefined, codec: Codec<T>): T | undefined {
  return value === undefined ? undefined : codec.decode(value);
}
