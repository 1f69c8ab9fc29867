import { describe, expect, test } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { StoreBed, shown } from "./bed.ts";

describe("a store shows the keys of its prefix", () => {
  test("it begins with the state, then follows each change; other keys are none of its business", async () => {
    const bed = new StoreBed(3);
    for (let n = 0; n < 10; n++) bed.space.write(`card:${n}`, n);
    bed.space.write("other", 1);
    const { store, client } = bed.page();
    expect(store.status).toBe("idle");
    expect(store.get("card:1")).toBeUndefined();
    expect(client.watches).toEqual([]);
    client.isAuto = false;
    await store.init();
    expect(store.status).toBe("loading");
    client.isAuto = true;
    client.pump();
    await store.ready;
    expect(store.status).toBe("live");
    expect(store.snapshot().size).toBe(10);
    expect([...store.snapshot().keys()]).toEqual([...store.snapshot().keys()].sort());
    bed.space.write("card:3", "new");
    bed.space.write("card:4", undefined);
    bed.space.write("card:5", undefined, {}, "expire");
    await bed.clock.settle();
    const { version } = bed.space.shardOf("card:3").keys.get("card:3") ?? {};
    expect(store.get("card:3")).toEqual({ value: "new", version, stale: false, pending: false });
    expect(store.get("card:4")).toBeUndefined();
    expect([...store.snapshot()].map(([key, { value }]) => [key, value])).toEqual(
      Object.entries(bed.space.state("card:")),
    );
  });

  test("what has not changed is the same object, and so is the map of all", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", { n: 1 });
    bed.space.write("card:b", { n: 1 });
    const { store } = await bed.live();
    const [all, a] = [store.snapshot(), store.get("card:a")];
    expect(store.snapshot()).toBe(all);
    expect(store.get("card:a")).toBe(a);
    bed.space.write("card:b", { n: 2 });
    await bed.clock.settle();
    expect(store.get("card:a")).toBe(a);
    expect(store.snapshot()).not.toBe(all);
    expect(store.snapshot().get("card:a")).toBe(a);
  });

  test("listeners are told of their key, or of all keys of a change; one that throws keeps nobody from being told", async () => {
    const bed = new StoreBed();
    const { store, errors } = await bed.live();
    const told: string[] = [];
    store.subscribe("card:a", () => {
      throw new Error("a listener's own trouble");
    });
    const off = store.subscribe("card:a", (keys) => told.push(`a: ${keys}`));
    store.subscribe(undefined, (keys) => told.push(`all: ${keys}`));
    bed.space.write("card:a", 1);
    await bed.clock.settle();
    bed.space.write("card:b", 1);
    await bed.clock.settle();
    expect(told).toEqual(["a: card:a", "all: card:a", "all: card:b"]);
    expect(errors).toEqual(["internal card:a"]);
    off();
    off();
    bed.space.write("card:a", 2);
    await bed.clock.settle();
    expect(told.slice(3)).toEqual(["all: card:a"]);
  });

  test("values that the log leaves out are read; until then what was known is shown as stale", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", "small");
    bed.space.write("card:b", "b".repeat(60));
    const { store, client } = await bed.live();
    await bed.clock.advance(200);
    expect(store.get("card:b")?.value).toBe("b".repeat(60));
    client.isAuto = false;
    bed.space.write("card:a", "a".repeat(60));
    client.watches[0]?.step(0);
    await bed.clock.settle();
    expect(shown(store)[0]).toBe("card:a small@1~");
    await bed.clock.advance(200);
    client.calls.shift()?.run();
    await bed.clock.settle();
    expect(store.get("card:a")).toMatchObject({ value: "a".repeat(60), version: 3, stale: false });
    expect(client.reads).toEqual(["card:b", "card:a"]);
  });

  test("a read that the watch has overtaken counts for nothing", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    client.isAuto = false;
    bed.space.write("card:a", "a".repeat(60));
    client.watches[0]?.step(0);
    await bed.clock.advance(200);
    expect(client.calls).toHaveLength(1);
    client.calls.shift()?.run();
    bed.space.write("card:a", undefined);
    client.watches[0]?.step(0);
    await bed.clock.settle();
    expect(store.get("card:a")).toBeUndefined();
  });
});

describe("stale marks", () => {
  test("everything is stale while the watch is not live, and all are told", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const { store, client } = await bed.live();
    const told: string[] = [];
    store.subscribe("card:a", () => told.push(shown(store).join()));
    client.go(false);
    expect(store.status).toBe("stale");
    bed.space.write("card:a", 2);
    client.go(true);
    await bed.clock.settle();
    expect(store.status).toBe("live");
    expect(told.at(0)).toBe("card:a 1@1~");
    expect(told.at(-1)).toBe("card:a 2@2");
  });

  test("WA2 after a gap what is known stays as stale until the state is whole; then what is not in it is gone", async () => {
    const bed = new StoreBed(2);
    for (let n = 0; n < 12; n++) bed.space.write(`card:${n}`, n);
    const { store, client } = await bed.live();
    client.go(false);
    bed.space.write("card:3", undefined);
    bed.space.write("card:4", "new");
    bed.space.compact();
    client.isAuto = false;
    client.go(true);
    const [watch] = client.watches;
    if (watch === undefined) throw new Error("no watch");
    watch.step(0);
    watch.step(1);
    await bed.clock.settle();
    expect(store.snapshot().size).toBe(12);
    expect([...store.snapshot().values()].every(({ stale }) => stale)).toBe(true);
    client.isAuto = true;
    client.pump();
    await bed.clock.settle();
    expect(store.status).toBe("live");
    expect([...store.snapshot()].map(([key, { value }]) => [key, value])).toEqual(
      Object.entries(bed.space.state("card:")),
    );
  });

  test("a shard that lost its storage: its lower versions count", async () => {
    const bed = new StoreBed();
    for (let n = 0; n < 5; n++) bed.space.write("card:a", n);
    bed.space.write("card:b", 1);
    const { store } = await bed.live();
    bed.space.lose(0, [["card:a", "restored"]]);
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a restored@1"]);
  });

  test("several shards that lost their storage one after the other: what was told of each of them stays", async () => {
    const bed = new StoreBed(3);
    const keyOf = (at: number, n: number): string => {
      for (let tried = 0; ; tried++) {
        const key = `card:${n}-${tried}`;
        if (bed.space.indexOf(key) === at) return key;
      }
    };
    for (let at = 0; at < 3; at++) bed.space.write(keyOf(at, 0), "before");
    for (const session of ["known", "new"]) {
      const { store, client } = bed.page();
      if (session === "known") {
        await store.init();
        await bed.clock.settle();
      }
      client.isAuto = false;
      if (session === "new") await store.init();
      const [watch] = client.watches;
      const lose = async (at: number): Promise<void> => {
        bed.space.lose(
          at,
          [1, 2, 3, 4].map((n) => [keyOf(at, n), session] as const),
        );
        watch?.step(at);
        await bed.clock.settle();
      };
      await lose(0);
      await lose(1);
      for (let n = 0; n < 3; n++) watch?.step(0);
      await bed.clock.settle();
      await lose(2);
      client.pump();
      await bed.clock.settle();
      expect(store.status).toBe("live");
      expect([...store.snapshot()].map(([key, { value }]) => [key, value])).toEqual(
        Object.entries(bed.space.state("card:")),
      );
    }
  });

  test("a cursor of another number of shards is let go of: the state again", async () => {
    const bed = new StoreBed(2);
    bed.space.write("card:a", 1);
    const { store, client } = await bed.live();
    client.watches[0]?.fail(new WarpError("invalid_cursor", "foreign"));
    await bed.clock.settle();
    expect(client.watches).toHaveLength(2);
    expect(store.status).toBe("live");
    expect(store.get("card:a")?.value).toBe(1);
  });
});

describe("bounds", () => {
  test("of more keys than maxEntries those that changed longest ago are left out", async () => {
    const bed = new StoreBed();
    const { store } = await bed.live({ maxEntries: 3 });
    const off = store.subscribe("card:0", () => {});
    for (let n = 0; n < 6; n++) {
      bed.space.write(`card:${n}`, n);
      await bed.clock.settle();
    }
    expect([...store.snapshot().keys()]).toEqual(["card:0", "card:4", "card:5"]);
    off();
  });

  test("ttlMs: what was not confirmed for so long is no longer shown, until it is confirmed again", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const { store, client } = await bed.live({ ttlMs: 1_000 });
    await bed.clock.advance(10_000);
    expect(store.get("card:a")?.stale).toBe(false);
    client.go(false);
    await bed.clock.advance(999);
    expect(shown(store)).toEqual(["card:a 1@1~"]);
    await bed.clock.advance(1);
    expect(shown(store)).toEqual([]);
    client.go(true);
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a 1@1"]);
    expect(client.watches).toHaveLength(1);
  });

  test("options out of range are refused by name", () => {
    const bed = new StoreBed();
    expect(() => bed.page({ ttlMs: 0 })).toThrow(/ttlMs/);
    expect(() => bed.page({ maxEntries: 0 })).toThrow(/maxEntries/);
  });
});

describe("ends", () => {
  test("what may no longer be watched is no longer shown", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const { store, client, errors } = await bed.live();
    client.watches[0]?.fail(new WarpError("forbidden", "the rights have ended"));
    await bed.clock.settle();
    expect(store.status).toBe("idle");
    expect(shown(store)).toEqual([]);
    expect(errors).toEqual(["forbidden"]);
  });

  test("a watch that ends for another reason leaves what is shown as stale; init goes on", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const { store, client, errors } = await bed.live();
    client.watches[0]?.fail(new WarpError("token_expired", "the token has ended"));
    await bed.clock.settle();
    expect(store.status).toBe("ended");
    expect(shown(store)).toEqual(["card:a 1@1~"]);
    expect(errors).toEqual(["token_expired"]);
    await store.init();
    await store.ready;
    expect(shown(store)).toEqual(["card:a 1@1"]);
  });

  test("ready rejects with what keeps the store from being live", async () => {
    const bed = new StoreBed();
    const { store, client } = bed.page();
    client.watchRefusal = new WarpError("space_not_found", "no such space");
    const ready = store.ready;
    await store.init();
    await expect(ready).rejects.toMatchObject({ code: "space_not_found" });
  });

  test("a closed store refuses, is told nothing and lets go of its client", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    await store.close();
    await store.close();
    expect(client.watches[0]?.isOver).toBe(true);
    expect(bed.clock.timers).toBe(0);
    await expect(store.set("card:a", 1)).rejects.toMatchObject({ code: "warp_closed" });
    await expect(store.init()).rejects.toMatchObject({ code: "warp_closed" });
  });
});
