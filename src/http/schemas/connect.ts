import * as v from "valibot";
import { maxShards } from "../../runtime/limits.ts";
import { integerText } from "../check.ts";

/** The query of `GET /v1/{space}/connect`. */
export const connectQuery = v.strictObject({
  /** The shard that the socket is for; 0 to the number of the space's shards less 1. */
  shard: v.optional(integerText(0, maxShards - 1), "0"),
  /** Whether it is the socket of a node. `false`: of a browser, or of whoever only watches and calls; a narrow token will do then. */
  follow: v.optional(v.picklist(["true", "false"]), "true"),
  /** `frame`: the token comes in the first frame. */
  auth: v.optional(v.picklist(["frame"])),
});
