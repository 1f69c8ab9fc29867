import * as v from "valibot";
import { watchModes } from "../../protocol/watch.ts";
import { maxLockPollMs } from "../../runtime/coordination-limits.ts";
import { maxChangesEvents } from "../../runtime/limits.ts";
import { booleanText, integerText } from "../check.ts";

/** The query of `POST /v1/{space}/publish/{key}`. */
export const publishQuery = v.strictObject({
  prefix: v.optional(booleanText),
  retained: v.optional(booleanText),
});

const target = {
  key: v.optional(v.string()),
  prefix: v.optional(v.string()),
  mode: v.optional(v.picklist(watchModes)),
  ops: v.optional(v.string()),
  /** Has been looked at when the caller was let in. */
  token: v.optional(v.string()),
};

/** The query of `GET /v1/{space}/watch`. */
export const watchQuery = v.strictObject({ ...target, from: v.optional(v.string()) });

/** The query of `GET /v1/{space}/changes`. */
export const changesQuery = v.strictObject({
  ...target,
  since: v.optional(v.string()),
  waitMs: v.optional(integerText(0, maxLockPollMs), "0"),
  limit: v.optional(integerText(1, maxChangesEvents), "100"),
});
