import { expect, it } from "vitest";
import { events, type WatchBusUnderTest, WatchTester } from "./watchbus-bed.ts";

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
      const seen = new Map<string, string>();
      let pages = 0;
      for await (const items of watch) {
        for (const item of items) {
          if (item.kind === "snapshot") {
            pages++;
            expect(item.cursor === undefined).toBe(!item.done);
            for (const { key, payload } of item.entries)
              seen.set(key, new TextDecoder().decode(payload?.bytes));
            // One key of what was told, one of what was not.
            if (pages === 1) {
              await put("k0001", "1");
              await put("k2400", "1");
              await put("k9999", "1");
            }
          } else if (item.kind === "set") seen.set(item.key, new TextDecoder().decode(item.payload?.bytes));
        }
        if (pages > 1 && seen.get("k0001") === "1") break;
        await bed.advance(20);
      }
      expect(pages).toBeGreaterThan(1);
      expect(seen).toEqual(state);
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

  it("X-20 a watch that was not read for too long is told of the gap and then the state", () =>
    run(async (bed) => {
      const bus = bed.open();
      const slow = await bed.done(bus.watch({ prefix: "p:" }, { mode: "all" }));
      const [first] = [slow[Symbol.asyncIterator]()];
      await bed.set("p:a", "0");
      expect(await bed.done(first.next())).toMatchObject({ value: [{ kind: "set" }] });
      for (let i = 1; i <= 5; i++) await bed.set("p:a", String(i));
      await bed.forget();
      const told: string[] = [];
      for (;;) {
        const { value } = await bed.done(first.next());
        for (const item of value ?? []) told.push(item.kind);
        if (told.includes("snapshot")) break;
      }
      // What was on its way already may come first.
      expect(told.slice(-2)).toEqual(["gap", "snapshot"]);
    }));

  it("WA2 a cursor of another life of the storage is a gap; one of the future, or of no watch, is `invalid_cursor`", () =>
    run(async (bed) => {
      await bed.set("a", "1");
      const first = await WatchTester.open(bed, { key: "a" });
      const [epoch = "", revision] = (first.watch.cursor ?? "").split(".");
      const other = await WatchTester.open(bed, { key: "a" }, { from: { cursor: `${"0".repeat(16)}.1` } });
      expect(await other.told()).toEqual(["gap epoch", "[a=1]!"]);
      for (const cursor of [`${epoch}.${Number(revision) + 1_000}`, "", "x", `${epoch}.1~${epoch}.1`]) {
        const refused = bed.done(bed.open().watch({ key: "a" }, { from: { cursor } }));
        await expect(refused, cursor).rejects.toMatchObject({ code: "invalid_cursor" });
      }
    }));
}
