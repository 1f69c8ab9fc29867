import { WarpError } from "../errors.ts";
import { opIdTime } from "../protocol/mutation.ts";
import type { Mutation } from "../protocol/operation.ts";
import { defaultStreamBytes, defaultStreamProposals, maxProposals } from "../runtime/fallback-limits.ts";
import { maxShards, opIdSkewMs, opIdWindowMs } from "../runtime/limits.ts";
import type { Proposal, ProposedMutation } from "./fallback.ts";

/** How much of one shard's stream may wait to be applied. */
export interface StreamBounds {
  /** 500 to 1,000,000, default 100,000. */
  readonly maxProposals?: number;
  /** 2 MiB or more, default 128 MiB. */
  readonly maxBytes?: number;
}

/** Throws `invalid_argument`. */
export function resolveBounds(
  bounds: StreamBounds,
  least: readonly [number, number, number],
): Required<StreamBounds> {
  const { maxProposals: most = defaultStreamProposals, maxBytes = defaultStreamBytes } = bounds;
  const [min, max, minBytes] = least;
  checkWhole("maxProposals", most, min, max);
  checkWhole("maxBytes", maxBytes, minBytes, Number.MAX_SAFE_INTEGER);
  return { maxProposals: most, maxBytes };
}

/** Whether a mutation may be proposed. Whether its key's mode lets it is the node's to judge. */
export function isProposable(mutation: Mutation): mutation is ProposedMutation {
  switch (mutation.kind) {
    case "set":
    case "merge":
      return mutation.when === undefined && mutation.guard === undefined && mutation.lease === undefined;
    case "delete":
      return mutation.when === undefined && mutation.guard === undefined;
    default:
      return false;
  }
}

/** Throws `invalid_argument`, `batch_too_large`, `unsupported`, `invalid_op_id`. */
export function checkProposals(shard: number, proposals: readonly Proposal[]): void {
  checkShard(shard);
  if (proposals.length < 1) throw wrong("proposals", "an append has at least one proposal", 1, maxProposals);
  if (proposals.length > maxProposals) {
    throw new WarpError("batch_too_large", `an append has at most ${maxProposals} proposals`, {
      details: { max: maxProposals },
    });
  }
  for (const { mutation } of proposals) {
    if (!isProposable(mutation)) {
      throw new WarpError(
        "unsupported",
        "only what sets, merges or deletes without a condition can be proposed",
      );
    }
    if (opIdTime(mutation.opId) === undefined) {
      throw new WarpError("invalid_op_id", "an op id is a UUIDv7 in lower case");
    }
  }
}

/** Throws `invalid_op_id`, `op_id_expired` by the storage's clock. */
export function checkOpIdTime(opId: string, nowMs: number): void {
  const madeAt = opIdTime(opId) ?? 0;
  if (madeAt > nowMs + opIdSkewMs) throw aheadOfClock();
  if (madeAt < nowMs - opIdWindowMs) throw tooOld();
}

/** The refusal of an op id that is too far ahead. */
export function aheadOfClock(): WarpError {
  return new WarpError(
    "invalid_op_id",
    `the op id's time is more than ${opIdSkewMs} ms ahead of the storage's clock`,
  );
}

/** The refusal of an op id that is older than its window. */
export function tooOld(): WarpError {
  return new WarpError("op_id_expired", `the op id is older than ${opIdWindowMs} ms: nothing was proposed`);
}

/** The refusal of what has no room. */
export function streamFull(): WarpError {
  return new WarpError("overloaded", "too many proposals wait for the shard", { retryAfterMs: 1_000 });
}

/** Throws `invalid_argument`. */
export function checkShard(shard: number): void {
  checkWhole("shard", shard, 0, maxShards - 1);
}

/** Throws `invalid_argument`. */
export function checkPageLimit(limit: number): void {
  checkWhole("limit", limit, 1, maxProposals);
}

function checkWhole(field: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw wrong(field, `${field} is a whole number from ${min} to ${max}`, min, max);
}

function wrong(field: string, message: string, min: number, max: number): WarpError {
  return new WarpError("invalid_argument", message, { details: { field, min, max } });
}
