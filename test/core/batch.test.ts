import { describe, expect, it } from "vitest";
import { planSteps } from "../../src/core/batch.ts";
import type { BatchOperation } from "../../src/core/types.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";

const text = (value: string) => ({ bytes: utf8(value), contentType: "text/plain" });
const get = (key: string): BatchOperation => ({ op: "get", key });
const set = (key: string, value: string): BatchOperation => ({ op: "set", key, payload: text(value) });

describe("batch", () => {
  it("reads see the mutations before them and not those after, each with its own verdict", async () => {
    const { warp } = coreBed().node();
    await warp.set("d", 1);
    const results = await warp.batch([
      get("a"),
      set("a", "1"),
      get("a"),
      set("a", "2"),
      get("a"),
      { op: "delete", key: "d" },
      get("d"),
      { op: "invalidate", key: "a" },
      set("", "no key"),
      set("a", "3"),
      { ...set("a", "4"), when: { noneOf: "*" } } as BatchOperation,
      get("a"),
    ]);
    const seen = results.map((result) => {
      if ("lookup" in result)
        return result.lookup.value && new TextDecoder().decode(result.lookup.value.bytes);
      return "error" in result ? result.error.code : result.op;
    });
    expect(seen).toEqual([
      undefined,
      "set",
      "1",
      "set",
      "2",
      "delete",
      undefined,
      "invalidate",
      "invalid_key",
      "set",
      "precondition_failed",
      "3",
    ]);
  });

  it("takes two steps where no key is both read and written", () => {
    const steps = planSteps([get("a"), set("b", ""), get("c"), set("d", ""), get("e")]);
    expect(steps.map((step) => step.map(({ index }) => index))).toEqual([
      [0, 2, 4],
      [1, 3],
    ]);
  });

  it("keeps the order of mutations, and of reads and mutations of one key, whatever the batch", () => {
    const seed = 7;
    const random = seeded(seed);
    for (let round = 0; round < 500; round++) {
      const operations = Array.from({ length: 1 + random.below(12) }, () => {
        const key = random.pick(["a", "b", "c"]);
        return random.below(2) === 0 ? get(key) : set(key, "");
      });
      const order = planSteps(operations).flat();
      expect(order).toHaveLength(operations.length);
      const place = new Map(order.map(({ index }, at) => [index, at]));
      for (const [i, first] of operations.entries()) {
        for (const [j, second] of operations.entries()) {
          if (j <= i) continue;
          const bothWrite = first.op !== "get" && second.op !== "get";
          const oneWrites = first.op !== "get" || second.op !== "get";
          if (bothWrite || (oneWrites && first.key === second.key)) {
            expect(place.get(i), `seed ${seed} round ${round}`).toBeLessThan(place.get(j) ?? -1);
          }
        }
      }
      for (const [at, step] of planSteps(operations).entries()) {
        expect(step.every(({ operation }) => (operation.op === "get") === (at % 2 === 0))).toBe(true);
      }
    }
  });

  it("OU2 one op id serves all its mutations: repeated, each has its first verdict", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const opId = uuidv7(bed.clock, seeded(1));
    const operations = [set("a", "1"), get("x"), set("b", "2"), { op: "delete", key: "a" } as const];
    const first = await warp.batch(operations, { opId });
    const again = await warp.batch(operations, { opId });
    const outcome = (results: typeof first) =>
      results.map((one) =>
        "result" in one ? [one.result.version, one.result.opId, one.result.replayed] : [],
      );
    expect(outcome(again)).toEqual(
      outcome(first).map((one) => one.map((part) => (part === false ? true : part))),
    );
    const own = uuidv7(bed.clock, seeded(2));
    const [mixed] = await warp.batch([{ ...set("c", "3"), opId: own } as BatchOperation]);
    expect(mixed).toMatchObject({ result: { opId: own } });
    expect(await codeOf(warp.batch([], { opId: "x" }))).toBe("invalid_op_id");
  });

  it("replaces copies that are held and pushes in no others, unless asked to fill", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ registrations: statics({ "*": { mode: "local" } }) });
    await warp.set("held", "old");
    const results = await warp.setMany([
      ["held", "new"],
      ["cold", "new"],
      ["bad", undefined],
    ]);
    expect(results.map(({ key, error }) => [key, (error as { code?: string } | undefined)?.code])).toEqual([
      ["held", undefined],
      ["cold", undefined],
      ["bad", "encode_failed"],
    ]);
    expect([warp.peek("held"), warp.peek("cold")]).toEqual(["new", undefined]);
    await warp.setMany(new Map([["cold", "newer"]]), { fill: true });
    expect(warp.peek("cold")).toBe("newer");
  });

  it("refuses more than 1,000 operations as a whole", async () => {
    const { warp } = coreBed().node();
    const many = Array.from({ length: 1_001 }, (_, i) => set(`k${i}`, ""));
    expect(await codeOf(warp.batch(many))).toBe("batch_too_large");
    expect(await codeOf(warp.setMany(many.map(({ key }) => [key, 1] as const)))).toBe("batch_too_large");
    expect(await codeOf(warp.invalidate({ keys: many.map(({ key }) => key) }))).toBe("batch_too_large");
    expect((await warp.list()).items).toEqual([]);
  });

  it("a call that fails is the error of each of its mutations, with its outcome", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.get("warm");
    adapter.failing("batch", () => new Error("wire cut"));
    const results = await warp.batch([set("a", "1"), get("a"), { op: "delete", key: "b" }]);
    expect(results).toMatchObject([
      { op: "set", key: "a", opId: expect.any(String), error: { code: "internal", outcome: "unknown" } },
      { op: "get", lookup: { version: 0 } },
      { op: "delete", key: "b", error: { outcome: "unknown" } },
    ]);
  });
});
