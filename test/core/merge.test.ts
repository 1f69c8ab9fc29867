import { describe, expect, it } from "vitest";
import { utf8 } from "../../src/runtime/bytes.ts";
import { jsonCodec, payloadCodec } from "../../src/runtime/codec.ts";
import { codeOf, coreBed } from "../support/core-bed.ts";

describe("merge", () => {
  it("CORE-05 where the registration sums, 1 and then 2 are 3: by set, and by merge", async () => {
    const { warp } = coreBed().node();
    const sums = warp.scope<number>("sum:*", { merge: "sum" });
    await sums.set("a", 1);
    await sums.set("a", 2);
    expect(await sums.get("a")).toBe(3);
    await sums.merge("a", 4);
    expect(await sums.get("a")).toBe(7);
    await warp.merge("sum:b", 5);
    expect(await warp.get("sum:b")).toBe(5);
  });

  it("CO4 the writer reads the merged value, not its operand, and by the log the others do", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    const other = bed.node().warp;
    await warp.register("n", { merge: "sum" });
    await warp.set("n", 10);
    expect(await other.get("n")).toBe(10);
    await warp.merge("n", 1);
    expect(warp.peek("n")).toBeUndefined();
    expect(await warp.get("n")).toBe(11);
    expect(adapter.count("getMany")).toBe(1);
    await bed.clock.advance(5_001);
    expect(await other.get("n")).toBe(11);
  });

  it("CO4 a rule that this node had not heard of: a set is merged, and its value is not taken for what is stored", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const other = bed.node().warp;
    await warp.set("n", 1);
    await warp.get("n");
    await other.register("n", { merge: "sum" });
    await warp.set("n", 2);
    expect(await warp.get("n")).toBe(3);
  });

  it("replace stores the value as it stands; a cas and what getOrSet loads do so too", async () => {
    const { warp, adapter } = coreBed().node();
    const lists = warp.scope<string[]>("list:*", { merge: "append", mergeMaxElements: 3 });
    await lists.set("a", ["x"]);
    await lists.set("a", ["y"], { replace: true });
    expect(lists.peek("a")).toEqual(["y"]);
    expect(await lists.get("a")).toEqual(["y"]);
    await lists.cas("a", ["y"], ["z"]);
    expect(await lists.get("a")).toEqual(["z"]);
    expect(await lists.getOrSet("b", () => ["s"])).toEqual(["s"]);
    const asked = adapter.count("getMany");
    expect(await lists.get("b")).toEqual(["s"]);
    expect(adapter.count("getMany")).toBe(asked);
    await lists.merge("b", ["t", "u", "v"]);
    expect(await lists.get("b")).toEqual(["t", "u", "v"]);
  });

  it("ME1 increments from several nodes at once are all counted, also those of batches and transactions", async () => {
    const bed = coreBed();
    const nodes = Array.from({ length: 4 }, () => bed.node().warp);
    await nodes[0]?.register("n", { merge: "sum" });
    await Promise.all(
      nodes.flatMap((node) => [
        ...Array.from({ length: 50 }, () => node.merge("n", 1)),
        ...Array.from({ length: 10 }, () => node.txn().merge("n", 1).commit()),
        node.batch([
          { op: "merge", key: "n", operand: jsonCodec.encode(1) },
          { op: "set", key: "n", payload: jsonCodec.encode(1) },
        ]),
      ]),
    );
    expect(await bed.node().warp.get("n")).toBe(4 * 62);
    for (const node of nodes) expect(await node.get("n")).toBe(4 * 62);
  });

  it("X-09 ME2 a rule that can't leaves the old value, on every way in", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.register("n", { merge: "sum" });
    const { version } = await warp.set("n", 1);
    expect(await codeOf(warp.merge("n", "one"))).toBe("merge_failed");
    expect(await codeOf(warp.set("n", [1]))).toBe("merge_failed");
    expect(await codeOf(warp.txn().set("other", 1).merge("n", {}).commit())).toBe("merge_failed");
    const [result] = await warp.batch([
      { op: "merge", key: "n", operand: { bytes: utf8("{"), contentType: "application/json" } },
    ]);
    expect(result).toMatchObject({ op: "merge", key: "n", error: { code: "merge_failed", outcome: "fail" } });
    expect(await warp.lookup("n")).toMatchObject({ value: 1, version });
    expect(await warp.get("other")).toBeUndefined();
    expect(await bed.node().warp.get("n")).toBe(1);
  });

  it("a key without a rule, or a rule that nobody knows, is refused", async () => {
    const { warp } = coreBed().node();
    expect(await codeOf(warp.merge("k", 1))).toBe("merge_rule_missing");
    expect(await codeOf(warp.txn().merge("k", 1).commit())).toBe("merge_rule_missing");
    expect(await codeOf(warp.register("k", { merge: "multiply" }))).toBe("merge_rule_unknown");
    expect(await codeOf(warp.register("k", { merge: "not a name" }))).toBe("invalid_registration");
    expect(await codeOf(warp.register("k", { merge: "sum", mergeMaxElements: 5 }))).toBe(
      "invalid_registration",
    );
    expect(await codeOf(warp.register("k", { quorum: 1 }))).toBe("invalid_registration");
    expect(await warp.get("k")).toBeUndefined();
  });

  it("life and tags stay unless they are named; an empty list of tags takes them away", async () => {
    const { warp } = coreBed().node();
    await warp.register("n", { merge: "sum" });
    await warp.set("n", 1, { tags: ["a"], expiresInMs: 60_000 });
    await warp.merge("n", 1);
    expect(await warp.getEntry("n")).toMatchObject({ value: 2, tags: ["a"], expiresInMs: 60_000 });
    await warp.merge("n", 1, { tags: [], expiresInMs: 90_000 });
    const entry = await warp.getEntry("n");
    expect([entry?.value, entry?.tags, entry?.expiresInMs]).toEqual([3, undefined, 90_000]);
    await warp.set("plain", 1, { tags: [] });
    const written = await warp.getEntry("plain");
    expect([written?.cache, written?.tags]).toEqual(["hit", undefined]);
  });

  it("OU2 a repeated op id merges once", async () => {
    const { warp } = coreBed().node();
    await warp.register("n", { merge: "sum" });
    const first = await warp.merge("n", 5);
    const again = await warp.merge("n", 5, { opId: first.opId });
    expect(again).toMatchObject({ version: first.version, replayed: true });
    expect(await warp.get("n")).toBe(5);
  });

  it("takes conditions, and deep-merge takes members away with null", async () => {
    const { warp } = coreBed().node();
    const docs = warp.scope<{ name?: string; tags?: { [tag: string]: boolean } }>("doc:*", {
      merge: "deep-merge",
    });
    const { version } = await docs.set("1", { name: "Ada", tags: { a: true, b: true } });
    expect(await codeOf(docs.merge("1", { name: "x" }, { ifVersion: version + 1 }))).toBe(
      "precondition_failed",
    );
    await docs.merge("1", { tags: { a: null } }, { ifVersion: version });
    expect(await docs.get("1")).toEqual({ name: "Ada", tags: { b: true } });
    const stored = await warp.get("doc:1", { codec: payloadCodec });
    expect(stored?.contentType).toBe("application/json");
  });

  it("a merge is told as a set, with the version that it gave", async () => {
    const { warp } = coreBed().node();
    await warp.register("n", { merge: "sum" });
    const told: unknown[] = [];
    warp.on("set", (event) => told.push(event));
    warp.on("invalidate", (event) => told.push(event));
    const { version } = await warp.merge("n", 1);
    expect(told).toEqual([{ key: "n", version }]);
  });
});
