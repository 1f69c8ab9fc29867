import { describe } from "vitest";
import { watchBusContract } from "../contract/watchbus.ts";
import { withoutRedis } from "../support/redis-bridge/bed.ts";
import { withUpstashWatches } from "../support/upstash-watches.ts";

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  watchBusContract({
    name: "upstash",
    supports: { resume: true, snapshot: true, publish: true, remote: true, presence: false },
    run: (work) => withUpstashWatches(work),
  });
});
