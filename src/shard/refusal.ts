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

/** {@link notFound} to a caller that took the space to exist: it is to look again, since a write makes the space anew. */
export function gone(): Refusal {
  return { ...notFound(), stale: true };
}

/** Whoever takes the deletion up again needs to know how many shards there are, and of which life. */
export function deleting({ shards, id }: { readonly shards: number; readonly id: string }): Refusal {
  return refuse(
    new WarpError("space_deleting", "the space is being deleted", {
      retryAfterMs: 1_000,
      details: { shards, spaceId: id },
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
