import type { ShardConnection } from "../../src/connection/shard-connection.ts";
import { WarpError } from "../../src/errors.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";

/** A connection to shards in the same process, without any transport. What a shard throws stands for a call that was lost on the way. */
export function directConnection(space: string, shard: (index: number) => ShardApi): ShardConnection {
  return {
    space,
    shard,
    fault: (cause) =>
      WarpError.from(cause, "unavailable", "the call to the shard broke", { outcome: "unknown" }),
    close: async () => {},
  };
}
