import { WarpError } from "../errors.ts";
import { maxListLimit } from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";
import type { HistoryPolicy, RegistrationSettings } from "./registration.ts";
import type { HistoryRequest, VersionRequest } from "./shard-api.ts";

/**
 * A link of a key's chain of kept versions, oldest first and the present value last. `absent` is no version: it says since when the key
 * is known not to have existed before its first version.
 */
export interface ChainLink {
  readonly kind: "set" | "delete" | "expire" | "absent";
  readonly atMs: number;
}

/**
 * How many of the oldest links go (rule VE1). `oldest` begins with a chain's oldest link; `total` is the chain's whole length. A link goes when
 * newer ones fill the count, or when its successor took over longer ago than the age: what was present at any time within the age stays
 * known.
 */
export function linksBeyond(
  oldest: readonly ChainLink[],
  total: number,
  policy: HistoryPolicy,
  nowMs: number,
): number {
  const { versions = Number.POSITIVE_INFINITY, ageMs = Number.POSITIVE_INFINITY } = policy;
  let gone = 0;
  for (const [at, link] of oldest.entries()) {
    const crowded = total - at > versions + (link.kind === "absent" ? 1 : 0);
    const endedAtMs = at === total - 1 ? ownEnd(link) : oldest[at + 1]?.atMs;
    const old = endedAtMs !== undefined && endedAtMs <= nowMs - ageMs;
    if (!crowded && !old) break;
    gone++;
  }
  return gone;
}

/** When the oldest link will be too old; undefined: never by age, as things are. */
export function linkDueMs(
  oldest: readonly ChainLink[],
  total: number,
  policy: HistoryPolicy,
): number | undefined {
  const [link, successor] = oldest;
  if (link === undefined || policy.ageMs === undefined) return undefined;
  const endedAtMs = total === 1 ? ownEnd(link) : successor?.atMs;
  return endedAtMs === undefined ? undefined : endedAtMs + policy.ageMs;
}

/** A chain's last link is superseded by nothing; a deletion has nothing to keep for longer than its own age. */
function ownEnd(link: ChainLink): number | undefined {
  return link.kind === "set" ? undefined : link.atMs;
}

/**
 * Whether a change of a pattern's registration ends the knowledge that keys without kept versions were absent: from now on others write
 * versions, or no longer the same do.
 */
export function coverageMoves(
  before: RegistrationSettings | undefined,
  after: RegistrationSettings | undefined,
): boolean {
  if (after === undefined) return true;
  const [a, b] = [before?.history, after.history];
  return a?.versions !== b?.versions || a?.ageMs !== b?.ageMs;
}

/** Throws `invalid_version` for what no version can be, and for the future: a number above `head`, a time after `nowMs`. */
export function checkWhich(which: VersionRequest["which"], head: number, nowMs: number): void {
  if ("version" in which) {
    checkVersion(which.version);
    if (which.version > head) {
      throw new WarpError("invalid_version", "the storage has not come to this version yet", {
        details: { field: "version", min: 1, max: head },
      });
    }
    return;
  }
  if (!Number.isFinite(which.atMs) || which.atMs < 0 || which.atMs > nowMs) {
    throw new WarpError("invalid_version", "a time to read at is in Unix ms, and not in the future", {
      details: { field: "at", min: 0, max: Math.floor(nowMs) },
    });
  }
}

/** Throws `invalid_version` unless `version` is a whole number from 1 on. */
export function checkVersion(version: number): void {
  if (Number.isSafeInteger(version) && version >= 1) return;
  throw new WarpError("invalid_version", "a version is a whole number from 1 on", {
    details: { field: "version", min: 1, max: Number.MAX_SAFE_INTEGER },
  });
}

/** Throws `invalid_limit` for a limit outside 1 to 1,000, `invalid_version` for a `before` that is no version. */
export function checkHistoryPage({ before, limit }: Pick<HistoryRequest, "before" | "limit">): void {
  checkWhole("invalid_limit", "limit", limit, 1, maxListLimit);
  if (before !== undefined) checkVersion(before);
}

/** The refusal of what lies before the kept history (rule VE5). */
export function versionCompacted(floor: number): WarpError {
  return new WarpError(
    "version_compacted",
    "this lies before the history that is kept of the key: what it was then is not known",
    { details: { floor } },
  );
}
