import { expect, it } from "vitest";
import { Presence } from "../../src/watchbus/presence.ts";
import type { WatchBus, WatchTarget } from "../../src/watchbus/watchbus.ts";
import { type WatchBusBed, type WatchBusUnderTest, WatchTester } from "./watchbus-bed.ts";

/** What is shown, in order of what it is. */
const shown = ({ members }: Presence): unknown[] =>
  [...members.values()].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));

/** Who is there. */
export function watchBusPresence({ name, supports, run }: WatchBusUnderTest): void {
  /** A watch with a presence of its own; nodes of their own where the bus reaches them. */
  const joins = (bed: WatchBusBed) => {
    let one: WatchBus | undefined;
    return async (target: WatchTarget, data: unknown = null) => {
      one = supports.remote ? bed.open() : (one ?? bed.open());
      const presence = new Presence(data);
      const watch = await WatchTester.open(bed, target, { presence }, one);
      return { presence, watch };
    };
  };

  if (!supports.presence) {
    it(`${name} refuses to tell who is there`, () =>
      run(async (bed) => {
        const watching = bed.open().watch({ key: "k" }, { presence: new Presence() });
        await expect(bed.done(watching)).rejects.toMatchObject({ code: "unsupported" });
      }));
    return;
  }

  it(`${name} WA11 tells who is shown at a key, what they show, and that they have left`, () =>
    run(async (bed) => {
      const join = joins(bed);
      const ada = await join({ key: "room" }, { name: "Ada" });
      const looker = await join({ key: "room" });
      const grace = await join({ key: "room" }, "Grace");
      await bed.advance(100);
      for (const { presence } of [ada, looker, grace]) {
        expect(shown(presence)).toEqual(["Grace", { name: "Ada" }]);
        expect([presence.count, presence.isCurrent]).toEqual([2, true]);
      }
      expect(looker.presence.me).toBeUndefined();
      expect(ada.presence.members.get(ada.presence.me ?? "")).toEqual({ name: "Ada" });
      grace.presence.show(["busy"]);
      await bed.advance(100);
      expect(shown(looker.presence)).toEqual([["busy"], { name: "Ada" }]);
      grace.presence.show(null);
      await bed.advance(100);
      expect(shown(ada.presence)).toEqual([{ name: "Ada" }]);
      expect(shown(grace.presence)).toEqual([{ name: "Ada" }]);
      looker.presence.show("here, too");
      ada.watch.watch.end();
      await bed.advance(100);
      expect(shown(grace.presence)).toEqual(["here, too"]);
      expect([shown(ada.presence), ada.presence.isCurrent, ada.presence.count]).toEqual([[], false, 0]);
    }));

  it(`${name} WA11 a key and a prefix, and one prefix and another, are different places`, () =>
    run(async (bed) => {
      const join = joins(bed);
      const all = await Promise.all(
        [{ key: "a" }, { prefix: "a" }, { prefix: "" }, { key: "a*" }].map((target, at) => join(target, at)),
      );
      await bed.advance(100);
      expect(all.map(({ presence }) => shown(presence))).toEqual([[0], [1], [2], [3]]);
    }));

  it(`${name} WA11 of what is shown quickly the newest is told; changes are told to listeners, and to no loop`, () =>
    run(async (bed) => {
      const join = joins(bed);
      const [one, other] = [await join({ key: "a" }, 0), await join({ key: "a" })];
      await bed.advance(100);
      let changes = 0;
      const quiet = other.presence.onChange(() => changes++);
      for (let n = 1; n <= 50; n++) one.presence.show(n);
      await bed.advance(100);
      expect(shown(other.presence)).toEqual([50]);
      expect(changes).toBeGreaterThan(0);
      const before = changes;
      quiet();
      one.presence.show(51);
      await bed.advance(100);
      expect(changes).toBe(before);
      expect(await other.watch.told()).toEqual([]);
    }));

  it(`${name} WA11 a Presence is of one watch at a time, and shows at most 1 KiB of JSON`, () =>
    run(async (bed) => {
      const join = joins(bed);
      const { presence, watch } = await join({ key: "a" }, 1);
      await expect(bed.done(bed.open().watch({ key: "a" }, { presence }))).rejects.toMatchObject({
        code: "invalid_argument",
      });
      for (const data of ["x".repeat(1_023), "é".repeat(512), undefined]) {
        expect(() => presence.show(data)).toThrow(/1024 bytes/);
      }
      presence.show("x".repeat(1_022));
      await bed.advance(100);
      expect(shown(presence)).toEqual(["x".repeat(1_022)]);
      watch.watch.end();
      await bed.done(bed.open().watch({ key: "a" }, { presence }));
    }));
}
