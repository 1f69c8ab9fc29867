import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { allCities } from "../../examples/cities/cities.ts";
import { Expectation } from "../../examples/cities/expectation.ts";
import { zipf } from "../../examples/cities/zipf.ts";
import { checkKey, shardTag } from "../../src/protocol/key.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { mark, marked, startScript } from "../support/serve.ts";

test("npm run demo: 138,398 of 138,398 right, nothing left running", async () => {
  const env = mark();
  const demo = startScript("examples/cities/demo.ts", ["--seconds", "2"], env);
  expect(await demo.exit, demo.output()).toBe(0);
  expect(demo.output()).toMatch(/^138,398 of 138,398 right$/m);
  expect(demo.output()).toMatch(/^imported 138,398 in [\d.]+ s: [\d,]+ records\/s$/m);
  const [, reads, all] = /^load: ([\d,]+) of ([\d,]+) reads right$/m.exec(demo.output()) ?? [];
  expect(reads).toBe(all);
  console.log(demo.output().replace(/^(import|read back): .*\n/gm, ""));
  expect(marked(env)).toEqual([]);
}, 180_000);

test.skipIf(redisOrSkip())(
  "AD2 npm run demo -- --store upstash: 138,398 of 138,398 right in the shard and in Redis, nothing left running",
  async () => {
    const env = mark();
    const demo = startScript("examples/cities/demo.ts", ["--seconds", "2", "--store", "upstash"], env);
    expect(await demo.exit, demo.output()).toBe(0);
    expect(demo.output()).toMatch(/^Redis itself: 138,398 of 138,398 right$/m);
    expect(demo.output()).toMatch(/^138,398 of 138,398 right$/m);
    console.log(demo.output().replace(/^(import|read back|read Redis): .*\n/gm, ""));
    expect(marked(env)).toEqual([]);
  },
  300_000,
);

test("npm run demo -- --store upstash says what to install where there is no redis-server", async () => {
  const PATH = dirname(process.execPath);
  const demo = startScript("examples/cities/demo.ts", ["--store", "upstash"], { PATH });
  expect(await demo.exit).toBe(1);
  expect(demo.output()).toMatch(/redis-server is not installed \(Debian: apt-get install redis-server\)/);
});

test("npm run demo -- --store elsewhere is refused", async () => {
  const demo = startScript("examples/cities/demo.ts", ["--store", "elsewhere"]);
  expect(await demo.exit).toBe(2);
  expect(demo.output()).toContain("--store takes upstash");
});

describe("the demo's parts", () => {
  test("each record has a key of its own, within bounds and without a shard tag", () => {
    const records = allCities();
    expect(records).toHaveLength(138_398);
    expect(new Set(records.map(({ key }) => key)).size).toBe(138_398);
    for (const { key } of records) {
      checkKey(key);
      expect(shardTag(key)).toBe(key);
    }
  });

  test("the check of reads lets pass what eventual mode allows, and nothing else", () => {
    const key = new Expectation(1, "one");
    expect(key.reading(0, 0)(1, "one")).toBeUndefined();
    expect(key.reading(0, 0)(1, "other")).toMatch(/is other, should be one/);
    key.begin("two");
    const overtaken = key.reading(0, 10);
    expect(key.reading(1, 10)(2, "two"), "a write whose answer is on its way").toBeUndefined();
    key.acknowledge(2, "two", 20);
    expect(overtaken(1, "one"), "within the bound").toBeUndefined();
    expect(key.reading(1, 30)(1, "one"), "back at one isolate").toMatch(/older than 2/);
    expect(key.reading(0, 5_019)(1, "one")).toBeUndefined();
    expect(key.reading(0, 5_021)(1, "one"), "after the bound").toMatch(/older than 2/);
    expect(key.reading(0, 5_021)(2, "one")).toMatch(/should be two/);
  });

  test("Zipf's law: the first rank comes about twice as often as the second", () => {
    const rank = zipf(1_000);
    const counts = new Uint32Array(1_000);
    for (let draw = 0; draw < 100_000; draw++) {
      const drawn = rank();
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    expect((counts[0] ?? 0) / (counts[1] ?? 1)).toBeGreaterThan(1.7);
    expect((counts[0] ?? 0) / (counts[1] ?? 1)).toBeLessThan(2.3);
    expect(counts.findLastIndex((count) => count > 0)).toBeGreaterThan(900);
  });
});
