import type { Mutation, MutationAnswer } from "../adapter/adapter.ts";
import type { CacheEntry } from "../cache/cache.ts";
import { isWarpError, WarpError } from "../errors.ts";
import type { Draft } from "./draft.ts";
import type { Emitter } from "./emitter.ts";
import { toCacheEntry } from "./entry.ts";
import type { Lives } from "./lives.ts";
import type { Settled } from "./loaded.ts";
import type { Moment } from "./moment.ts";
import type { MutationResult } from "./types.ts";

/** What became of one mutation. `copy`: the written value as L1 would hold it. */
export interface Written {
  readonly result: MutationResult;
  readonly copy: CacheEntry | undefined;
  readonly position: MutationAnswer["asOf"];
  /** The positions of all shards that took part, in their order. */
  readonly positions: readonly MutationAnswer["asOf"][];
}

/** The verdict of a mutation that got none: a bug below. */
export function unanswered(): Settled<Written> {
  return { error: new WarpError("internal", "a mutation was left unanswered") };
}

/** What each shard that took part answered, in the order of the shards. */
export function partsOf({ verdict, asOf, others = [] }: MutationAnswer) {
  return [{ verdict, asOf }, ...others].sort((a, b) => a.asOf.shard - b.asOf.shard);
}

/** Whether it is a shard's own answer, so that its position counts. */
export function isOfShard({ provisional }: MutationAnswer): boolean {
  return provisional !== true;
}

/** The key that a mutation is about; the prefix or the tag of one that is about many. */
export function targetOf(mutation: Mutation): string {
  if (mutation.kind === "invalidatePrefix") return mutation.prefix;
  return mutation.kind === "invalidateTag" ? mutation.tag : mutation.key;
}

/** Tells listeners of what was done. */
export function tell(
  emitter: Emitter,
  { mutation }: Draft,
  { key, version }: Pick<MutationResult, "key" | "version">,
): void {
  if (mutation.kind === "set" || mutation.kind === "merge" || mutation.kind === "restore") {
    if (emitter.has("set")) emitter.emit("set", { key, version });
  } else if (mutation.kind === "delete") {
    if (emitter.has("delete")) emitter.emit("delete", { key });
  } else if (emitter.has("invalidate")) {
    const what =
      mutation.kind === "invalidatePrefix"
        ? { prefix: key }
        : mutation.kind === "invalidateTag"
          ? { tag: key }
          : { key };
    emitter.emit("invalidate", { ...what, source: "local" });
  }
}

/** What was written as a copy, if it is known: not of a restored value, of a merged one, nor of a replayed write. */
export function copyOf(
  { mutation, settings }: Draft,
  { verdict, asOf }: MutationAnswer,
  begun: Moment,
  lives: Lives,
  nowMs: number,
): CacheEntry | undefined {
  if (mutation.kind !== "set" || settings === undefined) return undefined;
  if (verdict.outcome === "fail" || verdict.replayed === true || verdict.merged === true) return undefined;
  const { payload, expiresInMs, tags } = mutation;
  return toCacheEntry(
    {
      payload,
      version: verdict.version,
      modifiedAtMs: nowMs,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
      ...(tags === undefined ? {} : { tags }),
    },
    { ...asOf, revision: verdict.revision },
    begun.atMs,
    lives.ofCopy(mutation.key, settings, "write"),
  );
}

/** An error with the op id: with it the caller may ask again and get the one verdict. */
export function withOpId(error: unknown, opId: string): unknown {
  if (!isWarpError(error)) return error;
  return new WarpError(error.code, error.message, {
    outcome: error.outcome,
    retryable: error.retryable,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
    details: { ...error.details, opId },
    cause: error,
  });
}
