import { expect, it } from "vitest";
import type { Payload } from "../../src/protocol/payload.ts";
import { events, shortly, type WatchBusUnderTest, WatchTester } from "./watchbus-bed.ts";

/** Where a watch begins, and how it goes on after an end. */
export function watchBusResumption({ run }: WatchBusUnderTest): void {
  it("WA3 a watch has a cursor before its first event; from there, and from each event's, nothing is lost and none comes twice", () =>
    run(async (bed) => {
      await bed.set("a", "0");
      const first = await WatchTester.open(bed, { prefix: "" });
      const start = first.watch.cursor ?? "";
      for (let i = 1; i <= 5; i++) await bed.set("a", String(i));
      const told = events(await first.news());
      first.watch.end();
      for (const [at, cursor] of [start, ...told.map((event) => event.cursor ?? "")].entries()) {
        const again = await WatchTester.open(bed, { prefix: "" }, { from: { cursor } });
        const rest = Array.from({ length: 5 - at }, (_, i) => `set a=${at + i + 1}`);
        expect(await again.told()).toEqual(rest);
        expect(again.watch.cursor).toBe(told.at(-1)?.cursor);
        again.watch.end();
      }
    }));

  it("WA4 `snapshot` tells the state, `done`, and then what happens, nothing lost between", () =>
    run(async (bed) => {
      for (const key of ["b", "a", "c"]) await bed.set(`p:${key}`, key);
      await bed.set("q", "other");
      const watch = await WatchTester.open(bed, { prefix: "p:" }, { from: "snapshot" });
      expect(await watch.told()).toEqual(["[p:a=a p:b=b p:c=c]!"]);
      await bed.set("p:d", "d");
      expect(await watch.told()).toEqual(["set p:d=d"]);
      const keys = await WatchTester.open(bed, { prefix: "p:" }, { from: "snapshot", mode: "keys" });
      expect(await keys.told()).toEqual(["[p:a p:b p:c p:d]!"]);
      const one = await WatchTester.open(bed, { key: "p:a" }, { from: "snapshot" });
      expect(await one.told()).toEqual(["[p:a=a]!"]);
    }));

  it("WA4 a snapshot of many keys has one cursor, when it is whole; changes meanwhile are not lost", () =>
    run(async (bed) => {
      const state = new Map<string, string>();
      const put = async (key: string, value: string): Promise<void> => {
        await bed.set(key, value);
        state.set(key, value);
      };
      for (let i = 0; i < 2_500; i++) await put(`k${String(i).padStart(4, "0")}`, "0");
      const bus = bed.open();
      const watch = await bed.done(bus.watch({ prefix: "k" }, { from: "snapshot" }));
      const reader = watch[Symbol.asyncIterator]();
      const seen = new Map<string, string>();
      const textOf = (payload: Payload | undefined) => new TextDecoder().decode(payload?.bytes);
      let pages = 0;
      while (seen.get("k0001") !== "1" || seen.get("k9999") !== "1" || seen.get("k2400") !== "1") {
        const { value: items = [] } = await bed.done(reader.next());
        for (const item of items) {
          if (item.kind === "set") seen.set(item.key, textOf(item.payload));
          if (item.kind !== "snapshot") continue;
          pages++;
          expect(item.cursor === undefined).toBe(!item.done);
          expect(item.first).toBe(pages === 1);
          for (const { key, payload } of item.entries) seen.set(key, textOf(payload));
          if (pages > 1) continue;
          await put("k0001", "1");
          await put("k2400", "1");
          await put("k9999", "1");
        }
      }
      await reader.return?.();
      expect(pages).toBeGreaterThan(1);
      expect(seen).toEqual(state);
    }));

  it("WA4 what a snapshot has told is never told as it was before", () =>
    run(async (bed) => {
      const keys = Array.from({ length: 2_500 }, (_, i) => `k${String(i).padStart(4, "0")}`);
      for (const key of keys) await bed.set(key, "0");
      const watch = await bed.done(bed.open().watch({ prefix: "k" }, { from: "snapshot" }));
      const reader = watch[Symbol.asyncIterator]();
      const seen = new Map<string, number>();
      for (let round = 1, isWhole = false; !isWhole || round < 8; round++) {
        for (const key of ["k0000", "k1500", "k2400"]) await bed.set(key, String(round));
        const { value: items = [] } = await bed.done(reader.next());
        for (const item of items) {
          const told = item.kind === "snapshot" ? item.entries : item.kind === "set" ? [item] : [];
          for (const { key, version } of told) {
            expect(version, key).toBeGreaterThanOrEqual(seen.get(key) ?? 0);
            seen.set(key, version);
          }
          if (item.kind === "snapshot") isWhole = item.done;
        }
      }
      await reader.return?.();
      expect(seen.size).toBe(2_500);
    }));

  it("WA2 a cursor that the log does not reach is told as a gap and then the state, never as a quiet hole", () =>
    run(async (bed) => {
      await bed.set("p:a", "1");
      const first = await WatchTester.open(bed, { prefix: "p:" });
      const cursor = first.watch.cursor ?? "";
      first.watch.end();
      await bed.set("p:a", "2");
      await bed.delete("p:a");
      await bed.set("p:b", "1");
      await bed.forget();
      const again = await WatchTester.open(bed, { prefix: "p:" }, { from: { cursor } });
      expect(await again.told()).toEqual(["gap compacted", "[p:b=1]!"]);
      await bed.set("p:c", "1");
      expect(await again.told()).toEqual(["set p:c=1"]);
    }));

  it("X-20 a watch that is not read for long is told all of it in the end, or of the gap and then the state", () =>
    run(async (bed) => {
      const bus = bed.open();
      const slow = await bed.done(bus.watch({ prefix: "p:" }));
      const reader = slow[Symbol.asyncIterator]();
      await bed.set("p:a", "0");
      expect(await bed.done(reader.next())).toMatchObject({ value: [{ kind: "set" }] });
      for (let i = 1; i <= 5; i++) await bed.set("p:a", String(i));
      await bed.forget();
      const told: string[] = [];
      while (!told.includes("[p:a=5]!") && !told.includes("set p:a=5")) {
        const { value = [] } = await bed.done(reader.next());
        told.push(...value.map(shortly));
      }
      const all = [1, 2, 3, 4, 5].map((i) => `set p:a=${i}`);
      if (told.includes("set p:a=5")) expect(told).toEqual(all);
      else expect(told).toEqual(["gap compacted", "[p:a=5]!"]);
    }));

  it("WA2 a cursor of another life of the storage is a gap; one of the future, or of no watch, is `invalid_cursor`", () =>
    run(async (bed) => {
      await bed.set("a", "1");
      const first = await WatchTester.open(bed, { key: "a" });
      const [epoch = "", revision] = (first.watch.cursor ?? "").split(".");
      const other = await WatchTester.open(bed, { key: "a" }, { from: { cursor: `${"ab".repeat(8)}.1` } });
      expect(await other.told()).toEqual(["gap epoch", "[a=1]!"]);
      for (const cursor of [`${epoch}.${Number(revision) + 1_000}`, "", "x", `${epoch}.1~${epoch}.1`]) {
        const refused = bed.done(bed.open().watch({ key: "a" }, { from: { cursor } }));
        await expect(refused, cursor).rejects.toMatchObject({ code: "invalid_cursor" });
      }
    }));
}
