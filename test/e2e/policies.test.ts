import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, temporaryFolder } from "../support/serve.ts";
import { startUserWorker, type UserNode } from "../support/user-worker.ts";

const hourMs = 3_600_000;
/** Long enough for a copy's `cacheTtlMs` where a test has to wait for its end. */
const ttlMs = 300;
const softTtlMs = 3_000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let worker: Awaited<ReturnType<typeof startUserWorker>>;
/** The isolate under test, and another that writes. */
let node: UserNode;
let writer: UserNode;

beforeAll(async () => {
  folder = await temporaryFolder();
  worker = await startUserWorker({
    folder: folder.path,
    isolates: 2,
    policies: {
      "grace:*": { cacheTtlMs: ttlMs, graceMs: hourMs },
      "soft:*": { cacheTtlMs: softTtlMs, graceMs: hourMs, softTimeoutMs: 50 },
      "hard:*": { hardTimeoutMs: 300 },
      "eager:*": { mode: "local", cacheTtlMs: 20_000, eagerRefresh: 0.95 },
      "sliding:*": { mode: "local", cacheTtlMs: 1_500, sliding: true, maxLifeMs: 3_000 },
      "adaptive:*": {
        mode: "local",
        adaptive: { kind: "window", windowMs: 20_000, threshold: 5, coldTtlMs: ttlMs, hotTtlMs: hourMs },
      },
      "absent:*": { mode: "local", negativeTtlMs: 2_000 },
    },
  });
  const [first, second] = worker.nodes;
  if (first === undefined || second === undefined) throw new Error("two isolates were asked for");
  [node, writer] = [first, second];
});

afterEach(async () => {
  await node.trouble({});
});

afterAll(async () => {
  await worker?.stop();
  await folder?.[Symbol.asyncDispose]();
});

/** A key whose first value the isolate under test holds, while another isolate has written a second one. */
async function outdated(key: string): Promise<void> {
  await writer.write(key, "old");
  expect(await node.read(key)).toMatchObject({ value: "old", cache: "miss", stale: false });
  await writer.write(key, "new");
}

test("CO5 CO6 grace: while the shards are away a stale copy is given and marked, and the new value once they are back", async () => {
  await outdated("grace:1");
  await sleep(ttlMs + 50);
  const before = await node.stats();
  await node.trouble({ fails: true });
  const given = await node.read("grace:1");
  expect(given).toMatchObject({ value: "old", cache: "stale", stale: true });
  expect(given.ageMs).toBeGreaterThanOrEqual(ttlMs);
  expect(await node.read("grace:none"), "a key without a copy").toHaveProperty("error");
  const after = await node.stats();
  expect({ stale: after.stale - before.stale, hits: after.hits - before.hits }).toEqual({
    stale: 1,
    hits: 0,
  });

  await node.trouble({});
  expect(await eventually(async () => (await node.read("grace:1")).value === "new")).toBe(true);
  expect(await node.read("grace:1")).toMatchObject({ value: "new", stale: false });
});

test("CO5 CO6 soft time-out: a slow shard costs its reader little, and the load goes on behind the answer", async () => {
  await outdated("soft:1");
  await sleep(softTtlMs + 50);
  const slowMs = 1_000;
  await node.trouble({ delayMs: slowMs });
  const askedAt = performance.now();
  expect(await node.read("soft:1")).toMatchObject({ value: "old", cache: "stale", stale: true });
  expect(performance.now() - askedAt, "ms until the stale answer").toBeLessThan(slowMs * 0.8);
  // Nobody asks meanwhile: what makes it fresh is the load that was left behind.
  await sleep(slowMs + 200);
  await node.trouble({ fails: true });
  expect(await node.read("soft:1")).toMatchObject({ value: "new", cache: "hit", stale: false });
});

test("CO5 hard time-out: a load that takes longer has failed", async () => {
  await writer.write("hard:1", "there");
  await node.trouble({ delayMs: 5_000 });
  const askedAt = performance.now();
  expect(await node.read("hard:1")).toEqual({ error: "storage_timeout" });
  expect(performance.now() - askedAt).toBeLessThan(4_000);
});

test("CO5 eager refresh: late in the life of a copy one load is made behind its hits", async () => {
  await outdated("eager:1");
  const before = await node.stats();
  expect(await node.read("eager:1"), "early: no refresh").toMatchObject({ value: "old", cache: "hit" });
  expect((await node.stats()).refreshes).toBe(before.refreshes);
  await sleep(1_100);
  const reads = await Promise.all(Array.from({ length: 20 }, () => node.read("eager:1")));
  expect(reads.filter(({ cache }) => cache !== "hit")).toEqual([]);
  expect(await eventually(async () => (await node.read("eager:1")).value === "new")).toBe(true);
  const after = await node.stats();
  expect({
    refreshes: after.refreshes - before.refreshes,
    loads: after.loads - before.loads,
    misses: after.misses - before.misses,
  }).toEqual({ refreshes: 1, loads: 1, misses: 0 });
});

test("CO5 sliding: hits keep a copy beyond its TTL, but not beyond its longest life", async () => {
  const begunAt = performance.now();
  await outdated("sliding:1");
  let lastHitAt = begunAt;
  for (;;) {
    const askedAt = performance.now();
    const { cache, value } = await node.read("sliding:1");
    if (cache !== "hit") {
      expect(value, "what came after its longest life").toBe("new");
      break;
    }
    lastHitAt = askedAt;
    expect(askedAt - begunAt, "ms of its life").toBeLessThan(8_000);
    await sleep(50);
  }
  // Asked every 50 ms it has lived longer than its TTL of 1.5 s.
  expect(lastHitAt - begunAt).toBeGreaterThan(2_500);
  expect(lastHitAt - begunAt).toBeLessThan(4_500);
});

test("CO5 adaptive: a key that is asked for often keeps its copy, another one does not", async () => {
  await outdated("adaptive:hot");
  await outdated("adaptive:cold");
  for (let n = 0; n < 6; n++) await node.read("adaptive:hot");
  const held = (await node.read("adaptive:hot")).value;
  await sleep(ttlMs + 50);
  expect(await node.read("adaptive:hot")).toMatchObject({ value: held, cache: "hit" });
  expect(await node.read("adaptive:cold")).toMatchObject({ value: "new", cache: "miss" });
  expect(await node.stats()).toMatchObject({ hotKeys: 1 });
});

test("CO5 negative TTL: that there is no such key is remembered for a while, and ended by an own write", async () => {
  await writer.write("absent:warm", "up");
  const none = { value: null };
  expect(await node.read("absent:1")).toEqual(none);
  const { loads } = await node.stats();
  await writer.write("absent:1", "there");
  expect(await node.read("absent:1")).toEqual(none);
  expect((await node.stats()).loads, "loads of a key that is known to be absent").toBe(loads);
  await sleep(2_050);
  expect(await node.read("absent:1")).toMatchObject({ value: "there", cache: "miss" });

  expect(await node.read("absent:2")).toEqual(none);
  await node.write("absent:2", "mine");
  expect(await node.read("absent:2")).toMatchObject({ value: "mine" });
});
