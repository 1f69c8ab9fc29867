import { expect, it } from "vitest";
import type { MergeFunctions } from "../../src/merge/merge-function.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { type AdapterUnderTest, codeOf, failure, json, okay, plain, Tester } from "./adapter-bed.ts";

/** Rules ME1 to ME4. */
export function mergeCases(driver: AdapterUnderTest): void {
  if (!driver.supports.merge) {
    it("ME3 a driver without merge rules refuses operands", () =>
      driver.run(async (bed) => {
        const t = new Tester(bed);
        expect(codeOf(await t.merge("a", 1))).toBe("unsupported");
      }));
    if (!driver.supports.registrations) return;
    it("ME3 and registrations that name a rule", () =>
      driver.run(async (bed) => {
        const error = await failure(new Tester(bed).register("a", { merge: "sum" }));
        expect(error).toMatchObject({ code: "unsupported", outcome: "fail" });
      }));
    return;
  }

  it("CORE-05 ME1 with a summing rule 1 then 2 are set, and 3 is stored", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n:*", { merge: "sum" });
      const first = okay(await t.set("n:a", "1"));
      expect(first).toMatchObject({ existed: false, merged: true });
      const second = okay(await t.set("n:a", "2"));
      expect(second).toMatchObject({ existed: true, merged: true, version: second.revision });
      expect(await t.json("n:a")).toBe(3);
      expect(await t.entry("n:a")).toMatchObject({ version: second.version });
      expect((await t.entry("n:a"))?.payload.contentType).toBe("application/json");
    }));

  it("ME1 a merge is a set by another name; a set with replace is none", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n:*", { merge: "sum" });
      await t.merge("n:a", 5);
      expect(await t.json("n:a")).toBe(5);
      const replaced = okay(await t.set("n:a", "any text", { replace: true }));
      expect(replaced.merged).toBeUndefined();
      expect(await t.text("n:a")).toBe("any text");
      // Without a rule there is nothing to say no to.
      await t.set("free", "x", { replace: true });
      expect(okay(await t.set("free", "y")).merged).toBeUndefined();
      expect(await t.text("free")).toBe("y");
    }));

  it.each([
    ["last-write-wins", [1, "b", [2]], [2]],
    ["sum", [1, 2.5, -7], -3.5],
    ["max", [1, 9, 3], 9],
    ["min", [4, -9, 3], -9],
    ["append", [1, [2, 3], { a: 1 }], [1, 2, 3, { a: 1 }]],
    [
      "union",
      [
        ["a", "b"],
        "b",
        [
          { x: 1, y: 2 },
          { y: 2, x: 1 },
        ],
      ],
      ["a", "b", { x: 1, y: 2 }],
    ],
    [
      "deep-merge",
      [{ a: { b: 1, c: 2 }, d: 1 }, { a: { b: null, e: 3 } }, { d: [1] }],
      { a: { c: 2, e: 3 }, d: [1] },
    ],
  ] as const)("ME3 %s runs on what is stored", (merge, operands, result) =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("k", { merge });
      for (const operand of operands) okay(await t.merge("k", operand));
      expect(await t.json("k")).toEqual(result);
    }),
  );

  it("ME3 lists and sets keep their newest elements, 1,000 unless registered otherwise", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("three", { merge: "append", mergeMaxElements: 3 });
      await t.register("set", { merge: "union", mergeMaxElements: 2 });
      await t.register("many", { merge: "append" });
      for (const n of [1, 2, 3, 4]) await t.merge("three", n);
      expect(await t.json("three")).toEqual([2, 3, 4]);
      await t.merge("set", [1, 2, 3]);
      await t.merge("set", 2);
      expect(await t.json("set")).toEqual([3, 2]);
      const numbers = Array.from({ length: 1_001 }, (_, n) => n);
      await t.merge("many", numbers);
      expect(await t.json("many")).toEqual(numbers.slice(1));
    }));

  it("ME4 the order of a list is that of the revisions, whatever the clock does meanwhile", () =>
    driver.run(async (bed) => {
      const [one, other] = [new Tester(bed), new Tester(bed)];
      await one.register("k", { merge: "append" });
      const versions = new Map<number, number>();
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          if (n === 20) bed.time.advance(-1_000);
          versions.set(n, okay(await (n % 2 === 0 ? one : other).merge("k", n)).revision);
        }),
      );
      const order = [...versions].sort(([, a], [, b]) => a - b).map(([n]) => n);
      expect(await one.json("k")).toEqual(order);
    }));

  it("OU2 the same operand under the same op id counts once", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n", { merge: "sum" });
      const mutation = t.merging("n", 7);
      const first = okay((await t.one(mutation)).verdict);
      const again = okay((await t.one(mutation)).verdict);
      expect(again).toMatchObject({ replayed: true, version: first.version });
      expect(await t.json("n")).toBe(7);
      const { opId } = mutation;
      const others = [
        { ...mutation, operand: json(8) },
        { ...mutation, expiresInMs: 5 },
        { kind: "set", opId, key: "n", payload: json(7) } as const,
      ];
      for (const other of others)
        expect(codeOf((await t.one(other as typeof mutation)).verdict)).toBe("op_id_reused");
      const set = t.setting("n", "1", { replace: true });
      await t.one(set);
      const { replace: _, ...plainSet } = set as typeof set & { replace: true };
      expect(codeOf((await t.one(plainSet as typeof set)).verdict)).toBe("op_id_reused");
    }));

  it("ME1 an operand leaves the life and the tags that it does not name", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n", { merge: "sum" });
      await t.merge("n", 1, { expiresInMs: 1_000, tags: ["one"] });
      bed.time.advance(400);
      await t.merge("n", 1);
      expect(await t.entry("n")).toMatchObject({ expiresInMs: 600, tags: ["one"] });
      await t.set("n", "1", { tags: ["two"], expiresInMs: 5_000 });
      expect(await t.entry("n")).toMatchObject({ expiresInMs: 5_000, tags: ["two"] });
      await t.merge("n", 1, { tags: [] });
      expect((await t.entry("n"))?.tags).toBeUndefined();
      bed.time.advance(5_000);
      // Its life is over: the next one begins from nothing, and has no end.
      expect(okay(await t.merge("n", 1)).existed).toBe(false);
      expect(await t.json("n")).toBe(1);
      expect((await t.entry("n"))?.expiresInMs).toBeUndefined();
      await t.delete("n");
      await t.merge("n", 2);
      expect(await t.json("n")).toBe(2);
    }));

  it("ME1 a precondition is judged before the rule runs", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n", { merge: "sum" });
      expect(codeOf(await t.merge("n", 1, { when: { anyOf: "*" } }))).toBe("precondition_failed");
      expect(codeOf(await t.merge("n", 1, { when: { noneOf: "*" } }))).toBe("ok");
      expect(await t.json("n")).toBe(1);
    }));

  it("ME3 a key without a rule takes no operand, and a rule that is not there can't be registered", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      expect(codeOf(await t.merge("a", 1))).toBe("merge_rule_missing");
      expect(await t.text("a")).toBe("1");
      const error = await failure(t.register("a", { merge: "product" }));
      expect(error).toMatchObject({ code: "merge_rule_unknown", outcome: "fail" });
      expect(error.details?.rules).toContain("deep-merge");
      expect((await t.adapter.registrations()).list).toEqual([]);
    }));

  it("ME2 X-09 a rule that fails fails the write, and the old value stays", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n", { merge: "sum", history: { versions: 10 } });
      await t.set("n", "1", { tags: ["old"] });
      const before = await t.entry("n");
      const { asOf } = await t.one(t.setting("other", "x"));
      for (const operand of ["x", { a: 1 }, null, [1], 1e300]) {
        expect(codeOf(await t.merge("n", operand))).toBe("merge_failed");
      }
      const bad = t.setting("n", "no json");
      const verdict = (await t.one(bad)).verdict;
      expect(verdict).toMatchObject({ outcome: "fail", error: { code: "merge_failed", retryable: false } });
      expect((await t.one(bad)).verdict).toEqual({ ...verdict, replayed: true });
      expect(await t.entry("n")).toEqual(before);
      expect((await t.adapter.history("n")).versions).toHaveLength(1);
      if (driver.supports.changes) expect((await t.adapter.changes(asOf)).changes).toEqual([]);
    }));

  it("ME2 what a rule makes must fit the storage", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("k", { merge: "append" });
      const half = "x".repeat(600_000);
      await t.merge("k", half);
      expect(codeOf(await t.merge("k", half))).toBe("value_too_large");
      expect(codeOf(await t.merge("k", "x".repeat(1_100_000)))).toBe("value_too_large");
      expect(await t.json("k")).toEqual([half]);
    }));

  it("ME3 a function of one's own runs by its name, and can't harm what is stored", () => {
    const merges: MergeFunctions = {
      concat: (stored, operand) => {
        const text = `${stored === undefined ? "" : fromUtf8(stored.bytes)}${fromUtf8(operand.bytes)}`;
        stored?.bytes.fill(0);
        operand.bytes.fill(0);
        if (text.includes("!")) throw new Error(`secret ${text}`);
        if (text.includes("?")) return undefined as never;
        return { bytes: utf8(text), contentType: operand.contentType };
      },
    };
    return driver.run(
      async (bed) => {
        const t = new Tester(bed);
        await t.register("k", { merge: "concat" });
        const a = plain("a");
        await t.merge("k", 0, { operand: a });
        expect(fromUtf8(a.bytes)).toBe("a");
        await t.set("k", "b");
        const held = await t.entry("k");
        for (const bad of ["!", "?"]) {
          const verdict = await t.set("k", bad);
          expect(codeOf(verdict)).toBe("merge_failed");
          expect(JSON.stringify(verdict)).not.toContain("secret");
        }
        expect(await t.entry("k")).toEqual(held);
        expect(await t.text("k")).toBe("ab");
        expect(held?.payload.contentType).toBe("text/plain");
      },
      { merges },
    );
  });

  it("ME1 X-08 6,400 concurrent increments over several adapters sum to 6,400", { timeout: 60_000 }, () =>
    driver.run(async (bed) => {
      const testers = Array.from({ length: 8 }, () => new Tester(bed));
      await testers[0]?.register("n", { merge: "sum" });
      const verdicts = await Promise.all(
        Array.from({ length: 6_400 }, (_, i) => {
          const t = testers[i % testers.length] as Tester;
          return i % 3 === 0 ? t.set("n", "1") : t.merge("n", 1);
        }),
      );
      expect(await testers[3]?.json("n")).toBe(6_400);
      expect(new Set(verdicts.map((verdict) => okay(verdict).revision)).size).toBe(6_400);
    }),
  );

  it("VE3 each merged value is a version, and one of them can be restored", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("n", { merge: "sum", history: { versions: 10 } });
      const first = okay(await t.merge("n", 1));
      await t.merge("n", 2);
      expect((await t.adapter.history("n")).versions).toHaveLength(2);
      const restored = await t.one({ kind: "restore", opId: t.opId(), key: "n", version: first.version });
      expect(okay(restored.verdict).merged).toBeUndefined();
      expect(await t.json("n")).toBe(1);
    }));

  it("ME-01 rules may be registered and changed while values are merged", () =>
    driver.run(async (bed) => {
      const [one, other] = [new Tester(bed), new Tester(bed)];
      await one.register("n", { merge: "sum" });
      const merging = Array.from({ length: 200 }, () => one.merge("n", 1));
      const registering = Array.from({ length: 50 }, (_, i) => other.register(`k${i}`, { merge: "max" }));
      await Promise.all(registering);
      const { list } = await other.adapter.registrations();
      const version = list.find(({ pattern }) => pattern === "n")?.version ?? 0;
      const settings = { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, merge: "max" } as const;
      await other.adapter.register("n", settings, { ifVersion: version });
      for (const verdict of await Promise.all(merging)) expect(codeOf(verdict)).toBe("ok");
      const sum = Number(await one.json("n"));
      expect(sum).toBeGreaterThan(0);
      await other.merge("n", sum + 5);
      expect(await one.json("n")).toBe(sum + 5);
    }));
}
