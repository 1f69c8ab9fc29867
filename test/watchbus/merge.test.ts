import { expect, it } from "vitest";
import type { PushedEvent, ShardWatchListener, Watching } from "../../src/connection/watching.ts";
import { WarpError } from "../../src/errors.ts";
import type { WatchStart } from "../../src/protocol/wire/watch-frames.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { ShardWatch } from "../../src/watchbus/shard/shard-watch.ts";
import type { WatchItem } from "../../src/watchbus/watchbus.ts";
import { shortly } from "../contract/watchbus-bed.ts";

const epochs = ["00000000000000a0", "00000000000000a1", "00000000000000a2"];
const at = (shard: number, revision: number) => ({ epoch: epochs[shard] ?? "", revision });
const set = (key: string, revision: number, value = "x"): PushedEvent => ({
  kind: "set",
  key,
  version: revision,
  revision,
  payload: { bytes: utf8(value), contentType: "text/plain" },
});

/** A watch of three shards that the test plays. */
function bed(from: WatchStart = "now", mode: "all" | "latest" = "all") {
  const shards: ShardWatchListener[] = [];
  const calls: string[] = [];
  const watching: Watching = {
    watch: (shard, _filter, _from, listener) => {
      shards[shard] = listener;
      const called = (what: string) => void calls.push(`${what} ${shard}`);
      return {
        pause: () => {
          called("pause");
          return true;
        },
        resume: () => called("resume"),
        end: () => called("end"),
        show: () => {},
      };
    },
  };
  const watch = new ShardWatch({
    watching,
    filter: { target: { prefix: "" }, mode },
    starts: epochs.map((_, shard) => ({ shard, from })),
    ended: () => void calls.push("ended"),
  });
  const items: WatchItem[] = [];
  let end: unknown;
  const read = () =>
    (async () => {
      for await (const batch of watch) items.push(...batch);
      end = "quietly";
    })().catch((error: unknown) => {
      end = error;
    });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 30; turn++) await Promise.resolve();
  };
  const shard = (index: number): ShardWatchListener => {
    const listener = shards[index];
    if (listener === undefined) throw new Error(`no shard ${index}`);
    return listener;
  };
  return { watch, shard, items, calls, read, settle, end: () => end };
}

it("WA3 a cursor over several shards has a place for each, and moves with what was taken", async () => {
  const { watch, shard, items, read, settle } = bed();
  for (const index of [0, 1, 2]) shard(index).begun(at(index, 10 * index));
  await watch.opened;
  expect(watch.cursor).toBe(`${epochs[0]}.0~${epochs[1]}.10~${epochs[2]}.20`);
  shard(1).events([set("a", 11), set("b", 12)], at(1, 15));
  shard(0).events([set("c", 3)], at(0, 3));
  expect(watch.cursor).toBe(`${epochs[0]}.0~${epochs[1]}.10~${epochs[2]}.20`);
  void read();
  await settle();
  expect(items.map(({ cursor }) => cursor)).toEqual([
    `${epochs[0]}.0~${epochs[1]}.11~${epochs[2]}.20`,
    `${epochs[0]}.0~${epochs[1]}.12~${epochs[2]}.20`,
    `${epochs[0]}.3~${epochs[1]}.15~${epochs[2]}.20`,
  ]);
  shard(2).events([], at(2, 99));
  await settle();
  expect(watch.cursor).toBe(`${epochs[0]}.3~${epochs[1]}.15~${epochs[2]}.99`);
});

it("WA4 a snapshot of several shards is whole when the last of them is, and has no cursor before", async () => {
  const { watch, shard, items, read, settle } = bed("snapshot");
  const key = (name: string) => ({ key: name, version: 1, payload: undefined });
  shard(0).state([key("a")], true, at(0, 1));
  shard(1).state([key("b")], true, undefined);
  shard(2).state([], true, at(2, 0));
  await watch.opened;
  void read();
  await settle();
  shard(0).events([set("a", 2)], at(0, 2));
  shard(1).state([key("c")], false, at(1, 7));
  await settle();
  expect(items.map(shortly)).toEqual(["[a]", "[b]", "[]", "set a=x", "[c]!"]);
  expect(items.map(({ cursor }) => cursor === undefined)).toEqual([true, true, true, true, false]);
  shard(1).gap("epoch");
  shard(1).state([key("d")], true, at(1, 9));
  await settle();
  expect(items.slice(5).map(shortly)).toEqual(["gap epoch", "[d]!"]);
});

it("WA5 in the mode `latest` of what waits the newest of each key is told", async () => {
  const { shard, items, read, settle } = bed("now", "latest");
  for (const index of [0, 1, 2]) shard(index).begun(at(index, 0));
  shard(0).events([set("a", 1, "1"), set("b", 2, "2")], at(0, 2));
  shard(0).events([set("a", 3, "3")], at(0, 3));
  void read();
  await settle();
  expect(items.map(shortly)).toEqual(["set b=2", "set a=3"]);
});

it("WA7 shards whose events wait for the reader are paused, and go on when it has come nearer", async () => {
  const { shard, items, calls, read, settle } = bed();
  for (const index of [0, 1, 2]) shard(index).begun(at(index, 0));
  const large = "x".repeat(600_000);
  shard(0).events([set("a", 1, large)], at(0, 1));
  expect(calls).toEqual([]);
  shard(1).events([set("b", 1, large)], at(1, 1));
  expect(calls).toEqual(["pause 1"]);
  shard(1).events([set("b", 2)], at(1, 2));
  expect(calls).toEqual(["pause 1"]);
  void read();
  await settle();
  expect(items).toHaveLength(3);
  expect(calls).toEqual(["pause 1", "resume 1"]);
});

it("what a shard ends a watch with is thrown after all that it told; the others end", async () => {
  const { shard, items, calls, read, settle, end } = bed();
  for (const index of [0, 1, 2]) shard(index).begun(at(index, 0));
  shard(0).events([set("a", 1)], at(0, 1));
  shard(2).failed(new WarpError("forbidden", "no"));
  void read();
  await settle();
  expect(items.map(shortly)).toEqual(["set a=x"]);
  expect(end()).toMatchObject({ code: "forbidden" });
  expect(calls).toEqual(["end 0", "end 1", "end 2", "ended"]);
});
