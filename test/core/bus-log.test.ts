import { describe, expect, it } from "vitest";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { Warp } from "../../src/core/warp.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";
import { shardBus } from "../../src/syncbus/shard/shard-bus.ts";
import { busHost } from "../support/bus-host.ts";
import { coreBed } from "../support/core-bed.ts";
import { directConnection } from "../support/direct-connection.ts";
import { LogPushes } from "../support/log-pushes.ts";
import { ManualTime } from "../support/manual-time.ts";
import { withShardSpace } from "../support/shard-space.ts";

type Host = ReturnType<typeof busHost>;

/** A space of one shard, clients of it, and its pushes. */
async function withSpace(
  host: Pick<Host, "clock" | "timers">,
  work: (connect: () => SpaceClient, pushes: LogPushes) => Promise<void>,
): Promise<void> {
  const time = new ManualTime(host.clock.now());
  await withShardSpace(time, { shards: 1 }, async (shards) => {
    const connection = directConnection("test", (index) => shards[index] as ShardApi);
    const pushes = new LogPushes(new SpaceClient({ connection, timers: host.timers }));
    await pushes.pump();
    await work(() => new SpaceClient({ connection: { ...connection, pushes }, timers: host.timers }), pushes);
  });
}

describe("the log as a bus", () => {
  it("DI-10 SB1 of ten nodes over a shard that pushes, all read the new value once it was pushed", async () => {
    const host = busHost();
    await withSpace(host, async (connect, pushes) => {
      const nodes = Array.from(
        { length: 10 },
        () => new Warp({ ...host, adapter: shardAdapter(connect()), cache: memoryCache({}) }),
      );
      const [first] = nodes;
      const readAll = () => Promise.all(nodes.map((node) => node.get("k")));
      await first?.set("k", "A");
      expect(new Set(await readAll())).toEqual(new Set(["A"]));
      await pushes.pump();
      await host.clock.advance(1_000);
      expect(new Set(nodes.map((node) => node.peek("k")))).toEqual(new Set(["A"]));
      await first?.set("k", "B");
      await pushes.pump();
      await host.clock.settle();
      expect(nodes.map((node) => node.peek("k"))).toEqual([
        "B",
        ...Array.from({ length: 9 }, () => undefined),
      ]);
      expect(new Set(await readAll())).toEqual(new Set(["B"]));
      await Promise.all(nodes.map((node) => node.close()));
      expect(host.leaks).toEqual([]);
    });
  });

  it("DI-10 of ten nodes over a storage that tells nobody, with a space's log as their bus, all read the new value", async () => {
    const bed = coreBed();
    const host = { ...busHost(), clock: bed.clock, timers: bed.clock };
    await withSpace(host, async (connect, pushes) => {
      const nodes = Array.from({ length: 10 }, () => {
        const client = connect();
        return bed.node({ supports: { changes: false }, bus: shardBus({ ...host, client, pushes }) }).warp;
      });
      await bed.clock.settle();
      const [first] = nodes;
      const readAll = () => Promise.all(nodes.map((node) => node.get("k")));
      const arrive = async () => {
        await bed.clock.advance(20);
        await pushes.pump();
        await bed.clock.settle();
      };
      await first?.set("k", "A");
      await arrive();
      expect(new Set(await readAll())).toEqual(new Set(["A"]));
      await first?.set("k", "B");
      await arrive();
      expect(nodes.map((node) => node.peek("k"))).toEqual([
        "B",
        ...Array.from({ length: 9 }, () => undefined),
      ]);
      expect(new Set(await readAll())).toEqual(new Set(["B"]));
      expect(first?.stats()).toMatchObject({ published: 2, busEvents: 0, publishErrors: 0 });
      await Promise.all(nodes.map((node) => node.close()));
      expect(pushes.listeners).toBe(0);
      expect([bed.leaks, bed.clock.timers]).toEqual([[], 0]);
    });
  });
});
