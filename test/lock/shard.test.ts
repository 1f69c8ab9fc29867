import { host } from "#host";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { Locks, LocksSupports } from "../../src/lock/lock.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import { locksContract } from "../contract/lock.ts";
import type { LocksBed } from "../contract/lock-bed.ts";
import { directConnection } from "../support/direct-connection.ts";
import { NodeBed } from "../support/node-bed.ts";
import { seeded } from "../support/seeded.ts";

const supports: LocksSupports = {
  exclusive: true,
  durable: true,
  shared: true,
  fair: true,
  sessions: true,
  elections: true,
};

/** A bed over a real shard in virtual time; `open` gives a new node's driver. */
async function withBed(open: (bed: NodeBed) => Locks, work: (bed: LocksBed) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new NodeBed(sql, {}, { subject: "admin", isAdmin: true });
    await bed.bed.create();
    await work({
      random: seeded(1),
      now: () => bed.clock.now(),
      open: () => open(bed),
      advance: (ms) => bed.clock.advance(ms),
      done: (call) => call,
    });
  });
}

locksContract({
  name: "shard over sockets",
  supports,
  run: (work) =>
    withBed((bed) => {
      const { warp } = bed.node({ delayMs: 0 });
      const { driver } = warp.locks;
      const close = driver.close.bind(driver);
      // Its connection ends with it, as that of a Warp does.
      driver.close = async () => {
        await close();
        await warp.close();
      };
      return driver;
    }, work),
});

locksContract({
  name: "shard without sessions",
  supports: { ...supports, sessions: false },
  run: (work) =>
    withBed((bed) => {
      const connection = directConnection("test", () => bed.bed.shard);
      return shardLocks({ client: new SpaceClient({ connection, timers: bed.clock }) });
    }, work),
});
