import { describe, it } from "vitest";
import { host } from "#host";
import { leaseContract } from "../contract/lease.ts";
import { LeaseSpace } from "../support/lease-space.ts";

const supports = { durable: true, shared: true };

leaseContract({
  name: "shard",
  supports,
  run: (work, options) => LeaseSpace.run({ shards: 1, ...options }, work),
});

// In workerd one test can't use the databases of several objects; there the objects' own suites have several shards.
if (host.name === "node") {
  leaseContract({
    name: "five shards",
    supports,
    run: (work, options) => LeaseSpace.run({ shards: 5, ...options }, work),
  });
} else {
  describe("lease contract: five shards", () => {
    it.skip("several shards: Node only", () => {});
  });
}
