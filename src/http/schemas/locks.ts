import * as v from "valibot";
import {
  maxLockDelayMs,
  maxLockPollMs,
  maxLockTtlMs,
  maxLockWaitMs,
  maxPermits,
  minLockTtlMs,
} from "../../runtime/coordination-limits.ts";
import { maxListLimit } from "../../runtime/limits.ts";
import { booleanText, integer, integerText } from "../check.ts";

const fenceRange = [1, Number.MAX_SAFE_INTEGER] as const;

/** Members that carry a value, as every record has them. */
export const valueMembers = {
  json: v.optional(v.unknown()),
  text: v.optional(v.string()),
  base64: v.optional(v.string()),
  contentType: v.optional(v.string()),
};

/** Members of what asks for a grant, and may wait for it. */
export const wanted = {
  owner: v.optional(v.string()),
  ttlMs: v.optional(integer(minLockTtlMs, maxLockTtlMs)),
  waitMs: v.optional(integer(0, maxLockWaitMs)),
  holdMs: v.optional(integer(0, maxLockPollMs)),
  ticket: v.optional(v.string()),
  claim: v.optional(v.boolean()),
  delayMs: v.optional(integer(0, maxLockDelayMs)),
  ...valueMembers,
};

/** The body of `POST /v1/{space}/locks/{name}`. */
export const acquireBody = v.strictObject({
  ...wanted,
  kind: v.optional(v.picklist(["mutex", "reentrant", "read", "write", "semaphore"])),
  permits: v.optional(integer(1, maxPermits)),
  take: v.optional(integer(1, maxPermits)),
});

/** The body of `PATCH /v1/{space}/locks/{name}`. */
export const renewBody = v.strictObject({
  owner: v.string(),
  fence: integer(...fenceRange),
  ttlMs: v.optional(integer(minLockTtlMs, maxLockTtlMs)),
});

const fence = v.optional(integerText(...fenceRange));
const owner = v.optional(v.string());

/** The query of `GET /v1/{space}/locks/{name}`. */
export const statusQuery = v.strictObject({ owner, fence });

/** The query of `DELETE /v1/{space}/locks/{name}` and of elections. */
export const releaseQuery = v.strictObject({
  owner,
  fence,
  ticket: v.optional(v.string()),
  force: v.optional(booleanText),
});

/** The query of `GET /v1/{space}/locks`. */
export const lockListQuery = v.strictObject({
  prefix: v.optional(v.string(), ""),
  limit: v.optional(integerText(1, maxListLimit)),
  cursor: v.optional(v.string()),
});

/** The body of `POST /v1/{space}/elections/{name}`. */
export const campaignBody = v.strictObject(wanted);

/** The body of `PATCH /v1/{space}/elections/{name}`: with a value it proclaims it, without it renews. */
export const proclaimBody = v.strictObject({ ...renewBody.entries, ...valueMembers });

/** The query of `GET /v1/{space}/elections/{name}`. */
export const observeQuery = v.strictObject({
  after: v.optional(v.string()),
  waitMs: v.optional(integerText(0, maxLockPollMs)),
});
