/** About 2 s: what judges the runs over storage and fallback, held against histories in which something is wrong. */

import { describe, expect, test } from "vitest";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { missedWrites, type NotedRead, type NotedWrite, Notes } from "../support/outage/notes.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { StoredSpace, valuesSet } from "../support/storage-chaos/stored.ts";

function history(write: Partial<NotedWrite>, read: Partial<NotedRead>): Notes {
  const notes = new Notes();
  const at = { key: "e:a", node: "one" };
  notes.writes.push({ ...at, value: 1, sentMs: 0, ackMs: 10, provisional: false });
  notes.writes.push({ ...at, value: 2, sentMs: 100, ackMs: 110, provisional: false, ...write });
  notes.reads.push({
    ...at,
    value: 1,
    node: "two",
    sentMs: 1_111,
    ackMs: 1_120,
    cache: "hit",
    marked: false,
    ...read,
  });
  return notes;
}

describe("missedWrites", () => {
  test.each([
    ["another node's copy beyond the bound", {}, {}, 1],
    ["the same within the bound", {}, { sentMs: 1_109 }, 0],
    ["the same, marked", {}, { marked: true }, 0],
    ["another node's provisional write", { provisional: true }, {}, 0],
    ["an own write", {}, { node: "one", sentMs: 111 }, 1],
    ["an own provisional write", { provisional: true }, { node: "one", sentMs: 111 }, 1],
    ["an own write, marked", {}, { node: "one", sentMs: 111, marked: true }, 1],
    ["an own write that was under way", {}, { node: "one", sentMs: 109 }, 0],
    ["a value that is not known as written yet", {}, { value: 3 }, 0],
    ["nothing at all", {}, { value: null }, 1],
  ] as const)("%s", (_, write, read, count) => {
    expect(missedWrites(history(write, read), 1_000)).toHaveLength(count);
  });
});

test.skipIf(redisOrSkip())("valuesSet reads what Redis notes of scripts, batch by batch", async () => {
  const redis = await LocalRedis.start();
  try {
    await redis.monitor();
    const form = (version: number, value: number) =>
      `warp1;0123456789abcdef;${version};1;;application%2Fjson;;${Buffer.from(String(value)).toString("base64")}`;
    const script = `
      redis.call('MSET', 'warp:{s}:v:a', ARGV[1], 'warp:{s}:v:b', ARGV[2])
      redis.call('SET', 'warp:{s}:v:"c\\\\', ARGV[3], 'PXAT', '99999999999999')
      redis.call('HSET', 'warp:{s}:pos', '0', 'e.3.0')`;
    await redis.command("EVAL", script, "0", form(1, 10), form(2, 20), form(3, 30));
    await redis.command("EVAL", script, "0", form(4, 40), form(5, 50), form(6, 60));
    await redis.command("SET", "warp:{s}:v:d", form(7, 70));
    const versions = valuesSet(await redis.monitored(), "s").map((batch) =>
      batch.map(({ version }) => version),
    );
    expect(versions).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const stored = new StoredSpace(redis, "s");
    expect([...(await stored.keys())].sort()).toEqual(['"c\\', "a", "b", "d"]);
    expect((await stored.read(["a", "none"])).get("a")).toEqual({
      epoch: "0123456789abcdef",
      version: 4,
      value: 40,
    });
  } finally {
    await redis.end();
  }
});
