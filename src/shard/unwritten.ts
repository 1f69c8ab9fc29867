import type { ShardStamp } from "../protocol/shard-api.ts";

/** The epoch in answers of a shard that was never written to. */
export const unwrittenEpoch = "0000000000000000";
/** What stands on answers of a shard that was never written to. */
export const unwritten: ShardStamp = { epoch: unwrittenEpoch, asOf: 0, registrations: 0 };
