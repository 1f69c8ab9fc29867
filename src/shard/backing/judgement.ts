import type { BackingEntry } from "../../backing/backing.ts";
import type { KeyPlace } from "./key-places.ts";
import { sourceOf } from "./source.ts";

/** How much earlier the storage's clock may end a life than the shard's. */
const endSlackMs = 5_000;

/**
 * What is to be done about a key, from what the shard and the storage have for it.
 *
 * - `nothing`: the shard knows better.
 * - `absent`: neither has it.
 * - `fill`: the storage has what the shard let go of. `confirm`: it has what the shard has.
 * - `adopt`: others wrote it; `lost` where it is an older value of this shard instead.
 * - `remove`: others deleted it; `lost` where the shard had left it to the storage. `expire`: its end came there first.
 * - `forget`: the storage still has what this shard has ended.
 * - `tell`: the storage has an older value of this shard or was set back, and the shard has the newer one.
 */
export type Judgement =
  | { readonly is: "nothing" | "absent" | "fill" | "confirm" | "expire" | "forget" | "tell" }
  | { readonly is: "adopt" | "remove"; readonly lost: boolean };

/** What a judgement is made from. */
export interface Evidence {
  readonly nowMs: number;
  readonly epoch: string;
  readonly head: number;
  /** Undefined: the shard has no row. */
  readonly place: KeyPlace | undefined;
  /** The storage has yet to hear of the key's last change. */
  readonly isPending: boolean;
  /** The storage is to be asked about what is here. */
  readonly isDoubted: boolean;
  /** The storage has all that it has confirmed; else it was set back, and what it lacks means nothing. */
  readonly isIntact: boolean;
  /** Null: the storage has nothing. */
  readonly found: BackingEntry | null;
}

export function judge(evidence: Evidence): Judgement {
  const { place, found, nowMs } = evidence;
  const isOver = found?.expiresAtMs !== undefined && found.expiresAtMs <= nowMs;
  const entry = isOver ? null : found;
  if (place === undefined) return judgeUnknown(evidence, entry);
  // Its end is for the shard to tell.
  if (place.expiresAtMs !== undefined && place.expiresAtMs <= nowMs) return { is: "nothing" };
  if (!place.away && (evidence.isPending || !evidence.isDoubted)) return { is: "nothing" };
  if (entry === null) {
    if (place.expiresAtMs !== undefined && place.expiresAtMs <= nowMs + endSlackMs) return { is: "expire" };
    if (place.away) return { is: "remove", lost: true };
    return evidence.isIntact ? { is: "remove", lost: false } : { is: "tell" };
  }
  const { stamp } = entry;
  const isOwn = stamp?.epoch === evidence.epoch;
  const isSame = (isOwn && stamp.version === place.version) || sourceOf(entry) === place.source;
  if (isSame) return { is: place.away ? "fill" : "confirm" };
  const isOlder = isOwn && stamp.version < place.version;
  if (isOlder && !place.away) return { is: "tell" };
  return { is: "adopt", lost: isOlder };
}

function judgeUnknown({ isPending, epoch, head }: Evidence, entry: BackingEntry | null): Judgement {
  if (isPending) return { is: "nothing" };
  if (entry === null) return { is: "absent" };
  // A value of this life of the shard that it has no row for is one that it has ended: the storage lost the deletion.
  if (entry.stamp?.epoch === epoch && entry.stamp.version <= head) return { is: "forget" };
  return { is: "adopt", lost: false };
}
