import { describe, expect, it } from "vitest";
import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import type { WarpOptions } from "../../src/core/types.ts";
import { WarpError } from "../../src/errors.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";

describe("registrations", () => {
  it("X-10 the longest prefix speaks for a key, and an exact pattern before any prefix", async () => {
    const { warp } = coreBed().node();
    await warp.register("*", { cacheTtlMs: 1_000 });
    await warp.register("user:*", { mode: "strong" });
    await warp.register("user:vip:*", { mode: "local" });
    await warp.register("user:vip:1", { mode: "strong" });
    const origins: Record<string, string> = {};
    for (const key of ["a", "user:1", "user:vip:2", "user:vip:1"]) {
      await warp.set(key, 1);
      origins[key] = (await warp.lookup(key)).cache;
    }
    expect(origins).toEqual({ a: "hit", "user:1": "bypass", "user:vip:2": "hit", "user:vip:1": "bypass" });
  });

  it("CORE-08 an unregistered pattern is gone from the registry, and its keys follow the default", async () => {
    const { warp } = coreBed().node();
    await warp.register("user:*", { mode: "strong" });
    expect((await warp.registration("user:*"))?.settings.mode).toBe("strong");
    expect(await warp.unregister("user:*")).toBe(true);
    expect(await warp.unregister("user:*")).toBe(false);
    expect(await warp.registration("user:*")).toBeUndefined();
    expect(await warp.registrations()).toEqual([]);
    await warp.set("user:1", 1);
    expect((await warp.lookup("user:1")).cache).toBe("hit");
  });

  it("CORE-10 registering again with other settings is refused and the first stay, until changed explicitly", async () => {
    const { warp } = coreBed().node();
    const { registration, created } = await warp.register("user:*", { mode: "local", cacheTtlMs: 1_000 });
    expect(created).toBe(true);
    expect((await warp.register("user:*", { mode: "StrongLocal", cacheTtlMs: 1_000 })).created).toBe(false);
    expect(await codeOf(warp.register("user:*", { mode: "local" }))).toBe("registration_conflict");
    expect((await warp.registration("user:*"))?.settings).toEqual(registration.settings);
    await warp.register("user:*", { mode: "strong" }, { ifVersion: registration.version });
    expect((await warp.registration("user:*"))?.settings.mode).toBe("strong");
    expect(await codeOf(warp.register("user:*", {}, { ifVersion: registration.version }))).toBe(
      "precondition_failed",
    );
  });

  it("CORE-13 in a strict space get, set and invalidate of a key without a registration are each unregistered", async () => {
    const { warp } = coreBed({ strict: true }).node();
    const calls = (): Promise<unknown>[] => [
      warp.get("k"),
      warp.getEntry("k"),
      warp.set("k", 1),
      warp.delete("k"),
      warp.getOrSet("k", () => 1),
      warp.invalidate({ keys: ["k"] }),
      warp.getMany(["k"]),
    ];
    for (const call of calls()) expect(await codeOf(call)).toBe("unregistered");
    expect(() => warp.peek("k")).toThrow("strict");
    const [verdict] = await warp.batch([{ op: "get", key: "k" }]);
    expect(verdict).toMatchObject({ error: { code: "unregistered" } });
    await warp.register("*");
    for (const call of calls()) expect(await codeOf(call)).toBe("no error");
  });

  it("CORE-17 50 tasks that each register, set and get a key of their own read their own value", async () => {
    const { warp } = coreBed().node();
    const values = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        await warp.register(`task:${i}`, { mode: "local", cacheTtlMs: 1_000 + i });
        await warp.set(`task:${i}`, i);
        return await warp.get(`task:${i}`);
      }),
    );
    expect(values).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(await warp.registrations()).toHaveLength(50);
  });

  it("a registration made by one node holds on another from its next answer on", async () => {
    const bed = coreBed();
    const a = bed.node();
    const b = bed.node();
    await a.warp.set("user:1", 1);
    expect((await b.warp.lookup("user:1")).cache).toBe("miss");
    expect((await b.warp.lookup("user:1")).cache).toBe("hit");
    await a.warp.register("user:*", { mode: "strong" });
    // Not seen by b yet; its next answer, about whatever, mentions it.
    await b.warp.get("else");
    expect((await b.warp.lookup("user:1")).cache).toBe("bypass");
  });

  it("a log entry that tells of a registration makes the node fetch it", async () => {
    const bed = coreBed();
    const a = bed.node();
    const b = bed.node({ registrations: statics({ "x:*": { maxStalenessMs: 1_000 } }) });
    await a.warp.set("x:1", 1);
    await b.warp.get("x:1");
    await a.warp.register("user:*", { mode: "strong" });
    const fetched = b.adapter.count("registrations");
    await bed.clock.advance(1_001);
    await b.warp.get("x:1");
    expect(b.adapter.count("changes")).toBe(1);
    await b.warp.get("x:1");
    expect(b.adapter.count("registrations")).toBe(fetched + 1);
  });

  it("registrations are fetched once, however many reads come first", async () => {
    const { warp, adapter } = coreBed().node();
    await Promise.all(Array.from({ length: 20 }, (_, i) => warp.get(`k${i}`)));
    await warp.get("more");
    expect(adapter.count("space")).toBe(1);
    expect(adapter.count("registrations")).toBe(1);
  });

  it("while registrations can't be fetched an operation is not decided, and peek gives nothing", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    adapter.failing("space", () => new WarpError("unavailable", "no way"));
    expect(await codeOf(warp.get("k"))).toBe("unavailable");
    expect(warp.peek("k")).toBeUndefined();
    adapter.failing("space", undefined);
    await bed.clock.advance(60);
    expect(await warp.get("k")).toBeUndefined();
  });

  it("static registrations win, and only configuration changes them", async () => {
    const bed = coreBed();
    const node = bed.node({ registrations: statics({ "user:*": { mode: "strong" } }) });
    const other = bed.node();
    await other.warp.register("user:*", { mode: "local" });
    await node.warp.set("user:1", 1);
    expect((await node.warp.lookup("user:1")).cache).toBe("bypass");
    expect(await codeOf(node.warp.register("user:*", { mode: "local" }))).toBe("registration_conflict");
    expect(await codeOf(node.warp.register("user:*", { mode: "strong" }, { ifVersion: 0 }))).toBe(
      "registration_conflict",
    );
    expect(await codeOf(node.warp.unregister("user:*"))).toBe("registration_conflict");
    expect(await node.warp.register("user:*", { mode: "StrongDistributed" })).toMatchObject({
      created: false,
      registration: { source: "static", version: 0 },
    });
    expect(await node.warp.registrations()).toHaveLength(1);
    expect(() => bed.node({ registrations: statics({ "": {} }) })).toThrow("pattern");
  });

  it("without a storage for them registrations are the node's own", async () => {
    const bed = coreBed();
    const adapter: WarpOptions["adapter"] = nullAdapter({ clock: bed.clock, random: seeded(2) });
    const { warp } = bed.node({ adapter });
    const { registration } = await warp.register("a*", { cacheTtlMs: 10 });
    expect(await codeOf(warp.register("a*", {}))).toBe("registration_conflict");
    expect(await codeOf(warp.register("a*", {}, { ifVersion: 99 }))).toBe("precondition_failed");
    await warp.register("a*", { cacheTtlMs: 20 }, { ifVersion: registration.version });
    await warp.set("abc", 1);
    await bed.clock.advance(20);
    expect(await warp.get("abc")).toBeUndefined();
    expect(await warp.unregister("a*")).toBe(true);
  });

  it("a policy that changes holds for copies that are there already", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("user:1", 1);
    await bed.clock.advance(500);
    await warp.register("user:*", { cacheTtlMs: 400 });
    expect((await warp.lookup("user:1")).cache).toBe("miss");
  });

  it.each([
    [{ mode: "sloppy" as "local" }, "invalid_registration", "mode"],
    [{ cacheTtlMs: 0 }, "invalid_ttl", "cacheTtlMs"],
    [{ cacheTtlMs: 2_592_000_001 }, "invalid_ttl", "2592000000"],
    [{ cacheTtlMs: 1.5 }, "invalid_ttl", "whole number"],
    [{ cacheTtlMs: Number.NaN }, "invalid_ttl", "NaN"],
    [{ maxStalenessMs: 0 }, "invalid_registration", "maxStalenessMs"],
    [{ maxStalenessMs: 3_600_001 }, "invalid_registration", "3600000"],
  ])("OU4 refuses %j with %s, naming %s", async (options, code, text) => {
    const { warp } = coreBed().node();
    await expect(warp.register("a*", options)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    });
    expect(() => warp.scope("a*", options)).toThrow(text);
  });

  it("refuses bad patterns", async () => {
    const { warp } = coreBed().node();
    for (const pattern of ["", "x".repeat(514)]) {
      expect(await codeOf(warp.register(pattern))).toBe("invalid_pattern");
      expect(() => warp.scope(pattern)).toThrow("pattern");
    }
  });
});
