import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { WatchedItem, WatchStatus } from "../../../src/client/live/types.ts";
import { isWarpError } from "../../../src/errors.ts";
import { shardOf } from "../../../src/protocol/key.ts";
import { parseWatchCursor } from "../../../src/watchbus/cursor.ts";
import { withClients } from "../../support/client-bed.ts";

const thrown = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

/** Beds of several databases: workerd lets a turn touch one object's storage alone. */
const severalIt = it.runIf(host.name === "node");

/** A key of each shard. */
function keysOf(shards: number): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    for (let n = 0; ; n++) if (shardOf(`k${n}`, shards) === shard) return `k${n}`;
  });
}

describe("watches", () => {
  severalIt(
    "WA2 WA3 of a prefix in several shards: one socket each, and a cursor that a node's watch takes, too",
    async () => {
      await withClients(
        async (bed) => {
          const keys = keysOf(3);
          const { client, wire } = bed.client();
          const items: WatchedItem<string>[] = [];
          const watch = client.watch<string>(
            { prefix: "k" },
            { from: "snapshot", onEvent: (item) => void items.push(item) },
          );
          await bed.until(watch.ready);
          await bed.clock.advance(50);
          expect(items.map(({ kind }) => kind)).toEqual(["snapshot", "snapshot", "snapshot"]);
          expect(items.map((item) => item.kind === "snapshot" && item.done)).toEqual([false, false, true]);
          for (const key of keys) await bed.until(client.set(key, key));
          await bed.clock.advance(50);
          expect(wire.lines).toBe(3);
          const { cursor = "" } = watch;
          expect(parseWatchCursor(cursor, 3).map(({ revision }) => revision)).toEqual([1, 1, 1]);
          watch.close();
          for (const key of keys) await bed.until(client.set(key, `${key}!`));
          const again = client.watch<string>({ prefix: "k" }, { from: { cursor } });
          const told: unknown[] = [];
          await bed.until(
            (async () => {
              for await (const item of again) if (told.push("value" in item && item.value) === 3) break;
            })(),
          );
          expect(told.sort()).toEqual(keys.map((key) => `${key}!`).sort());
        },
        { shards: 3 },
      );
    },
  );

  it("WA3 a watch that was told nothing resumes, too", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client();
      await bed.first.bed.set("other", "x");
      const watch = client.watch({ key: "k" });
      await bed.until(watch.ready);
      const { cursor = "" } = watch;
      expect(cursor).not.toBe("");
      watch.close();
      await bed.first.bed.set("k", "1");
      const next = client.watch({ key: "k" }, { from: { cursor } })[Symbol.asyncIterator]().next();
      expect((await bed.until(next)).value).toMatchObject({ kind: "set", key: "k", value: "1" });
    });
  });

  it("WA1 a cursor that is none, or of the future, ends the watch; so do options that there are not", async () => {
    await withClients(async (bed) => {
      await bed.first.bed.set("k", "1");
      const { client } = bed.client();
      const ends = async (options: object, target: object = { key: "k" }) =>
        await bed.until(thrown(client.watch(target as { key: string }, options).ready));
      expect(await ends({ from: { cursor: "nonsense" } })).toMatchObject({ code: "invalid_cursor" });
      expect(await ends({ from: { cursor: "0123456789abcdef.1~0123456789abcdef.1" } })).toMatchObject({
        code: "invalid_cursor",
      });
      const watch = client.watch({ key: "k" });
      await bed.until(watch.ready);
      const epoch = watch.cursor?.split(".")[0];
      expect(await ends({ from: { cursor: `${epoch}.99` } })).toMatchObject({ code: "invalid_cursor" });
      expect(await ends({ mode: "some" })).toMatchObject({ code: "invalid_argument" });
      expect(await ends({ ops: ["put"] })).toMatchObject({ code: "invalid_argument" });
      expect(await ends({}, { key: "" })).toMatchObject({ code: "invalid_key" });
      // What no shard would understand is not sent: it would end the session, and every other watch with it.
      for (const ops of [[], "set", ["set", "set", "set", "set", "set"]])
        expect(await ends({ ops })).toMatchObject({ code: "invalid_argument" });
      expect(await ends({ from: "start" })).toMatchObject({ code: "invalid_argument" });
      expect(await ends({ from: null })).toMatchObject({ code: "invalid_argument" });
      const targets = [{}, { key: "k", prefix: "k" }, { key: 1 }, { prefix: undefined }, "k", null];
      for (const target of targets as object[]) {
        expect(await ends({}, target)).toMatchObject({ code: "invalid_argument" });
      }
      expect(watch.status).toBe("live");
      for await (const _ of client.watch({ key: "k" }, { from: { cursor: "nonsense" } }))
        expect.unreachable();
    }).catch((error: unknown) => expect(isWarpError(error, "invalid_cursor")).toBe(true));
  });

  it("WA5 latest tells the newest of what waits, keys tells no values", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client();
      const latest = client.watch({ prefix: "" }, { mode: "latest" });
      const keys = client.watch({ prefix: "" }, { mode: "keys" });
      await bed.until(Promise.all([latest.ready, keys.ready]));
      for (let n = 0; n < 50; n++) {
        await bed.first.bed.set("a", `${n}`);
        await bed.clock.advance(20);
      }
      await bed.first.bed.set("b", "1");
      await bed.clock.advance(50);
      const take = async (watch: AsyncIterable<WatchedItem>, count: number) => {
        const items: unknown[] = [];
        for await (const item of watch) {
          items.push("key" in item && [item.key, "value" in item && item.value, "omitted" in item]);
          if (items.length === count) break;
        }
        return items;
      };
      expect(await bed.until(take(latest, 2))).toEqual([
        ["a", "49", false],
        ["b", "1", false],
      ]);
      expect(await bed.until(take(keys, 2))).toEqual([
        ["a", undefined, false],
        ["b", undefined, false],
      ]);
    });
  });

  it("WA7 what waits for a slow reader is bounded: the rest stays in the log, and nothing is lost", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client();
      const watch = client.watch<string>({ prefix: "" }, { ops: ["set"] });
      await bed.until(watch.ready);
      const statuses: WatchStatus[] = [];
      watch.onStatus((status) => statuses.push(status));
      const count = 400;
      for (let n = 0; n < count; n++) {
        await bed.first.bed.set("k", `${n}`.padStart(10_000, "."));
        if (n % 20 === 0) await bed.clock.advance(20);
      }
      await bed.clock.advance(100);
      expect(statuses).toEqual(["catching-up"]);
      const told: number[] = [];
      const reading = (async () => {
        for await (const item of watch) {
          told.push(Number("value" in item && item.value?.replaceAll(".", "")));
          if (told.length === count) break;
        }
      })();
      await bed.until(reading);
      expect(told).toEqual(Array.from({ length: count }, (_, n) => n));
    });
  });

  it("values: what the log has not is omitted, what can't be decoded is told as such, and the watch goes on", async () => {
    await withClients(async (bed) => {
      const { client } = bed.client();
      const items: WatchedItem[] = [];
      const watch = client.watch({ prefix: "" }, { onEvent: (item) => void items.push(item) });
      await bed.until(watch.ready);
      await bed.until(client.set("big", "x".repeat(20_000)));
      await bed.first.bed.set("bad", "{", {
        payload: { bytes: Uint8Array.of(123), contentType: "application/json" },
      });
      await bed.until(client.set("good", { a: 1 }));
      await bed.clock.advance(50);
      expect(items).toMatchObject([
        { kind: "set", key: "big", omitted: true, value: undefined },
        { kind: "set", key: "bad", value: undefined, error: { code: "decode_failed" } },
        { kind: "set", key: "good", value: { a: 1 }, contentType: "application/json" },
      ]);
    });
  });

  severalIt(
    "WB-01 WB-02 X-21 publications reach those who watch the key or a prefix of it, and by prefix those below and above",
    async () => {
      await withClients(
        async (bed) => {
          const { client } = bed.client();
          const heard: string[] = [];
          const ear = (name: string, target: { key: string } | { prefix: string }) =>
            client.watch(target, {
              ops: ["publish"],
              onEvent: (item) => void heard.push(`${name}:${"value" in item ? item.value : item.kind}`),
            });
          const watches = [
            ear("foo1", { key: "foo1" }),
            ear("foo*", { prefix: "foo" }),
            ear("f*", { prefix: "f" }),
            ear("b*", { prefix: "b" }),
          ];
          await bed.until(Promise.all(watches.map(({ ready }) => ready)));
          await bed.until(client.publish({ key: "foo1" }, "key"));
          await bed.clock.advance(50);
          expect(heard.splice(0).sort()).toEqual(["f*:key", "foo*:key", "foo1:key"]);
          await bed.until(client.publish({ prefix: "foo" }, "all", { retained: true }));
          await bed.clock.advance(50);
          expect(heard.splice(0).sort()).toEqual(["f*:all", "foo*:all", "foo1:all"]);
          const error = await bed.until(thrown(client.publish({ key: "foo1" }, "x".repeat(70_000))));
          expect(error).toMatchObject({ code: "value_too_large", outcome: "fail" });
        },
        { shards: 2 },
      );
    },
  );

  it("a watch opened offline begins when the deployment can be reached", async () => {
    await withClients(async (bed) => {
      const { client, signals } = bed.client();
      signals.give("offline");
      const watch = client.watch({ prefix: "" }, { from: "snapshot" });
      await bed.clock.advance(60_000);
      expect(watch.status).toBe("connecting");
      signals.give("online");
      await bed.until(watch.ready);
      await bed.clock.advance(10);
      expect(watch.status).toBe("live");
    });
  });

  it("WB-03 WB-04 a signal, close and leaving the loop end it quietly; once ended it leaves nothing behind", async () => {
    await withClients(async (bed) => {
      const { client, wire } = bed.client();
      const controller = new AbortController();
      const watch = client.watch({ prefix: "" }, { signal: controller.signal });
      const loop = (async () => {
        for await (const _ of watch) expect.unreachable();
      })();
      await bed.until(watch.ready);
      controller.abort();
      await bed.until(loop);
      watch.close();
      expect(watch.status).toBe("ended");
      const early = client.watch({ prefix: "" });
      early.close();
      expect(await thrown(early.ready)).toMatchObject({ code: "aborted" });
      for await (const _ of early) expect.unreachable();
      const errors: unknown[] = [];
      const failing = client.watch(
        { prefix: "" },
        {
          onEvent: () => {
            throw new Error("mine");
          },
          onError: (error) => errors.push(error),
        },
      );
      await bed.until(failing.ready);
      await bed.first.bed.set("k", "1");
      await bed.clock.advance(50);
      expect(errors).toMatchObject([{ message: "mine" }]);
      expect(failing.status).toBe("live");
      await client.close();
      await bed.clock.advance(20);
      expect(failing.status).toBe("ended");
      expect([wire.lines, errors.length]).toEqual([0, 1]);
      // What the shard still notes.
      await bed.clock.advance(5_000);
      expect(bed.clock.timers).toBe(0);
    });
  });
});
