import { expect, it } from "vitest";
import { events, type WatchBusUnderTest, WatchTester } from "./watchbus-bed.ts";

/** Which changes a watch tells, and how. */
export function watchBusEvents({ run }: WatchBusUnderTest): void {
  it("WA1 a watch of a key hears of that key alone, a watch of a prefix of all that begin with it, the empty prefix of everything", () =>
    run(async (bed) => {
      const key = await WatchTester.open(bed, { key: "user:1" });
      const prefix = await WatchTester.open(bed, { prefix: "user:" });
      const all = await WatchTester.open(bed, { prefix: "" });
      await bed.set("user:1", "a");
      await bed.set("user:10", "b");
      await bed.set("other", "c");
      await bed.delete("user:1");
      expect(await key.told()).toEqual(["set user:1=a", "delete user:1"]);
      expect(await prefix.told()).toEqual(["set user:1=a", "set user:10=b", "delete user:1"]);
      expect(await all.told()).toEqual(["set user:1=a", "set user:10=b", "set other=c", "delete user:1"]);
    }));

  it("WA2 events come in the order of their revisions, each once, also those of values that were overwritten at once", () =>
    run(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      for (let i = 0; i < 300; i++) await bed.set(`k${i % 7}`, String(i));
      const told = events(await watch.news());
      expect(told.map(({ payload }) => Number(new TextDecoder().decode(payload?.bytes)))).toEqual(
        Array.from({ length: 300 }, (_, i) => i),
      );
      const revisions = told.map(({ revision }) => revision);
      expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      for (const { version, revision } of told) expect(version).toBe(revision);
    }));

  it("TX1 TX6 the parts of a transaction are told together, at one revision; only the last one's cursor lies behind it", () =>
    run(async (bed) => {
      await bed.set("{t}", "0");
      const watch = await WatchTester.open(bed, { prefix: "{t}" });
      const before = watch.watch.cursor;
      await bed.together({ "{t}a": "1", "{t}b": "2", "{t}c": "3" });
      const told = events(await watch.news());
      expect(told.map(({ key }) => key)).toEqual(["{t}a", "{t}b", "{t}c"]);
      expect(new Set(told.map(({ revision }) => revision)).size).toBe(1);
      expect(told[0]?.cursor).toBe(before);
      expect(told[2]?.cursor).toBe(watch.watch.cursor);
      const again = await WatchTester.open(
        bed,
        { prefix: "{t}" },
        { from: { cursor: told[1]?.cursor ?? "" } },
      );
      expect(await again.told()).toEqual(["set {t}a=1", "set {t}b=2", "set {t}c=3"]);
    }));

  it("WA5 `latest` tells of each key the newest of what waits, `keys` the same without values, `all` everything", () =>
    run(async (bed) => {
      const bus = bed.open();
      // Nobody reads yet: everything waits.
      const cursor = (await bed.done(bus.watch({ prefix: "" }))).cursor ?? "";
      for (const value of ["1", "2", "3"]) {
        await bed.set("a", value);
        await bed.set(`b${value}`, value);
      }
      await bed.delete("b1");
      const from = { cursor };
      const latest = await WatchTester.open(bed, { prefix: "" }, { mode: "latest", from });
      const keys = await WatchTester.open(bed, { prefix: "" }, { mode: "keys", from });
      const all = await WatchTester.open(bed, { prefix: "" }, { from });
      expect(await latest.told()).toEqual(["set b2=2", "set a=3", "set b3=3", "delete b1"]);
      expect(await keys.told()).toEqual(["set b2", "set a", "set b3", "delete b1"]);
      expect(await all.told()).toHaveLength(7);
    }));

  it("WA1 a watch that names operations hears of no others", () =>
    run(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" }, { ops: ["delete", "expire"] });
      await bed.set("a", "1");
      await bed.set("b", "1", 1_000);
      await bed.delete("a");
      await bed.advance(1_500);
      expect(await watch.told()).toEqual(["delete a", "expire b"]);
    }));

  it("WA10 the end of a key's life is an event, though nobody asks for the key", () =>
    run(async (bed) => {
      await bed.set("k", "u", 2_000);
      const watch = await WatchTester.open(bed, { key: "k" });
      await bed.advance(3_000);
      expect(await watch.told()).toEqual(["expire k"]);
      await bed.set("k", "v", 5_000);
      await bed.advance(4_000);
      expect(await watch.told()).toEqual(["set k=v"]);
      await bed.advance(2_000);
      expect(await watch.told()).toEqual(["expire k"]);
      expect(watch.items).toEqual([]);
    }));

  it("WA6 any bytes of a value arrive unchanged, with their content type", () =>
    run(async (bed) => {
      const watch = await WatchTester.open(bed, { key: "k" });
      const bytes = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
      await bed.set("k", bytes);
      const [event] = events(await watch.news());
      expect(event?.payload).toEqual({ bytes, contentType: "application/octet-stream" });
    }));

  it("a value above 16 KiB is left out of its event, which says so", () =>
    run(async (bed) => {
      const watch = await WatchTester.open(bed, { key: "k" });
      await bed.set("k", "x".repeat(16_385));
      const [large] = events(await watch.news());
      expect(large).toMatchObject({ kind: "set", key: "k", omitted: true });
      expect(large).not.toHaveProperty("payload");
      await bed.set("k", "x".repeat(16_384));
      expect(events(await watch.news())[0]?.payload?.bytes).toHaveLength(16_384);
    }));
}
