import { describe, expect, it } from "vitest";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { Warp } from "../../src/core/warp.ts";
import { failoverBus } from "../../src/syncbus/failover/failover-bus.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import type { SyncBus } from "../../src/syncbus/syncbus.ts";
import { upstashBus } from "../../src/syncbus/upstash/upstash-bus.ts";
import { UpstashRedis } from "../../src/upstash/upstash-redis.ts";
import { upstashWatchBus } from "../../src/watchbus/upstash/upstash-watch-bus.ts";
import { CutBus } from "../support/cut-bus.ts";
import { ManualTime } from "../support/manual-time.ts";
import { RedisBed, withoutRedis } from "../support/redis-bridge/bed.ts";
import { realTimers } from "../support/redis-bridge/real-timers.ts";
import { seeded } from "../support/seeded.ts";

/** Nodes over one database that tell each other; their clock, by which reads are fresh or not, stands still. */
async function withNodes(
  work: (make: (wrap?: (bus: SyncBus) => SyncBus) => Warp, host: Host) => Promise<void>,
): Promise<void> {
  await RedisBed.with(async ({ url, token }) => {
    const time = new ManualTime();
    const errors: unknown[] = [];
    const host = {
      clock: time,
      timers: realTimers,
      random: seeded(1),
      background: { run: (job: Promise<unknown>) => void job.catch((error: unknown) => errors.push(error)) },
    };
    const nodes: Warp[] = [];
    await work((wrap = (bus) => bus) => {
      const redis = new UpstashRedis({ url, token, ...host });
      const shared = { ...host, redis, space: "test" };
      const warp = new Warp({
        ...host,
        adapter: upstashAdapter({ ...shared, time: "node" }),
        cache: memoryCache({}),
        bus: wrap(upstashBus({ ...shared, pollMinMs: 10, pollMaxMs: 20 })),
        watches: upstashWatchBus({ ...shared, pollMinMs: 10, pollMaxMs: 20 }),
      });
      nodes.push(warp);
      return warp;
    }, host);
    for (const node of nodes) await node.close();
    expect(errors).toEqual([]);
  });
}

type Host = ConstructorParameters<typeof MemoryBusHub>[0];

describe.skipIf(withoutRedis !== undefined)("nodes over an Upstash database", () => {
  it("SB-01 a write of one node costs the others their copies at once, long before their bound; values, streams and watches don't collide", () =>
    withNodes(async (make) => {
      const [one, other] = [make(), make()];
      await one.set("user:1", "a");
      // Listening has begun where word arrives.
      await expect
        .poll(async () => {
          await one.set("user:0", "x");
          return other.stats().busEvents;
        })
        .toBeGreaterThan(0);
      expect(await other.get("user:1")).toBe("a");
      await one.set("user:1", "b");
      await expect.poll(() => other.get("user:1")).toBe("b");
      const watch = other.watch<{ text: string }>({ prefix: "room:" });
      await watch.ready;
      await one.publish({ key: "room:1" }, { text: "hello" });
      for await (const item of watch) {
        expect(item).toMatchObject({ kind: "publish", key: "room:1", value: { text: "hello" } });
        break;
      }
      expect(await other.get("user:1")).toBe("b");
    }));

  it("SB8 with a first bus that is down word still comes, over Upstash", () =>
    withNodes(async (make, host) => {
      const hub = new MemoryBusHub(host);
      const cut = (second: SyncBus): SyncBus => {
        const first = new CutBus(host, memoryBus({ hub }));
        first.way = "before";
        return failoverBus({ ...host, first: first.bus, second });
      };
      const [one, other] = [make(cut), make(cut)];
      await one.set("k", "a");
      await expect
        .poll(async () => {
          await one.set("warm", "x");
          return other.stats().busEvents;
        })
        .toBeGreaterThan(0);
      expect(await other.get("k")).toBe("a");
      await one.set("k", "b");
      await expect.poll(() => other.get("k")).toBe("b");
      expect(one.stats().publishErrors).toBe(0);
    }));
});
