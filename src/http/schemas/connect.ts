import * as v from "valibot";
import { maxShards } from "../../runtime/limits.ts";
import { integerText } from "../check.ts";

/** The query of `GET /v1/{space}/connect`. */
export const connectQuery = v.strictObject({
  /** The shard that the socket is for; 0 to the number of the space's shards less 1. */
  shard: v.optional(integerText(0, maxShards - 1), "0"),
});
