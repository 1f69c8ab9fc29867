import { WarpError } from "../errors.ts";
import type { Refusal } from "../protocol/shard-api.ts";

/** A refusal of a whole call; `isStale`: the node's picture of the space is old. */
export function refuse(error: WarpError, isStale?: true): Refusal {
  return isStale ? { refused: error.toData(), stale: true } : { refused: error.toData() };
}

export function notFound(): Refusal {
  return refuse(
    new WarpError("space_not_found", "the space does not exist; its first write or PUT creates it"),
  );
}

/** Whoever takes the deletion up again needs to know how many shards there are. */
export function deleting({ shards }: { readonly shards: number }): Refusal {
  return refuse(
    new WarpError("space_deleting", "the space is being deleted", {
      retryAfterMs: 1_000,
      details: { shards },
    }),
  );
}

export function stale(): Refusal {
  return refuse(
    new WarpError("unavailable", "the space was deleted and made again meanwhile", { retryAfterMs: 0 }),
    true,
  );
}

/** A definite refusal thrown inside a commit becomes an answer: it must not undo the group it shares. */
export function refusing<T>(work: () => T): T | Refusal {
  try {
    return work();
  } catch (error) {
    if (error instanceof WarpError) return refuse(error);
    throw error;
  }
}
