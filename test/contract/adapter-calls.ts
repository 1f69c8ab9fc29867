import { expect, it } from "vitest";
import { type AdapterUnderTest, codeOf, failure, Tester } from "./adapter-bed.ts";

/** What holds for every call of every driver. */
export function callCases(driver: AdapterUnderTest): void {
  it("says what it supports", () =>
    driver.run(async (bed) => {
      expect(bed.open().supports).toEqual(driver.supports);
    }));

  it("AD-01 an empty store has nothing", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      if (driver.firstWriteCreates) {
        expect(await t.adapter.space()).toBeUndefined();
        expect(await failure(t.adapter.getMany(["a"]))).toMatchObject({
          code: "space_not_found",
          outcome: "fail",
        });
        expect(await failure(t.adapter.list())).toMatchObject({ code: "space_not_found" });
        expect(await t.adapter.space()).toBeUndefined();
        await t.delete("a");
      }
      expect(await t.entry("a")).toBeUndefined();
      expect(await t.keys()).toEqual([]);
      expect(await t.adapter.space()).toMatchObject({ strict: false });
    }));

  it("a call that was given up before it was sent does nothing", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      const gone = AbortSignal.abort(new Error("enough"));
      const error = await failure(t.adapter.batch([t.setting("a", "2")], { signal: gone }));
      expect(error).toMatchObject({ code: "aborted", outcome: "fail", cause: new Error("enough") });
      expect(await failure(t.adapter.getMany(["a"], { signal: gone }))).toMatchObject({ code: "aborted" });
      expect(await failure(t.adapter.list({ signal: gone }))).toMatchObject({ code: "aborted" });
      if (driver.supports.storage) expect(await t.text("a")).toBe("1");
    }));

  it("OU4 time-outs, batch sizes and keys out of range are refused by name", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      for (const timeoutMs of [0, 0.5, 120_001, Number.NaN]) {
        expect(await failure(t.adapter.getMany(["a"], { timeoutMs }))).toMatchObject({
          code: "invalid_argument",
          details: { field: "timeoutMs", min: 1, max: 120_000 },
        });
      }
      const many = Array.from({ length: 1_001 }, (_, i) => `k${i}`);
      expect(await failure(t.adapter.getMany(many))).toMatchObject({ code: "batch_too_large" });
      expect(await failure(t.adapter.batch(many.map((key) => t.deleting(key))))).toMatchObject({
        code: "batch_too_large",
        outcome: "fail",
      });
      for (const key of ["", "k".repeat(513), "é".repeat(257), "\ud800"]) {
        expect(await failure(t.adapter.getMany(["a", key]))).toMatchObject({ code: "invalid_key" });
        expect(codeOf(await t.set(key, "1"))).toBe("invalid_key");
        expect(codeOf(await t.delete(key))).toBe("invalid_key");
      }
      expect(await t.adapter.getMany([])).toEqual([]);
      expect(await t.adapter.batch([])).toEqual([]);
    }));

  it("CO10 after close every call is refused; closing again is nothing, and others go on", () =>
    driver.run(async (bed) => {
      const [t, other] = [new Tester(bed), new Tester(bed)];
      await t.set("a", "1");
      await t.adapter.close();
      await t.adapter.close();
      const settings = { mode: "eventual", cacheTtlMs: 1, maxStalenessMs: 1 } as const;
      const calls = [
        t.adapter.getMany(["a"]),
        t.adapter.batch([t.setting("a", "2")]),
        t.adapter.list(),
        t.adapter.changes({ shard: 0, epoch: "0".repeat(16), revision: 0 }),
        t.adapter.readVersion("a", { version: 1 }),
        t.adapter.history("a"),
        t.adapter.claimLoad({ key: "a", holder: "h", ttlMs: 100, waitMs: 0 }),
        t.adapter.space(),
        t.adapter.registrations(),
        t.adapter.register("a", settings),
        t.adapter.unregister("a"),
      ];
      for (const call of calls) expect(await failure(call)).toMatchObject({ code: "warp_closed" });
      expect(codeOf(await other.set("a", "3"))).toBe("ok");
    }));
}
