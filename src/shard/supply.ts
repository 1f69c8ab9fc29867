import type { Refusal } from "../protocol/shard-api.ts";
import type { Ledger } from "./ledger.ts";
import type { Operation } from "./strong/operation.ts";

/** What a call must know of a key before it can be carried out. */
export interface KeyNeed {
  readonly key: string;
  /** `presence`: whether it exists, and at which version. `value`: that, and its value if it exists. */
  readonly what: "presence" | "value";
  /** The call goes on without it where the storage can't be asked. */
  readonly spare?: true;
}

/** One call's way to what only the storage behind the shard has. */
export interface Supply {
  /** Whether all that is needed is here; to be asked in the very stretch that uses it. What was here once stays until {@link end}. */
  has(ledger: Ledger, needs: readonly KeyNeed[]): boolean;
  /** {@link has} for what these operations need. */
  hasFor(ledger: Ledger, operations: readonly Operation<unknown>[]): boolean;
  /** Brings what the last question found missing; then ask again. A refusal where it can't be had. */
  bring(): Promise<Refusal | undefined>;
  /** The call has its answer. */
  end(): void;
}

/** What an answer is that lacks something: see {@link supplied}. */
export const lacking = Symbol("lacking");

/** Asks `answer` in one stretch after the other, until all is here that it needs. `supply`: undefined where all there is is here. */
export async function supplied<R>(
  supply: Supply | undefined,
  answer: (supply: Supply | undefined) => R | typeof lacking,
): Promise<R | Refusal> {
  try {
    for (;;) {
      const reply = answer(supply);
      if (reply !== lacking) return reply;
      const refused = await supply?.bring();
      if (refused !== undefined) return refused;
    }
  } finally {
    supply?.end();
  }
}

/** That the values of all of them are needed. */
export function valuesOf(keys: readonly string[]): KeyNeed[] {
  return keys.map((key) => ({ key, what: "value" }));
}
