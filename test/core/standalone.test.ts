import { describe, expect, it } from "vitest";
import { standalone } from "../../src/presets/standalone.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

function testHost() {
  const clock = virtualClock();
  const leaks: unknown[] = [];
  const background = {
    run: (work: Promise<unknown>) => void work.catch((error: unknown) => leaks.push(error)),
  };
  return { clock, leaks, host: { clock, timers: clock, random: seeded(1), background } };
}

describe("standalone", () => {
  it("PR-01 gives the value that was set; with storage it outlives L1", async () => {
    const { host, clock } = testHost();
    const warp = standalone({ host });
    await warp.set("k", 1);
    expect(await warp.get("k")).toBe(1);
    await clock.advance(400_000);
    expect(await warp.getEntry("k")).toMatchObject({ value: 1, cache: "miss" });
  });

  it("without storage L1 is all there is, within its bounds", async () => {
    const { host, clock } = testHost();
    const warp = standalone({ host, storage: false, maxEntries: 10 });
    for (let i = 0; i < 100; i++) await warp.set(`k${i}`, i);
    expect(warp.stats().cache.entries).toBeLessThanOrEqual(10);
    await warp.set("last", 1);
    expect(await warp.get("last")).toBe(1);
    await clock.advance(400_000);
    expect(await warp.get("last")).toBeUndefined();
  });

  it("what docs/core.md shows runs as it stands there", async () => {
    const { host, leaks } = testHost();
    const reports: unknown[] = [];
    const report = (...facts: unknown[]): void => void reports.push(facts);
    const loadUser = async (id: string): Promise<User> => ({ name: `user ${id}` });

    const warp = standalone({ host });

    interface User {
      readonly name: string;
    }
    const users = warp.scope<User>("user:*", { mode: "eventual", cacheTtlMs: 600_000 });

    await users.set("123", { name: "Ada" });
    const ada = await users.get("123"); // User | undefined
    const entry = await users.getEntry("123"); // with version, age, origin
    const loaded = await users.getOrSet("7", () => loadUser("7")); // one load per key
    const now = users.peek("123"); // L1 only, without waiting
    expect([ada, entry?.value, loaded, now]).toEqual([
      { name: "Ada" },
      { name: "Ada" },
      { name: "user 7" },
      { name: "Ada" },
    ]);

    await warp.register("session:*", { mode: "strong" });
    await warp.register("config", { mode: "local", cacheTtlMs: 60_000 });
    const known = await warp.registration("session:*");
    await warp.register("session:*", { mode: "eventual" }, { ifVersion: known?.version ?? 0 });
    await warp.unregister("config");

    const { version } = await warp.set("k", { n: 1 }, { expiresInMs: 60_000 });
    await warp.set("k", { n: 2 }, { ifVersion: version }); // precondition_failed if someone was faster
    await warp.set("once", 1, { ifVersion: 0 }); // only if absent
    await warp.delete("k");

    const verdicts = await warp.setMany([
      ["a", 1],
      ["b", 2],
    ]);
    for (const { key, error } of verdicts) if (error !== undefined) report(key, error);

    const off = warp.on("drop", ({ shard, reason }) => report(`shard ${shard}: ${reason}`));
    warp.on("error", ({ error }) => report("background", error));
    off();
    await warp.close();
    expect(reports).toEqual([]);
    expect(leaks).toEqual([]);
  });
});
