import { expect, it } from "vitest";
import { type AdapterUnderTest, codeOf, okay, Tester } from "./adapter-bed.ts";

/** Tags of values (rule CO9). */
export function tagCases(driver: AdapterUnderTest): void {
  it("CO9 OU4 too many tags, the same twice, empty ones and long ones are refused by name", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const many = Array.from({ length: 17 }, (_, i) => `t${i}`);
      for (const tags of [many, ["a", "a"], [""], ["t".repeat(129)], ["é".repeat(65)], ["\ud800"]]) {
        const verdict = await t.set("a", "1", { tags });
        expect(verdict).toMatchObject({ error: { code: "invalid_argument", details: { field: "tags" } } });
      }
      for (const tag of ["", "t".repeat(129), "\udfff"]) {
        const { verdict } = await t.one({ kind: "invalidateTag", opId: t.opId(), tag });
        expect(verdict).toMatchObject({ error: { code: "invalid_argument", details: { field: "tag" } } });
      }
      expect(codeOf(await t.set("a", "1", { tags: many.slice(1) }))).toBe("ok");
      expect(codeOf(await t.set("a", "1", { tags: ["é".repeat(64)] }))).toBe("ok");
    }));

  it("CO9 OU2 other tags under a used op id are another operation", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const opId = t.opId();
      expect(codeOf(await t.set("a", "1", { opId, tags: ["x"] }))).toBe("ok");
      expect(await t.set("a", "1", { opId, tags: ["x"] })).toMatchObject({ replayed: true });
      expect(codeOf(await t.set("a", "1", { opId, tags: ["y"] }))).toBe("op_id_reused");
      expect(codeOf(await t.set("a", "1", { opId }))).toBe("op_id_reused");
      const other = t.opId();
      const { verdict } = await t.one({ kind: "invalidateTag", opId: other, tag: "x" });
      expect(codeOf(verdict)).toBe("ok");
      const again = await t.one({ kind: "invalidateTag", opId: other, tag: "y" });
      expect(codeOf(again.verdict)).toBe("op_id_reused");
    }));

  if (!driver.supports.storage) return;

  it("CO9 tags come back with the value, in reads and lists, and end with it", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1", { tags: ["x", 'quote"', "\u0000"] });
      await t.set("b", "1", { tags: [] });
      await t.set("c", "1");
      expect((await t.entry("a"))?.tags).toEqual(["x", 'quote"', "\u0000"]);
      expect(await t.entry("b")).not.toHaveProperty("tags");
      expect((await t.adapter.list()).items.map(({ tags }) => tags)).toEqual([
        ["x", 'quote"', "\u0000"],
        undefined,
        undefined,
      ]);
      const { items } = await t.adapter.list({ values: true });
      expect(items[0]?.tags).toEqual(["x", 'quote"', "\u0000"]);
      await t.set("a", "2");
      expect(await t.entry("a")).not.toHaveProperty("tags");
    }));

  it("CO9 invalidating a tag is one entry of each shard's log, whatever number of keys has it, and keeps the values", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.adapter.batch(Array.from({ length: 100 }, (_, i) => t.setting(`k${i}`, "1", { tags: ["x"] })));
      const answer = await t.one({ kind: "invalidateTag", opId: t.opId(), tag: "x" });
      expect(answer.key).toBe("x");
      expect(okay(answer.verdict)).toMatchObject({ version: 0, existed: false });
      for (const { verdict, asOf } of [answer, ...(answer.others ?? [])]) {
        const { revision } = okay(verdict);
        expect(revision).toBe(asOf.revision);
        if (!driver.supports.changes) continue;
        const { changes } = await t.adapter.changes({ ...asOf, revision: revision - 1 });
        expect(changes).toEqual([{ revision, kind: "invalidateTag", key: "x" }]);
      }
      expect(await t.text("k7")).toBe("1");
    }));
}
