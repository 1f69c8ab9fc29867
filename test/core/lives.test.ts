import { describe, expect, it } from "vitest";
import { host } from "#host";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { spaceAdmin } from "../../src/connection/space-admin.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { Warp } from "../../src/core/warp.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";
import { withShardSpace } from "../support/shard-space.ts";

/** Nodes over a space of four real shards, which can end and begin again with fewer. */
async function withNodes(
  work: (bed: {
    readonly node: () => Warp;
    readonly time: ManualTime;
    readonly leaks: unknown[];
    /** Shards that can't be reached. */
    readonly lost: Set<number>;
    /** Ends the space and makes it again. */
    readonly again: (shards: number | undefined) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const time = new ManualTime();
  await withShardSpace(time, { shards: 4 }, async (shards) => {
    const lost = new Set<number>();
    const connect = () =>
      directConnection("test", (index) => {
        const shard = shards[index];
        if (shard === undefined || lost.has(index)) throw new Error("this shard can't be reached");
        return shard;
      });
    const admin = spaceAdmin({ connect, timers: time });
    const random = seeded(11);
    const leaks: unknown[] = [];
    const node = (): Warp =>
      new Warp({
        adapter: shardAdapter(new SpaceClient({ connection: connect(), timers: time })),
        cache: memoryCache({}),
        clock: time,
        timers: time,
        random,
        background: { run: (flight) => void flight.catch((error: unknown) => leaks.push(error)) },
      });
    const again = async (count: number | undefined): Promise<void> => {
      await admin.delete("test");
      if (count !== undefined) await admin.create("test", { shards: count });
    };
    await work({ node, time, leaks, lost, again });
  });
}

const keys = Array.from({ length: 40 }, (_, at) => `key:${at}`);
const keyOf = (shard: number, shards = 4): string =>
  keys.find((key) => shardOf(key, shards) === shard) ?? "none";

// In workerd one test can't use the databases of several objects; there the end-to-end suites have several shards.
const suite = describe.skipIf(host.name !== "node");

suite("a space that ends and is made again", () => {
  it("SB2 a node that meets the new life in one shard serves nothing of the old one from any", () =>
    withNodes(async ({ node, again, leaks }) => {
      const [here, there] = [node(), node()];
      for (const key of keys) await here.set(key, "old");
      for (const key of keys) expect(await there.get(key)).toBe("old");
      expect(there.peek(keyOf(3))).toBe("old");
      await again(2);
      for (const key of keys) await here.set(key, "new");
      // Within the bound of staleness the old copies may still be served: nothing has told this node yet.
      expect(there.peek(keyOf(3))).toBe("old");
      expect(await there.get("absent")).toBeUndefined();
      for (const key of keys) expect(there.peek(key), key).toBeUndefined();
      for (const key of keys) expect(await there.get(key), key).toBe("new");
      expect(leaks).toEqual([]);
    }));

  it("SB3 a shard that the new life does not have does not answer for it", () =>
    withNodes(async ({ node, time, again }) => {
      const [here, there] = [node(), node()];
      const key = keyOf(3);
      await here.set(key, "old");
      expect(await there.get(key)).toBe("old");
      await again(1);
      await here.set(key, "new");
      time.advance(5_001);
      expect(await there.get(key)).toBe("new");
    }));

  it("SB3 a node that never held the key finds it in the new life, too", () =>
    withNodes(async ({ node, again }) => {
      const [here, there] = [node(), node()];
      const key = keyOf(3);
      // The node knows the space, and this shard was never written to.
      expect(await there.get(keyOf(2))).toBeUndefined();
      await here.set(keyOf(0), "old");
      await again(1);
      await here.set(key, "new");
      expect(await there.get(key)).toBe("new");
    }));

  it("OU1 a write of a node that took the old life to go on makes the space anew, whatever the shard", () =>
    withNodes(async ({ node, again }) => {
      for (const shard of [0, 1, 2, 3]) {
        const warp = node();
        const key = keyOf(shard);
        await warp.set(key, "old");
        await again(undefined);
        expect(await warp.set(key, "new")).toMatchObject({ existed: false });
        expect(await warp.get(key)).toBe("new");
        await again(4);
      }
    }));

  it("SB2 a node that finds the space gone in the background drops its copies and reports no trouble", () =>
    withNodes(async ({ node, again, time, leaks }) => {
      const warp = node();
      const errors: unknown[] = [];
      warp.on("error", ({ error }) => errors.push(error));
      const key = keyOf(3);
      await warp.set(key, "old");
      time.advance(3_000);
      await again(undefined);
      // Past half of the bound the copy is still given, while the log is asked.
      expect(warp.peek(key)).toBe("old");
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      expect(warp.peek(key)).toBeUndefined();
      await expect(warp.get(key)).rejects.toMatchObject({ code: "space_not_found" });
      expect([errors, leaks]).toEqual([[], []]);
    }));

  it("CO3 floors of the old life do not keep the copies of the new one out", () =>
    withNodes(async ({ node, again }) => {
      const [here, there] = [node(), node()];
      for (let round = 0; round < 5; round++) for (const key of keys) await there.set(key, round);
      await again(2);
      for (const key of keys) await here.set(key, "new");
      expect(await there.get("absent")).toBeUndefined();
      for (const key of keys) await there.get(key);
      for (const key of keys) expect(there.peek(key), key).toBe("new");
    }));

  it("CO1 registrations of the new life count from the start", () =>
    withNodes(async ({ node, again, time }) => {
      const [here, there] = [node(), node()];
      for (let at = 0; at < 20; at++) await here.register(`old:${at}:*`, { cacheTtlMs: 1_000 + at });
      expect(await there.registrations()).toHaveLength(20);
      await again(2);
      await here.register("new:*", { maxStalenessMs: 77 });
      time.advance(5_001);
      await there.get("absent");
      expect(await there.registrations()).toMatchObject([{ pattern: "new:*" }]);
      await here.register("newer:*", { maxStalenessMs: 78 });
      // Its next word from any shard that knows tells it.
      await there.set(keyOf(0, 2), 1);
      await here.set(keyOf(0, 2), 2);
      await there.set(keyOf(0, 2), 3);
      expect((await there.registrations()).map(({ pattern }) => pattern).sort()).toEqual([
        "new:*",
        "newer:*",
      ]);
    }));
});

suite("registrations of a space of several shards", () => {
  it("CO1 a node that only asks another shard than the first learns of a changed policy, too", () =>
    withNodes(async ({ node, time, leaks }) => {
      const [here, there] = [node(), node()];
      const key = keyOf(2);
      await here.register("key:*", { maxStalenessMs: 1_000 });
      await here.set(key, 1);
      expect(await there.getEntry(key)).toMatchObject({ cache: "miss" });
      expect(await there.getEntry(key)).toMatchObject({ cache: "hit" });
      const { registration } = await here.register("key:*", { mode: "strong" }, { ifVersion: 1 });
      expect(registration).toMatchObject({ settings: { mode: "strong" } });
      // Nobody writes: only the first shard's log tells of it.
      for (let step = 0; step < 8; step++) {
        time.advance(400);
        await there.get(key);
        for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      }
      expect(await there.getEntry(key)).toMatchObject({ cache: "bypass" });
      expect(leaks).toEqual([]);
    }));
});

suite("a shard that can't be reached", () => {
  it("CO2 fails the reads of its own keys only, and holds its error for them only", () =>
    withNodes(async ({ node, lost }) => {
      const [here, there] = [node(), node()];
      for (const key of keys) await here.set(key, 1);
      await there.registrations();
      lost.add(2);
      const results = await there.batch(keys.map((key) => ({ op: "get", key })));
      for (const [at, key] of keys.entries()) {
        const reached = shardOf(key, 4) !== 2;
        expect("lookup" in (results[at] ?? {}), key).toBe(reached);
        if (reached) expect(await there.get(key)).toBe(1);
        else await expect(there.get(key)).rejects.toMatchObject({ code: "unavailable", outcome: "fail" });
      }
    }));
});

suite("mutations where a shard can't be reached", () => {
  it("OU1 only its own are of unknown fate; those of other shards have their verdicts and are read", () =>
    withNodes(async ({ node, lost }) => {
      const warp = node();
      await warp.set(keyOf(0), 0);
      lost.add(2);
      const results = await warp.setMany(keys.map((key) => [key, 1]));
      for (const [at, key] of keys.entries()) {
        const { result, error } = results[at] ?? {};
        if (shardOf(key, 4) === 2) expect(error).toMatchObject({ code: "unavailable", outcome: "unknown" });
        else expect(result).toMatchObject({ key, replayed: false });
      }
      for (const key of keys) if (shardOf(key, 4) !== 2) expect(await warp.get(key)).toBe(1);
    }));
});

suite("invalidating a prefix over several shards", () => {
  it("CO3 gives a cursor of each shard, and raises the floor in each", () =>
    withNodes(async ({ node }) => {
      const [here, there] = [node(), node()];
      for (const key of keys) await here.set(key, 1);
      for (const key of keys) await there.get(key);
      const { cursors } = await there.invalidate({ prefix: "key:" });
      expect(cursors).toHaveLength(4);
      expect(new Set(cursors.map((cursor) => cursor.split(".")[0])).size).toBe(4);
      for (const key of keys) expect(there.peek(key)).toBeUndefined();
      for (const key of keys) expect(await there.getEntry(key)).toMatchObject({ value: 1, cache: "miss" });
      for (const key of keys) expect(there.peek(key)).toBe(1);
    }));
});
