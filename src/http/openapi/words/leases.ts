import { maxLockCommands } from "../../../runtime/coordination-limits.ts";
import { grantBody, keepAliveBody, leaseKeysBody } from "../../schemas/leases.ts";
import { wordsOf } from "../words.ts";

/** Of bodies and queries about leases. */
export const leaseWords = [
  wordsOf(grantBody, {
    ttlMs: "The lease ends then unless it is kept alive.",
    onEnd: "What its end does to its keys: drop every copy, or delete them. Default `invalidate`.",
    maxLifeMs: "It ends then, however often it is kept alive; at least `ttlMs`.",
  }),
  wordsOf(keepAliveBody, { ids: `1 to ${maxLockCommands} leases.` }),
  wordsOf(leaseKeysBody, { keys: "1 to 1,000 keys." }),
];
