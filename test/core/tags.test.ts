import { describe, expect, it } from "vitest";
import { TagFloors } from "../../src/core/tag-floors.ts";
import { WarpError } from "../../src/errors.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";

const eventual = statics({ "*": { mode: "eventual", maxStalenessMs: 100 }, "l:*": { mode: "local" } });

describe("tags", () => {
  it("CO9 invalidating a tag drops every copy of its keys on every node, by one log entry and without a look at any key", async () => {
    const bed = coreBed();
    const nodes = Array.from({ length: 4 }, () => bed.node({ registrations: eventual }));
    const [first] = nodes;
    if (first === undefined) throw new Error("no node");
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    await first.warp.set("warm", 1);
    for (const [i, key] of keys.entries()) await first.warp.set(key, i, { tags: [`t${i % 5}`, "all"] });
    for (const { warp } of nodes) await warp.getMany(keys);
    const before = bed.storage.position.revision;
    await first.warp.invalidate({ tags: ["t3"] });
    expect(bed.storage.position.revision).toBe(before + 1);
    // What a node would read if it served its copies is told by their age.
    const asked = nodes.map(({ adapter }) => adapter.count("getMany"));
    await bed.clock.advance(101);
    for (const [n, { warp, adapter }] of nodes.entries()) {
      const lookups = await warp.lookupMany(keys);
      const missed = keys.filter((key) => lookups.get(key)?.cache === "miss");
      expect(missed).toEqual(keys.filter((_, i) => i % 5 === 3));
      expect(adapter.count("getMany") - (asked[n] ?? 0)).toBe(1);
    }
  });

  it("CO4 CO9 the node that invalidates a tag never serves its copies again; untagged ones stay", async () => {
    const { warp } = coreBed().node({ registrations: eventual });
    await warp.set("l:a", 1, { tags: ["x"] });
    await warp.set("l:b", 2, { tags: ["y"] });
    await warp.set("l:c", 3);
    await warp.invalidate({ tags: ["x", "z"] });
    expect([warp.peek("l:a"), warp.peek("l:b"), warp.peek("l:c")]).toEqual([undefined, 2, 3]);
    expect(await warp.getEntry("l:a")).toMatchObject({ value: 1, tags: ["x"], cache: "miss" });
    expect(warp.peek("l:a")).toBe(1);
  });

  it("CO3 CO9 an answer read before a tag was invalidated does not enter L1 after it", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: eventual });
    const other = bed.node({ registrations: eventual }).warp;
    await warp.set("warm", 1);
    await other.set("l:k", "old", { tags: ["x"] });
    adapter.hold("getMany");
    const read = warp.get("l:k");
    await bed.clock.settle();
    const [call] = adapter.held;
    await call?.act();
    await other.set("l:k", "new", { tags: ["x"] });
    await warp.invalidate({ tags: ["x"] });
    adapter.release("getMany");
    await adapter.take("getMany").answer();
    expect(await read).toBe("new");
    expect(warp.peek("l:k")).toBe("new");
  });

  it("CO9 getOrSet does not keep what its source gave if a tag of it was invalidated meanwhile", async () => {
    const { warp } = coreBed().node({ registrations: eventual });
    await warp.set("warm", 1);
    const given = await warp.getOrSet(
      "l:k",
      async () => {
        await warp.invalidate({ tags: ["x"] });
        return "old";
      },
      { tags: ["x"] },
    );
    expect([given, warp.peek("l:k"), await warp.get("l:k")]).toEqual(["old", undefined, undefined]);
    await warp.getOrSet("l:k", () => "new", { tags: ["x"] });
    expect(await warp.getEntry("l:k")).toMatchObject({ value: "new", tags: ["x"] });
  });

  it("CO9 a tag's invalidation of unknown fate costs the node its copies", async () => {
    const { warp, adapter } = coreBed().node({ registrations: eventual });
    await warp.set("l:a", 1, { tags: ["x"] });
    await warp.set("l:b", 2);
    adapter.failing("batch", () => new WarpError("unavailable", "cut off", { outcome: "unknown" }));
    expect(await codeOf(warp.invalidate({ tags: ["x"] }))).toBe("unavailable");
    expect([warp.peek("l:a"), warp.peek("l:b")]).toEqual([undefined, 2]);
  });

  it("CO9 invalidateLocal drops this node's copies of a tag only; events name the tag", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ registrations: eventual });
    const events: unknown[] = [];
    warp.on("invalidate", (event) => events.push(event));
    await warp.set("l:a", 1, { tags: ["x"] });
    await warp.set("l:b", 2, { tags: ["x", "y"] });
    expect(await warp.invalidateLocal({ tags: ["y"] })).toBe(1);
    expect([warp.peek("l:a"), warp.peek("l:b")]).toEqual([1, undefined]);
    await warp.invalidate({ tags: ["x"] });
    expect(events).toEqual([
      { tag: "y", source: "local" },
      { tag: "x", source: "local" },
    ]);
  });

  it("CO9 the log's tag entries are events of the nodes that follow it", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ registrations: eventual });
    await warp.set("k", 1, { tags: ["x"] });
    const events: unknown[] = [];
    warp.on("invalidate", (event) => events.push(event));
    await bed.node().warp.invalidate({ tags: ["x"] });
    await bed.clock.advance(101);
    await warp.get("k");
    expect(events).toEqual([{ tag: "x", source: "log" }]);
  });

  it("CO9 OU4 refuses too many tags, empty and too long ones, and more than one kind of target", async () => {
    const { warp } = coreBed().node();
    const many = Array.from({ length: 17 }, (_, i) => `t${i}`);
    expect(await codeOf(warp.set("k", 1, { tags: many }))).toBe("invalid_argument");
    expect(await codeOf(warp.set("k", 1, { tags: [""] }))).toBe("invalid_argument");
    expect(await codeOf(warp.invalidate({ tags: ["x".repeat(129)] }))).toBe("invalid_argument");
    expect(await codeOf(warp.invalidate({ tags: ["x"], prefix: "" } as { prefix: string }))).toBe(
      "invalid_argument",
    );
    const batch = await warp.batch([
      { op: "set", key: "b", payload: { bytes: new Uint8Array(1), contentType: "x/y" }, tags: ["t"] },
      { op: "get", key: "b" },
    ]);
    expect(batch[1]).toMatchObject({ lookup: { tags: ["t"] } });
    await warp.setMany([["m", 1]], { tags: ["t"] });
    expect(await warp.getEntry("m")).toMatchObject({ tags: ["t"] });
  });

  it("CO9 without a storage behind L1 a tag's copies go at once", async () => {
    const { warp } = coreBed().node({ supports: { storage: false } });
    await warp.set("a", 1, { tags: ["x"] });
    await warp.set("b", 2);
    await warp.invalidate({ tags: ["x"] });
    expect([warp.peek("a"), warp.peek("b")]).toEqual([undefined, 2]);
  });

  it("CO9 floors of tags are bounded: what is forgotten counts for every tagged copy of its shard", () => {
    const floors = new TagFloors(2);
    floors.raise("a", 0, 10);
    floors.raise("b", 0, 20);
    floors.raise("c", 0, 30);
    expect(floors.stands(["a"], 0, 9)).toBe(false);
    expect(floors.stands(["other"], 0, 9)).toBe(false);
    expect(floors.stands(["other"], 0, 10)).toBe(true);
    expect(floors.stands(["b"], 0, 19)).toBe(false);
    expect(floors.stands(["c", "d"], 0, 29)).toBe(false);
    expect(floors.stands(["c", "d"], 0, 30)).toBe(true);
    expect(floors.stands(["c"], 1, 0)).toBe(true);
    floors.reset(0);
    expect(floors.stands(["c"], 0, 0)).toBe(true);
  });
});
