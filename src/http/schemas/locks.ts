import * as v from "valibot";
import {
  defaultLockTtlMs,
  maxListLimit,
  maxLockDelayMs,
  maxLockPollMs,
  maxLockTtlMs,
  maxLockWaitMs,
  maxPermits,
  minLockTtlMs,
} from "../../runtime/limits.ts";
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
  owner: v.optional(
    v.pipe(
      v.string(),
      v.description("Who acquires, 1 to 128 characters. Made if absent; the answer has it."),
    ),
  ),
  ttlMs: v.optional(
    v.pipe(
      integer(minLockTtlMs, maxLockTtlMs),
      v.description(`The grant ends then unless it is renewed. Default ${defaultLockTtlMs}.`),
    ),
  ),
  waitMs: v.optional(
    v.pipe(
      integer(0, maxLockWaitMs),
      v.description(
        "How long to stand in the queue, in all; with `ticket` how long this call waits. Default 0: not at all; with `ticket` 25,000.",
      ),
    ),
  ),
  holdMs: v.optional(
    v.pipe(
      integer(0, maxLockPollMs),
      v.description("How much of the wait this call may take; 0: the ticket at once. Default all that fits."),
    ),
  ),
  ticket: v.optional(
    v.pipe(v.string(), v.description("Goes on waiting under it; only with `owner`, `waitMs` and `claim`.")),
  ),
  claim: v.optional(
    v.pipe(
      v.boolean(),
      v.description(
        "With `ticket`: whether this call takes the lock when its turn comes. `false`: it is answered `lock_waiting` with `details.offered` then, and a call without it takes the lock. Default `true`.",
      ),
    ),
  ),
  delayMs: v.optional(
    v.pipe(
      integer(0, maxLockDelayMs),
      v.description("After an end without a release nobody gets the name for so long. Default 0."),
    ),
  ),
  ...valueMembers,
};

/** The body of `POST /v1/{space}/locks/{name}`. */
export const acquireBody = v.strictObject({
  ...wanted,
  kind: v.optional(
    v.pipe(
      v.picklist(["mutex", "reentrant", "read", "write", "semaphore"]),
      v.description(
        "All who hold or want a name at a time use one kind; `read` and `write` count as one. Default `mutex`.",
      ),
    ),
  ),
  permits: v.optional(
    v.pipe(integer(1, maxPermits), v.description("Semaphore: how many there are, the same number for all.")),
  ),
  take: v.optional(
    v.pipe(integer(1, maxPermits), v.description("Semaphore: how many of them to take. Default 1.")),
  ),
});

/** The body of `PATCH /v1/{space}/locks/{name}`. */
export const renewBody = v.strictObject({
  owner: v.string(),
  fence: integer(...fenceRange),
  ttlMs: v.optional(
    v.pipe(integer(minLockTtlMs, maxLockTtlMs), v.description("Another time to live from now on.")),
  ),
});

const fence = v.optional(v.pipe(integerText(...fenceRange), v.description("The grant's fence.")));
const owner = v.optional(v.pipe(v.string(), v.description("Whose grant, or whose place.")));

/** The query of `GET /v1/{space}/locks/{name}`. */
export const statusQuery = v.strictObject({ owner, fence });

/** The query of `DELETE /v1/{space}/locks/{name}` and of elections. */
export const releaseQuery = v.strictObject({
  owner,
  fence,
  ticket: v.optional(v.pipe(v.string(), v.description("Leaves the queue instead."))),
  force: v.optional(
    v.pipe(
      booleanText,
      v.description("Ends every grant of the name, or the one of `fence`, whosoever it is."),
    ),
  ),
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
  after: v.optional(v.pipe(v.string(), v.description("The steps after the `cursor` of another answer."))),
  waitMs: v.optional(
    v.pipe(
      integerText(0, maxLockPollMs),
      v.description("If there is none yet, wait for one for so long. Only with `after`."),
    ),
  ),
});
