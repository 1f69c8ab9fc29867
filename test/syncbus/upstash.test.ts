import { describe } from "vitest";
import { syncBusContract } from "../contract/syncbus.ts";
import { withoutRedis } from "../support/redis-bridge/bed.ts";
import { withUpstashBuses } from "../support/upstash-buses.ts";

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  syncBusContract({
    name: "upstash",
    supports: {
      quorum: false,
      zones: false,
      health: true,
      peers: false,
      scope: false,
      region: false,
      resume: true,
      remote: true,
    },
    positions: false,
    run: (work) => withUpstashBuses(work),
  });
});
