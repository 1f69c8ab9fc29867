import { expect, it } from "vitest";
import { listCursor } from "../../src/adapter/list-page.ts";
import { compareBytes, toBase64Url, utf8 } from "../../src/runtime/bytes.ts";
import { type AdapterUnderTest, failure, Tester } from "./adapter-bed.ts";

/** Lists and their cursors. */
export function listCases(driver: AdapterUnderTest): void {
  it("OU4 limits, prefixes and cursors that no one gave out are refused", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      for (const limit of [0, -1, 1.5, 1_001, Number.NaN]) {
        expect(await failure(t.adapter.list({ limit }))).toMatchObject({
          code: "invalid_limit",
          details: { min: 1, max: 1_000 },
        });
      }
      expect(await failure(t.adapter.list({ prefix: "p".repeat(513) }))).toMatchObject({
        code: "invalid_key",
      });
      expect(await failure(t.adapter.list({ prefix: "\udfff" }))).toMatchObject({ code: "invalid_key" });
      const form = (content: unknown): string => toBase64Url(utf8(JSON.stringify(content)));
      const cursors = [
        "",
        "a",
        "!!!",
        "====",
        toBase64Url(new Uint8Array([255, 254])),
        form(null),
        form([]),
        form({ after: 1, prefix: "" }),
        form({ after: "a" }),
        form({ after: "a", prefix: "", more: 1 }),
        form({ prefix: "", after: "a" }),
        form({ after: "", prefix: "" }),
        form({ after: "\ud800", prefix: "" }),
        `${listCursor("a", "")}=`,
        ` ${listCursor("a", "")}`,
        listCursor("a", "other"),
        form({ after: "a".repeat(600), prefix: "" }),
        "a".repeat(10_000),
      ];
      for (const cursor of cursors) {
        expect(await failure(t.adapter.list({ cursor })), cursor.slice(0, 60)).toMatchObject({
          code: "invalid_cursor",
        });
      }
    }));

  if (!driver.supports.storage) return;

  it("keys come in order of their bytes, whatever JavaScript's own order is", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const keys = [
        "a",
        "\u{10000}",
        "\uffff",
        "\ue000",
        "\u{10ffff}",
        "\ud7ff",
        "a\u0000",
        "Z",
        "é",
        "aa",
        "\uffff\u{10000}",
      ];
      await t.adapter.batch(keys.map((key) => t.setting(key, "v")));
      const ordered = keys.toSorted((a, b) => compareBytes(utf8(a), utf8(b)));
      expect(ordered).not.toEqual(keys.toSorted());
      for (const limit of [1, 2, 3, 1_000]) expect(await t.keys("", limit)).toEqual(ordered);
    }));

  it("a prefix takes in exactly the keys that begin with it, also at the edges of Unicode", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const edges = ["\uffff", "\u{10ffff}", "\u007f", "\u07ff", "\ud7ff", "a", "a\uffff", "a\u{10ffff}"];
      const keys = edges.flatMap((edge) => [edge, `${edge}1`, `${edge}\uffff`, `${edge}\u{10ffff}`]);
      await t.adapter.batch([...new Set(keys)].map((key) => t.setting(key, "v")));
      await t.set("b", "v");
      const all = await t.keys();
      for (const prefix of [...edges, "", "b", "none"]) {
        expect(await t.keys(prefix, 3)).toEqual(all.filter((key) => key.startsWith(prefix)));
      }
    }));

  it("pages are complete and without repetition while keys come and go", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const keys = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(3, "0")}`);
      await t.adapter.batch(keys.map((key) => t.setting(key, "v")));
      const seen: string[] = [];
      let cursor: string | undefined;
      let page = 0;
      do {
        const answer = await t.adapter.list({ limit: 7, ...(cursor === undefined ? {} : { cursor }) });
        seen.push(...answer.items.map((item) => item.key));
        cursor = answer.cursor;
        if (page === 1) {
          await t.delete("k013");
          await t.delete("k020");
          await t.keys();
          await t.set("k000a", "behind");
          await t.set("k013a", "right at the border");
          await t.set("k039a", "ahead");
        }
        page++;
      } while (cursor !== undefined);
      const expected = [...keys.filter((key) => key !== "k020"), "k013a", "k039a"].toSorted();
      expect(seen).toEqual(expected);
    }));

  it("the last page says so, also when it is exactly full", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      for (const key of ["a", "b", "c", "d"]) await t.set(key, "v");
      const first = await t.adapter.list({ limit: 2 });
      expect(first.cursor).toBeDefined();
      const second = await t.adapter.list({ limit: 2, cursor: first.cursor ?? "" });
      expect(second.items.map((item) => item.key)).toEqual(["c", "d"]);
      expect(second.cursor).toBeUndefined();
      expect((await t.adapter.list({ prefix: "x" })).items).toEqual([]);
    }));

  it("an item says size, type and version; its value only where asked for", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const verdict = await t.set("a", "four", { payload: { bytes: utf8("four"), contentType: "x/y" } });
      const facts = { key: "a", sizeBytes: 4, contentType: "x/y", modifiedAtMs: bed.time.now() };
      const version = verdict.outcome === "ok" ? verdict.version : -1;
      const { items, asOf } = await t.adapter.list();
      expect(items).toEqual([{ ...facts, version }]);
      expect(asOf).toContainEqual((await t.adapter.getMany(["a"]))[0]?.asOf);
      const withValues = await t.adapter.list({ values: true });
      expect(withValues.items[0]).toMatchObject({ ...facts, version });
      expect(withValues.items[0]?.payload?.bytes).toEqual(utf8("four"));
    }));

  it("a page with values ends at 4 MiB of them, with at least one", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const value = new Uint8Array(1_000_000);
      for (let i = 0; i < 6; i++) await t.set(`k${i}`, value);
      const first = await t.adapter.list({ values: true });
      expect(first.items.map((item) => item.key)).toEqual(["k0", "k1", "k2", "k3"]);
      const rest = await t.adapter.list({ values: true, cursor: first.cursor ?? "" });
      expect(rest.items.map((item) => item.key)).toEqual(["k4", "k5"]);
      expect(rest.cursor).toBeUndefined();
    }));
}
