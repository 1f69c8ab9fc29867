import { expect, it } from "vitest";
import type { WatchOptions, WatchTarget } from "../../src/watchbus/watchbus.ts";
import { publish, type WatchBusUnderTest, WatchTester } from "./watchbus-bed.ts";

/** How watches end, and what is refused. */
export function watchBusEnds({ run }: WatchBusUnderTest): void {
  it("WB-03 with a signal that has fired neither a watch nor a publication begins", () =>
    run(async (bed) => {
      const bus = bed.open();
      const signal = AbortSignal.abort();
      await expect(bed.done(bus.watch({ key: "k" }, { signal }))).rejects.toMatchObject({ code: "aborted" });
      const payload = { bytes: new Uint8Array(), contentType: "text/plain" };
      const published = bus.publish({ key: "k" }, payload, { opId: "any", signal });
      await expect(bed.done(published)).rejects.toMatchObject({ code: "aborted" });
      expect(bus.watched.size).toBe(0);
    }));

  it("WB-06 WB-07 WB-10 what is watched is counted while it is; the signal ends a watch quietly, and nothing is left", () =>
    run(async (bed) => {
      const bus = bed.open();
      const control = new AbortController();
      const one = await WatchTester.open(bed, { prefix: "foo." }, { signal: control.signal }, bus);
      const two = await WatchTester.open(bed, { prefix: "foo." }, {}, bus);
      const key = await WatchTester.open(bed, { key: "foo.1" }, {}, bus);
      expect(new Map(bus.watched)).toEqual(
        new Map([
          ["foo.*", 2],
          ["foo.1", 1],
        ]),
      );
      control.abort();
      two.watch.end();
      await bed.set("foo.1", "x");
      expect(await one.told()).toEqual([]);
      expect(await two.told()).toEqual([]);
      expect(await key.told()).toEqual(["set foo.1=x"]);
      expect([one.end, two.end, key.end]).toEqual(["quietly", "quietly", undefined]);
      expect(new Map(bus.watched)).toEqual(new Map([["foo.1", 1]]));
    }));

  it("WB-04 a watch that has ended can be ended again", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watch = await bed.done(bus.watch({ key: "k" }));
      watch.end();
      watch.end();
      for await (const items of watch) expect.fail(`told ${items.length}`);
      expect(bus.watched.size).toBe(0);
    }));

  it("WB-05 publications in the turn of an end do no harm", () =>
    run(async (bed) => {
      const bus = bed.open();
      const kept = await WatchTester.open(bed, { key: "k" }, {}, bus);
      const watch = await WatchTester.open(bed, { key: "k" }, {}, bus);
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < 200; i++) {
        work.push(publish(bed, bus, { key: "k" }, String(i)));
        if (i === 100) watch.watch.end();
      }
      await bed.done(Promise.all(work));
      expect(await kept.told()).toEqual(Array.from({ length: 200 }, (_, i) => `publish k=${i}`));
      expect(watch.end).toBe("quietly");
    }));

  it("a reader that leaves its loop ends the watch", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watch = await bed.done(bus.watch({ key: "k" }));
      await bed.set("k", "1");
      const reading = (async () => {
        for await (const items of watch) return items.length;
        return 0;
      })();
      await bed.advance(100);
      expect(await reading).toBe(1);
      expect(bus.watched.size).toBe(0);
    }));

  it("a closed bus has ended its watches quietly and takes no more", () =>
    run(async (bed) => {
      const bus = bed.open();
      const watch = await WatchTester.open(bed, { key: "k" }, {}, bus);
      await bed.done(bus.close());
      await bed.done(bus.close());
      await bed.advance(10);
      expect(watch.end).toBe("quietly");
      await expect(bed.done(bus.watch({ key: "k" }))).rejects.toMatchObject({ code: "warp_closed" });
      await expect(publish(bed, bus, { key: "k" }, "x")).rejects.toMatchObject({ code: "warp_closed" });
    }));

  it("a watch refuses what is no target, mode, operation or beginning", () =>
    run(async (bed) => {
      const bus = bed.open();
      const wrong: [WatchTarget, object, string][] = [
        [{ key: "" }, {}, "invalid_key"],
        [{ prefix: "x".repeat(513) }, {}, "invalid_key"],
        [{ key: "k", prefix: "k" }, {}, "invalid_argument"],
        [{} as WatchTarget, {}, "invalid_argument"],
        ["k" as unknown as WatchTarget, {}, "invalid_argument"],
        [{ key: "k" }, { mode: "some" }, "invalid_argument"],
        [{ key: "k" }, { ops: [] }, "invalid_argument"],
        [{ key: "k" }, { ops: ["get"] }, "invalid_argument"],
        [{ key: "k" }, { from: "later" }, "invalid_argument"],
      ];
      for (const [target, options, code] of wrong) {
        const refused = bed.done(bus.watch(target, options as WatchOptions));
        await expect(refused, JSON.stringify(options)).rejects.toMatchObject({ code });
      }
      const told = publish(bed, bus, { key: "k", prefix: "k" }, "x");
      await expect(told).rejects.toMatchObject({ code: "invalid_argument" });
      expect(bus.watched.size).toBe(0);
    }));
}
