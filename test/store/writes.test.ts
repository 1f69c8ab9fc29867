import { describe, expect, test } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { StoreBed, shown } from "./bed.ts";

describe("writes are shown at once", () => {
  test("pending until the answer comes, whichever of answer and event is first", async () => {
    const bed = new StoreBed();
    for (const isEventFirst of [true, false]) {
      const { store, client } = await bed.live();
      client.isAuto = false;
      const key = `card:${isEventFirst}`;
      const told: string[] = [];
      store.subscribe(key, () => told.push(`${store.get(key)?.version} ${store.get(key)?.pending}`));
      const written = store.set(key, "mine");
      expect(store.get(key)).toEqual({ value: "mine", version: 0, stale: false, pending: true });
      client.calls.shift()?.run();
      if (isEventFirst) client.watches[0]?.step(0);
      const done = await written;
      client.watches[0]?.step(0);
      await bed.clock.settle();
      expect(done).toMatchObject({ version: bed.space.shardOf(key).revision });
      expect(store.get(key)).toMatchObject({ value: "mine", pending: false });
      const { version } = store.get(key) ?? {};
      expect(told.at(0)).toBe("0 true");
      expect(told.at(-1)).toBe(`${version} false`);
      await store.close();
    }
  });

  test("an acknowledged write is not taken back by an older event that comes late", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    const told: number[] = [];
    store.subscribe("card:a", () => told.push(store.get("card:a")?.version ?? 0));
    client.isAuto = false;
    bed.space.write("card:a", "theirs");
    const written = store.set("card:a", "mine");
    client.calls.shift()?.run();
    await written;
    expect(shown(store)).toEqual(["card:a mine@2"]);
    client.watches[0]?.step(0);
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a mine@2"]);
    expect(told).toEqual([0, 2]);
  });

  test("what others write meanwhile is shown once one's own is settled", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    client.isAuto = false;
    const written = store.set("card:a", "mine");
    const call = client.calls.shift();
    call?.run();
    bed.space.write("card:a", "theirs");
    client.watches[0]?.step(0);
    await written;
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a theirs@2"]);
  });

  test("deletes too: gone at once, and an acknowledged one is not undone by an older event", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const { store, client } = await bed.live();
    client.isAuto = false;
    bed.space.write("card:a", 2);
    const deleted = store.delete("card:a");
    expect(shown(store)).toEqual([]);
    client.calls.shift()?.run();
    await deleted;
    expect(shown(store)).toEqual([]);
    bed.space.write("card:a", 3);
    expect(shown(store)).toEqual([]);
    client.isAuto = true;
    client.pump();
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a 3@4"]);
  });

  test("an answer that comes after the watch has told what came after it counts for nothing, soon or late", async () => {
    for (const ms of [0, 1_000]) {
      const bed = new StoreBed();
      const { store, client } = await bed.live();
      client.isAuto = false;
      const written = store.set("card:a", 1);
      client.calls[0]?.carryOut();
      bed.space.write("card:a", undefined);
      client.watches[0]?.step(0);
      await bed.clock.advance(ms);
      expect(shown(store)).toEqual(["card:a 1@0*"]);
      const told: string[] = [];
      store.subscribe("card:a", () => told.push(shown(store).join()));
      client.calls.shift()?.run();
      await written;
      await bed.clock.settle();
      expect(shown(store)).toEqual([]);
      expect(told).toEqual([""]);
    }
  });

  test("a delete that is told before the late answer to the set before it stays", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    client.isAuto = false;
    const written = store.set("card:a", 1);
    let isTold = false;
    void written.then(() => {
      isTold = true;
    });
    // The event overtakes the answer: the promise is settled, its reader has not run.
    client.calls.shift()?.run();
    bed.space.write("card:a", undefined);
    client.watches[0]?.step(0);
    expect(isTold).toBe(false);
    await bed.clock.settle();
    expect(shown(store)).toEqual([]);
  });

  test("writes of one key are sent one after the other, those of several at once", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    client.isAuto = false;
    const writes = [
      store.set("card:a", 1),
      store.set("card:a", 2),
      store.set("card:b", 1),
      store.delete("card:a"),
    ];
    expect(client.calls).toHaveLength(2);
    expect(shown(store)).toEqual(["card:b 1@0*"]);
    for (let n = 0; n < 4; n++) {
      client.calls.shift()?.run();
      await bed.clock.settle();
    }
    await Promise.all(writes);
    expect(bed.space.state()).toEqual({ "card:b": 1 });
    expect(shown(store)).toEqual(["card:b 1@2"]);
  });

  test("keys beyond the prefix, and writes before init, are refused", async () => {
    const bed = new StoreBed();
    const { store } = bed.page();
    await expect(store.set("card:a", 1)).rejects.toMatchObject({ code: "invalid_argument" });
    await store.init();
    await expect(store.set("other", 1)).rejects.toMatchObject({ code: "invalid_key" });
  });
});

describe("what is refused is taken back", () => {
  test("a conflict: the caller is told, and what is shown then is the true value", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", "first");
    const { store, client } = await bed.live();
    client.isAuto = false;
    bed.space.write("card:a", "theirs");
    const told: string[] = [];
    store.subscribe("card:a", () => told.push(shown(store).join()));
    const written = store.set("card:a", "mine", { ifVersion: 1 });
    client.calls.shift()?.run();
    await bed.clock.settle();
    // The key is read before anything else is shown.
    client.calls.shift()?.run();
    await expect(written).rejects.toMatchObject({ code: "precondition_failed" });
    expect(shown(store)).toEqual(["card:a theirs@2"]);
    expect(told.filter((line) => line.includes("first@"))).toEqual([]);
  });

  test("a refused write leaves those after it", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 0);
    const { store, client } = await bed.live();
    client.isAuto = false;
    const first = store.set("card:a", 1, { ifAbsent: true });
    const second = store.set("card:a", 2);
    client.calls.shift()?.run();
    await bed.clock.settle();
    client.calls.shift()?.run();
    await expect(first).rejects.toMatchObject({ code: "precondition_failed" });
    expect(store.get("card:a")).toMatchObject({ value: 2, pending: true });
    client.calls.shift()?.run();
    await second;
    expect(store.get("card:a")).toMatchObject({ value: 2, pending: false });
  });

  test("OU1 of unknown fate: it is taken back, and shown again if the watch tells that it was done", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    client.isAuto = false;
    const written = store.set("card:a", 1);
    bed.space.write("card:a", 1);
    client.calls.shift()?.lost();
    await expect(written).rejects.toMatchObject({ outcome: "unknown" });
    expect(shown(store)).toEqual([]);
    client.pump();
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a 1@1"]);
  });
});

test("an answer of a life of the storage that is over by now counts for nothing", async () => {
  const bed = new StoreBed();
  for (let n = 0; n < 5; n++) bed.space.write("card:a", n);
  const { store, client } = await bed.live();
  client.isAuto = false;
  const written = store.set("card:a", "late");
  client.calls[0]?.carryOut();
  bed.space.lose(0, [["card:a", "restored"]]);
  for (let n = 0; n < 3; n++) client.watches[0]?.step(0);
  await bed.clock.settle();
  client.calls.shift()?.run();
  await written;
  client.pump();
  await bed.clock.settle();
  expect(shown(store)).toEqual(["card:a restored@1"]);
});

describe("beyond maxEntries", () => {
  test("what a write is shown over is not left out: its version stays, and a refusal takes the write back", async () => {
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const { store, client } = await bed.live({ maxEntries: 1 });
    client.isAuto = false;
    const refused = store.set("card:a", 2, { ifAbsent: true }).catch(() => {});
    bed.space.write("card:b", 1);
    client.watches[0]?.step(0);
    await bed.clock.advance(1_000);
    expect(shown(store)).toEqual(["card:a 2@1*"]);
    for (let n = 0; n < 3; n++) {
      client.calls.shift()?.run();
      await bed.clock.settle();
    }
    await refused;
    expect(shown(store)).toEqual(["card:a 1@1"]);
  });
});

describe("while nobody can be reached", () => {
  test("WA12 writes wait in the client's queue, are shown as pending and settle in order", async () => {
    const bed = new StoreBed();
    const { store, client, errors } = await bed.live();
    client.go(false);
    expect(await store.set("card:a", 1)).toEqual({ queued: "op-1" });
    expect(await store.set("card:b", 1, { ifVersion: 7 })).toEqual({ queued: "op-2" });
    expect(await store.set("card:a", 2)).toEqual({ queued: "op-3" });
    expect(shown(store)).toEqual(["card:a 2@0~*", "card:b 1@0~*"]);
    client.go(true);
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a 2@2"]);
    expect(errors).toEqual(["precondition_failed card:b"]);
  });

  test("what the application drops from the queue is taken back, also at once", async () => {
    const bed = new StoreBed();
    const { store, client, errors } = await bed.live();
    client.go(false);
    const written = store.set("card:a", 1);
    // Before the store has been told that it is queued.
    client.drop(new WarpError("aborted", "dropped"));
    await written;
    await bed.clock.settle();
    expect(shown(store)).toEqual([]);
    expect(errors).toEqual(["aborted card:a"]);
  });

  test("offline: fail is refused and taken back", async () => {
    const bed = new StoreBed();
    const { store, client } = await bed.live();
    client.go(false);
    await expect(store.set("card:a", 1, { offline: "fail" })).rejects.toMatchObject({ code: "unavailable" });
    expect(shown(store)).toEqual([]);
  });
});
