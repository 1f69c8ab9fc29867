import { beforeEach, describe, expect, test } from "vitest";
import type { KeptChange, KeptState, Known, Persistence } from "../../src/store/persistence.ts";

const epoch = "00000000000000aa";

/** A state at revisions of the shards of a space. */
export function stateAt(revisions: readonly number[], session = "ada"): KeptState {
  const cursor = revisions.map((revision) => `${epoch}.${revision}`).join("~");
  return { format: 1, session, prefix: "card:", cursor, confirmedAtMs: 1_000 };
}

export function entry(key: string, at: number, value: unknown = at): Known {
  return { key: `card:${key}`, at, version: at, value };
}

/** Everything up to `to`, from nothing. */
export function whole(to: readonly number[], put: readonly Known[], session = "ada"): KeptChange {
  return { state: stateAt(to, session), from: undefined, put, drop: [] };
}

/** What has changed between two places. */
export function change(
  from: readonly number[],
  to: readonly number[],
  put: readonly Known[],
  drop: KeptChange["drop"] = [],
): KeptChange {
  return { state: stateAt(to), from: stateAt(from).cursor, put, drop };
}

/** Holds a driver to `src/store/persistence.ts`. `open` gives another tab's end of the same storage. */
export function persistenceContract(make: () => { open(): Persistence }): void {
  let open: () => Persistence;
  let tab: Persistence;
  beforeEach(() => {
    const storage = make();
    open = () => storage.open();
    tab = open();
  });
  const kept = async (from = tab): Promise<unknown[]> => {
    const { entries } = await from.load();
    return entries.map((found) => (found as Known).value).sort();
  };

  describe("what is kept", () => {
    test("nothing at first; then what was saved, whatever JSON or bytes it is, for every tab", async () => {
      expect(await tab.load()).toEqual({ state: undefined, entries: [] });
      const values = [
        null,
        0,
        "",
        "text\n\u0000\ud83d\ude00",
        [1, { a: [] }],
        new Uint8Array([0, 255]),
        false,
      ];
      const put = values.map((value, at) => entry(`${at}`, at + 1, value));
      expect(await tab.save(whole([9], put))).toBe("kept");
      for (const other of [tab, open()]) {
        expect(await other.load()).toEqual({ state: stateAt([9]), entries: put });
      }
    });

    test("it is there after the tab has let go of it", async () => {
      await tab.save(whole([1], [entry("a", 1)]));
      tab.close();
      tab.close();
      expect(await kept()).toEqual([1]);
      expect(await kept(open())).toEqual([1]);
    });

    test("a change puts and drops, and takes the state along", async () => {
      await tab.save(whole([2], [entry("a", 1), entry("b", 2)]));
      expect(await tab.save(change([2], [4], [entry("c", 3)], [["card:a", 4]]))).toBe("kept");
      expect(await kept()).toEqual([2, 3]);
      expect((await tab.load()).state).toEqual(stateAt([4]));
    });

    test("all that there is takes the place of what was kept", async () => {
      await tab.save(whole([2], [entry("a", 1), entry("b", 2)]));
      await tab.save(whole([3], [entry("b", 3)]));
      expect(await kept()).toEqual([3]);
    });
  });

  describe("several tabs", () => {
    test("a tab that is behind changes nothing", async () => {
      await tab.save(whole([2], [entry("a", 1)]));
      const other = open();
      expect(await other.save(change([2], [9], [entry("b", 9)], [["card:a", 8]]))).toBe("kept");
      expect(await tab.save(change([2], [5], [entry("a", 5)]))).toBe("kept");
      expect(await tab.save(whole([5], [entry("a", 5)]))).toBe("kept");
      expect(await kept()).toEqual([9]);
      expect((await tab.load()).state).toEqual(stateAt([9]));
    });

    test("an entry does not go back to an older revision, nor is it dropped for one", async () => {
      await tab.save(whole([2], [entry("a", 1)]));
      // A write of one's own is ahead of the cursor.
      await tab.save(change([2], [3], [entry("a", 9), entry("b", 9)]));
      const other = open();
      expect(await other.save(change([2], [5], [entry("a", 4)], [["card:b", 5]]))).toBe("kept");
      expect(await kept()).toEqual([9, 9]);
      expect((await tab.load()).state).toEqual(stateAt([5]));
    });

    test("a change that does not begin where what is kept ends is not enough", async () => {
      await tab.save(whole([2], []));
      expect(await tab.save(change([3], [4], [entry("a", 4)]))).toBe("whole");
      expect(await kept()).toEqual([]);
    });

    test("of two tabs, each further in another shard, neither takes from the other", async () => {
      await tab.save(whole([2, 2], []));
      expect(await tab.save(change([2, 2], [5, 2], [entry("a", 5)]))).toBe("kept");
      expect(await open().save(change([2, 2], [2, 5], [entry("b", 5)]))).toBe("whole");
      expect(await open().save(whole([2, 5], [entry("b", 5)]))).toBe("whole");
      expect(await open().save(whole([5, 5], [entry("a", 5), entry("b", 5)]))).toBe("kept");
      expect(await kept()).toEqual([5, 5]);
    });

    test("of another life of the storage only all that there is counts", async () => {
      await tab.save(whole([7], [entry("a", 7)]));
      const state = { ...stateAt([1]), cursor: "00000000000000bb.1" };
      const put = [entry("a", 1)];
      expect(await tab.save({ state, from: "00000000000000bb.0", put, drop: [] })).toBe("whole");
      expect(await tab.save({ state, from: undefined, put, drop: [] })).toBe("kept");
      expect(await kept()).toEqual([1]);
    });
  });

  describe("sessions", () => {
    test("what is kept of another session is foreign, unless the session begins", async () => {
      await tab.save(whole([2], [entry("a", 1)]));
      expect(await tab.save(whole([3], [entry("b", 3)], "grace"))).toBe("foreign");
      expect(await kept()).toEqual([1]);
      const beginning = {
        state: { ...stateAt([0], "grace"), cursor: undefined },
        from: undefined,
        put: [],
        drop: [],
      };
      expect(await tab.save({ ...beginning, isBeginning: true })).toBe("kept");
      expect(await kept()).toEqual([]);
      expect(await open().save(change([2], [3], [entry("c", 3)]))).toBe("foreign");
      expect(await tab.save(whole([3], [entry("b", 3)], "grace"))).toBe("kept");
    });

    test("a purge forgets all, and what other tabs still save of the session is foreign", async () => {
      await tab.save(whole([2], [entry("a", 1)]));
      const other = open();
      await other.load();
      await tab.purge();
      expect(await kept()).toEqual([]);
      expect((await tab.load()).state).toMatchObject({ session: "" });
      expect(await other.save(change([2], [3], [entry("b", 3)]))).toBe("foreign");
      expect(await other.save(whole([3], [entry("b", 3)]))).toBe("foreign");
      expect(await kept(other)).toEqual([]);
    });
  });
}
