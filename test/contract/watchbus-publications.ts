import { expect, it } from "vitest";
import { events, newOpId, publish, type WatchBusUnderTest, WatchTester } from "./watchbus-bed.ts";

/** What is published to those who watch. */
export function watchBusPublications({ run }: WatchBusUnderTest): void {
  it("WB-01 the watcher of a key gets what is published to it, and nothing is stored", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watch = await WatchTester.open(bed, { key: "room" });
      expect(await publish(bed, bus, { key: "room" }, "hello")).toEqual([]);
      await publish(bed, bus, { key: "other" }, "no");
      expect(await watch.told()).toEqual(["publish room=hello"]);
      const state = await WatchTester.open(bed, { key: "room" }, { from: "snapshot" });
      expect(await state.told()).toEqual(["[]!"]);
    }));

  it("WB-02 X-21 a publication to a prefix reaches those whose key or prefix begins with it and those whose prefix begins it", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watches = new Map<string, WatchTester>();
      for (const key of ["foo1", "fo"]) watches.set(key, await WatchTester.open(bed, { key }));
      for (const prefix of ["", "f", "foo", "foo1", "bar"]) {
        watches.set(`${prefix}*`, await WatchTester.open(bed, { prefix }));
      }
      await publish(bed, bus, { key: "foo1" }, "1");
      await publish(bed, bus, { prefix: "foo" }, "2");
      const one = "publish foo1=1";
      const all = "publishPrefix foo=2";
      const expected: Record<string, string[]> = {
        foo1: [one, all],
        fo: [],
        "*": [one, all],
        "f*": [one, all],
        "foo*": [one, all],
        "foo1*": [one, all],
        "bar*": [],
      };
      const told: Record<string, string[]> = {};
      for (const [name, watch] of watches) told[name] = await watch.told();
      expect(told).toEqual(expected);
    }));

  it("a retained publication stands in the log, for those who resume later; one that is not goes to who watches now", () =>
    run(async (bed) => {
      const bus = bed.open();
      const early = await WatchTester.open(bed, { key: "k" });
      const cursor = early.watch.cursor ?? "";
      await bed.set("k", "v");
      const [position] = await publish(bed, bus, { key: "k" }, "kept", { retained: true });
      await publish(bed, bus, { key: "k" }, "gone");
      const told = events(await early.news());
      expect(told.map(({ kind, revision, version }) => ({ kind, revision, version }))).toEqual([
        { kind: "set", revision: told[0]?.revision, version: told[0]?.revision },
        { kind: "publish", revision: position?.revision, version: 0 },
        { kind: "publish", revision: position?.revision, version: 0 },
      ]);
      const late = await WatchTester.open(bed, { key: "k" }, { from: { cursor } });
      expect(await late.told()).toEqual(["set k=v", "publish k=kept"]);
      // What the log does not keep has no place in it: nothing before it comes again.
      const behind = { from: { cursor: told[1]?.cursor ?? "" } };
      expect(await (await WatchTester.open(bed, { key: "k" }, behind)).told()).toEqual([]);
    }));

  it("OU2 a retained publication that is repeated is told once; another one under its op id is `op_id_reused`", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watch = await WatchTester.open(bed, { key: "k" });
      const opId = newOpId(bed);
      const once = { retained: true, opId };
      const first = await publish(bed, bus, { key: "k" }, "a", once);
      expect(await publish(bed, bus, { key: "k" }, "a", once)).toEqual(first);
      await expect(publish(bed, bus, { key: "k" }, "b", once)).rejects.toMatchObject({
        code: "op_id_reused",
      });
      expect(await watch.told()).toEqual(["publish k=a"]);
    }));

  it("WA6 64 KiB of any bytes are published unchanged, also retained; one more is `value_too_large`", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watch = await WatchTester.open(bed, { key: "k" });
      const bytes = bed.random.bytes(65_536);
      await publish(bed, bus, { key: "k" }, bytes);
      await publish(bed, bus, { key: "k" }, bytes, { retained: true });
      const payload = { bytes, contentType: "application/octet-stream" };
      expect(events(await watch.news()).map((event) => event.payload)).toEqual([payload, payload]);
      for (const retained of [false, true]) {
        const large = publish(bed, bus, { key: "k" }, bed.random.bytes(65_537), { retained });
        await expect(large).rejects.toMatchObject({ code: "value_too_large", outcome: "fail" });
      }
    }));

  it("publications refuse what is no key, prefix or op id", () =>
    run(async (bed) => {
      const bus = bed.open();
      await expect(publish(bed, bus, { key: "" }, "x")).rejects.toMatchObject({ code: "invalid_key" });
      await expect(publish(bed, bus, { prefix: "x".repeat(513) }, "x")).rejects.toMatchObject({
        code: "invalid_key",
      });
      await expect(publish(bed, bus, { key: "k" }, "x", { opId: "no" })).rejects.toMatchObject({
        code: "invalid_op_id",
      });
    }));
}
