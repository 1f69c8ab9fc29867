import type { ErrorData } from "../../errors.ts";
import { mutationPrint, subjectOf } from "../../protocol/mutation.ts";
import type { Mutation, Verdict } from "../../protocol/shard-api.ts";
import type { Transaction } from "../../protocol/transaction.ts";
import type { Ledger } from "../ledger.ts";

/** What an operation changes, or drops from every cache. */
export interface Touch {
  readonly keys: readonly string[];
  readonly prefixes: readonly string[];
  readonly tags: readonly string[];
}

/** One operation of a request, as strong writes see it: a mutation, or a whole transaction. */
export interface Operation<V> {
  readonly opId: string;
  /** Keys that no other write may change from the moment its compares are judged until it has committed. */
  readonly claims: readonly string[];
  /** Present: it is done without a quorum, whatever is registered for its keys. */
  readonly withoutQuorum?: true;
  /** What was asked for, as far as it tells which keys must be known first (see `Supply`). Absent: none. */
  readonly asked?: { readonly mutation: Mutation } | { readonly transaction: Transaction };
  /** All that it may touch, however its compares come out. */
  readonly reach: Touch;
  /** Its fingerprint. */
  print(): string;
  /** Carries it out, inside a transaction. */
  apply(ledger: Ledger, nowMs: number): V;
  /** What it touched if this is its verdict: nothing for a refusal, a replay, a change of nothing. */
  touched(verdict: V): Touch;
  /** The verdict of a definite refusal. */
  refused(error: ErrorData): V;
}

export const nothing: Touch = { keys: [], prefixes: [], tags: [] };

/** One mutation. */
export class MutationOperation implements Operation<Verdict> {
  readonly mutation: Mutation;

  constructor(mutation: Mutation) {
    this.mutation = mutation;
  }

  get opId(): string {
    return this.mutation.opId;
  }

  get asked() {
    return { mutation: this.mutation };
  }

  get claims(): readonly string[] {
    return this.reach.keys;
  }

  get reach(): Touch {
    return reachOf(this.mutation);
  }

  print(): string {
    return mutationPrint(this.mutation);
  }

  apply(ledger: Ledger, nowMs: number): Verdict {
    return ledger.mutator.apply(this.mutation, nowMs);
  }

  touched(verdict: Verdict): Touch {
    if (verdict.outcome === "fail" || verdict.replayed || verdict.revision === 0) return nothing;
    return this.reach;
  }

  refused(error: ErrorData): Verdict {
    return { outcome: "fail", error };
  }
}

function reachOf(mutation: Mutation): Touch {
  const subject = [subjectOf(mutation)];
  if (mutation.kind === "invalidatePrefix") return { ...nothing, prefixes: subject };
  if (mutation.kind === "invalidateTag") return { ...nothing, tags: subject };
  return { ...nothing, keys: subject };
}

/** All of these together, each once. */
export function union(touches: readonly Touch[]): Touch {
  const [first] = touches;
  if (touches.length === 1 && first !== undefined) return first;
  const all = (part: keyof Touch): string[] => [...new Set(touches.flatMap((touch) => touch[part]))];
  return { keys: all("keys"), prefixes: all("prefixes"), tags: all("tags") };
}
