import { describe, expect, it } from "vitest";
import type { WatchedItem } from "../../src/core/types.ts";
import type { WatchHandle } from "../../src/core/watch.ts";
import { textCodec } from "../../src/runtime/codec.ts";
import { memoryWatchBus } from "../../src/watchbus/memory/memory-watch-bus.ts";
import { type BedNode, type CoreBed, codeOf, coreBed } from "../support/core-bed.ts";

function watching(bed: CoreBed): BedNode {
  const { storage, clock } = bed;
  return bed.node({ watches: memoryWatchBus({ log: storage.watching, clock, timers: clock }) });
}

/** Takes items until there are `count`, and leaves. */
async function take<T>(watch: WatchHandle<T>, count: number): Promise<WatchedItem<T>[]> {
  const items: WatchedItem<T>[] = [];
  for await (const item of watch) if (items.push(item) === count) break;
  return items;
}

describe("warp.watch", () => {
  it("tells each change with its value decoded, in order, and who leaves the loop has ended it", async () => {
    const { warp } = watching(coreBed());
    const watch = warp.watch<{ readonly n: number }>({ prefix: "user:" });
    await watch.ready;
    expect(warp.stats().watches).toBe(1);
    const first = await warp.set("user:1", { n: 1 });
    await warp.set("other", { n: 0 });
    await warp.delete("user:1");
    const items = await take(watch, 2);
    expect(items).toEqual([
      {
        kind: "set",
        key: "user:1",
        version: first.version,
        revision: first.version,
        shard: 0,
        cursor: expect.stringMatching(/^[0-9a-f]{16}\.1$/),
        value: { n: 1 },
        contentType: "application/json",
      },
      { kind: "delete", key: "user:1", version: 0, revision: 3, shard: 0, cursor: expect.any(String) },
    ]);
    expect(warp.stats().watches).toBe(0);
    expect(
      await take(warp.watch({ prefix: "user:" }, { from: { cursor: items[0]?.cursor ?? "" } }), 1),
    ).toEqual([items[1]]);
  });

  it("WA3 its cursor is behind what the loop has taken, also before the first item", async () => {
    const { warp } = watching(coreBed());
    const watch = warp.watch({ prefix: "" });
    expect(watch.cursor).toBeUndefined();
    await watch.ready;
    const start = watch.cursor;
    for (const value of [1, 2, 3]) await warp.set("k", value);
    expect(watch.cursor).toBe(start);
    const seen = new Set<string | undefined>();
    const decoding = watch[Symbol.asyncIterator]();
    const first = decoding.next();
    for (let turn = 0; turn < 20; turn++) {
      seen.add(watch.cursor);
      await Promise.resolve();
    }
    // What was on its way to the loop had not been taken.
    const { cursor } = (await first).value as WatchedItem;
    expect([...seen]).toEqual([start, cursor]);
    expect(watch.cursor).toBe(cursor);
    await decoding.return();
    const rest = await take(warp.watch({ prefix: "" }, { from: { cursor: watch.cursor ?? "" } }), 2);
    expect(rest.map((item) => (item.kind === "set" ? item.value : item))).toEqual([2, 3]);
  });

  it("WA4 begins with the state where that is asked for", async () => {
    const { warp } = watching(coreBed());
    await warp.set("a", 1);
    const watch = warp.watch<number>({ prefix: "" }, { from: "snapshot" });
    const [state] = await take(watch, 1);
    expect(state).toMatchObject({
      kind: "snapshot",
      first: true,
      done: true,
      entries: [{ key: "a", version: 1, value: 1, contentType: "application/json" }],
    });
  });

  it("a value that can't be decoded is told as such, and the watch goes on", async () => {
    const { warp } = watching(coreBed());
    const watch = warp.watch({ prefix: "" });
    await watch.ready;
    await warp.set("a", "text", { codec: textCodec });
    await warp.set("b", 2);
    const [bad, good] = await take(watch, 2);
    expect(bad).toMatchObject({ key: "a", value: undefined, error: { code: "decode_failed" } });
    expect(good).toMatchObject({ key: "b", value: 2 });
  });

  it("the callback form takes one item at a time; what it throws is an `error` event", async () => {
    const bed = coreBed();
    const { warp, errors } = watching(bed);
    const told: unknown[] = [];
    let busy = 0;
    const watch = warp.watch<number>(
      { prefix: "" },
      {
        onEvent: async (item) => {
          expect(busy++).toBe(0);
          await Promise.resolve();
          busy--;
          told.push(item.kind === "set" ? item.value : item.kind);
          if (told.length === 2) throw new Error("mine");
        },
      },
    );
    await watch.ready;
    for (const value of [1, 2, 3]) await warp.set("k", value);
    await bed.clock.settle();
    expect(told).toEqual([1, 2, 3]);
    expect(errors).toMatchObject([{ message: "mine" }]);
    watch.close();
    await warp.set("k", 4);
    await bed.clock.settle();
    expect(told).toHaveLength(3);
    expect(bed.leaks).toEqual([]);
  });

  it("ends quietly by its signal, by close and with its Warp, waiting or not, and is counted no more", async () => {
    const bed = coreBed();
    const { warp } = watching(bed);
    const control = new AbortController();
    const watches = [
      warp.watch({ key: "k" }, { signal: control.signal }),
      warp.watch({ key: "k" }),
      warp.watch({ key: "k" }),
    ];
    const reading = Promise.all(watches.map((watch) => take(watch, 1)));
    const unread = warp.watch({ key: "k" }, { signal: control.signal });
    await bed.clock.settle();
    expect(warp.stats().watches).toBe(4);
    control.abort();
    watches[1]?.close();
    expect(warp.stats().watches).toBe(1);
    await warp.close();
    expect(await reading).toEqual([[], [], []]);
    expect(await take(unread, 1)).toEqual([]);
    expect(warp.stats().watches).toBe(0);
    expect(() => warp.watch({ key: "k" })).toThrow(/closed/);
  });

  it("a watch that can't begin says why in its loop, by `ready`, or as an `error` event", async () => {
    const bed = coreBed();
    const { warp, errors } = watching(bed);
    const cursor = { from: { cursor: "no" } };
    expect(await codeOf(take(warp.watch({ key: "k" }, cursor), 1))).toBe("invalid_cursor");
    expect(await codeOf(warp.watch({ key: "" }).ready)).toBe("invalid_key");
    const aborted = warp.watch({ key: "k" }, { signal: AbortSignal.abort() });
    expect(await codeOf(take(aborted, 1))).toBe("aborted");
    warp.watch({ key: "k" }, { ...cursor, onEvent: () => {} });
    await bed.clock.settle();
    expect(errors).toMatchObject([{ code: "invalid_cursor" }]);
    expect(warp.stats().watches).toBe(0);
    const watch = warp.watch({ key: "k" }, { from: "snapshot" });
    await take(watch, 1);
    expect(await codeOf(take(watch, 1))).toBe("invalid_argument");
    expect(() => coreBed().node().warp.watch({ key: "k" })).toThrow(/without watching/);
  });
});

describe("warp.publish and scopes", () => {
  it("WB-01 publishes a value to who watches, and names where a retained one stands", async () => {
    const { warp } = watching(coreBed());
    const watch = warp.watch<string>({ prefix: "room:" });
    await watch.ready;
    expect((await warp.publish({ key: "room:1" }, "hi")).cursors).toEqual([]);
    const kept = await warp.publish({ prefix: "room" }, "all", { retained: true });
    const items = await take(watch, 2);
    expect(items).toMatchObject([
      { kind: "publish", key: "room:1", value: "hi", version: 0 },
      { kind: "publishPrefix", key: "room", value: "all", version: 0 },
    ]);
    expect(kept.cursors).toEqual([items[1]?.cursor]);
    expect(await codeOf(warp.publish({ key: "k" }, "x".repeat(65_535)))).toBe("value_too_large");
    expect(await codeOf(warp.publish({ key: "" }, 1))).toBe("invalid_key");
  });

  it("a scope watches its keys, a prefix of its ids, or one id, by its codec; and publishes to an id", async () => {
    const { warp } = watching(coreBed());
    const notes = warp.scope<string>("note:*", { codec: textCodec });
    const all = notes.watch();
    const some = notes.watch({ prefix: "a" });
    const one = notes.watch({ id: "b" });
    const exact = warp.scope<string>("note:b", { codec: textCodec }).watch();
    await Promise.all([all, some, one, exact].map(({ ready }) => ready));
    await warp.set("x", 1);
    await notes.set("a1", "first");
    await notes.publish("b", "second");
    const values = (items: WatchedItem<string>[]) =>
      items.map((item) => ("value" in item ? `${item.key} ${item.value}` : item.kind));
    expect(values(await take(all, 2))).toEqual(["note:a1 first", "note:b second"]);
    expect(values(await take(some, 1))).toEqual(["note:a1 first"]);
    expect(values(await take(one, 1))).toEqual(["note:b second"]);
    expect(values(await take(exact, 1))).toEqual(["note:b second"]);
    expect(() => notes.watch({ id: "a", prefix: "b" })).toThrow(/not both/);
  });
});
