import { describe, expect, it } from "vitest";
import type { WarmupProgress } from "../../src/core/types.ts";
import type { Warp } from "../../src/core/warp.ts";
import { WarpError } from "../../src/errors.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";

async function run(warp: Warp, options?: Parameters<Warp["warmup"]>[0]): Promise<WarmupProgress[]> {
  const steps: WarmupProgress[] = [];
  for await (const step of warp.warmup(options)) steps.push(step);
  return steps;
}

const registrations = statics({
  "user:*": { mode: "local" },
  "user:vip:*": { mode: "local", graceMs: 1_000 },
  config: { mode: "eventual" },
  "secret:*": { mode: "strong" },
});

async function stored(count: number) {
  const bed = coreBed();
  const { warp } = bed.node();
  for (let i = 0; i < count; i++) await warp.set(`user:${i}`, i, i % 2 === 0 ? { tags: ["even"] } : {});
  await warp.setMany([
    ["user:vip:1", "v"],
    ["config", "c"],
    ["secret:1", "s"],
    ["unregistered", "u"],
  ]);
  return bed;
}

describe("warm-up", () => {
  it("X-11 CO7 all 500 stored registered keys are in L1 at its end, with their tags; what is strong or not registered is not", async () => {
    const bed = await stored(500);
    const { warp, adapter } = bed.node({ registrations });
    const steps = await run(warp);
    expect(steps.at(-1)).toEqual({ loaded: 502, failed: 0, total: 502, errors: [] });
    expect(warp.stats().cache.entries).toBe(502);
    for (let i = 0; i < 500; i++) expect(warp.peek(`user:${i}`)).toBe(i);
    expect([warp.peek("user:vip:1"), warp.peek("config"), warp.peek("unregistered")]).toEqual([
      "v",
      "c",
      undefined,
    ]);
    expect(adapter.count("getMany")).toBeLessThan(15);
    await warp.invalidate({ tags: ["even"] });
    expect([warp.peek("user:2"), warp.peek("user:3")]).toEqual([undefined, 3]);
  });

  it("CORE-06 CO7 a value only in the storage is loaded; after an invalidation a warm-up makes it readable again", async () => {
    const bed = await stored(1);
    const { warp } = bed.node({ registrations });
    expect(await warp.get("user:0")).toBe(0);
    await warp.invalidate({ keys: ["user:0"] });
    expect(warp.peek("user:0")).toBeUndefined();
    await run(warp, { patterns: ["user:0"] });
    expect(warp.peek("user:0")).toBe(0);
  });

  it("CORE-07 CO7 cancelled while the storage is slow it ends, and what has not come by then stays out", async () => {
    const bed = await stored(10);
    const { warp, adapter } = bed.node({ registrations });
    adapter.hold("getMany");
    const cancel = new AbortController();
    const end = codeOf(run(warp, { signal: cancel.signal }));
    await bed.clock.settle();
    cancel.abort();
    const held = adapter.held.splice(0);
    expect(held.length).toBeGreaterThan(0);
    for (const call of held) await call.answer();
    expect(await end).toBe("aborted");
    expect(warp.stats().cache.entries).toBe(0);
    expect(await codeOf(run(warp, { signal: cancel.signal }))).toBe("aborted");
    expect(bed.leaks).toEqual([]);
  });

  it("CO7 single failures are survived and named", async () => {
    const bed = await stored(120);
    const { warp, adapter } = bed.node({ registrations });
    const { getMany } = adapter.inner;
    adapter.inner.getMany = async (keys, options) => {
      if (keys.includes("user:7")) throw new WarpError("decode_failed", "broken row");
      return await getMany.call(adapter.inner, keys, options);
    };
    const steps = await run(warp, { patterns: ["user:*"] });
    expect(steps.flatMap(({ errors }) => errors)).toEqual([{ key: "user:7", code: "decode_failed" }]);
    expect(steps.at(-1)).toMatchObject({ loaded: 120, failed: 1, total: 121 });
  });

  it("CO7 never has more loads on their way than its width", async () => {
    const bed = await stored(500);
    const { warp, adapter } = bed.node({ registrations });
    adapter.hold("getMany");
    const end = run(warp, { width: 3 });
    let most = 0;
    for (let i = 0; i < 30; i++) {
      await bed.clock.settle();
      most = Math.max(most, adapter.held.length);
      await adapter.held.shift()?.answer();
    }
    expect((await end).at(-1)).toMatchObject({ loaded: 502 });
    expect(most).toBe(3);
  });

  it("CO7 with a limit the keys that were asked for most go first", async () => {
    const bed = await stored(50);
    const adaptive = {
      kind: "window",
      windowMs: 1_000,
      threshold: 2,
      coldTtlMs: 100,
      hotTtlMs: 200,
    } as const;
    const { warp } = bed.node({ registrations: statics({ "user:*": { mode: "local", adaptive } }) });
    for (const [key, reads] of [
      ["user:41", 3],
      ["user:7", 1],
      ["user:33", 5],
    ] as const) {
      for (let i = 0; i < reads; i++) await warp.get(key);
    }
    await warp.invalidateLocal({ prefix: "" });
    expect((await run(warp, { limit: 2 })).at(-1)).toMatchObject({ loaded: 2 });
    expect([warp.peek("user:41"), warp.peek("user:33"), warp.peek("user:7")]).toEqual([41, 33, undefined]);
  });

  it("CO7 OU4 refuses a width or a limit out of range and a broken pattern", async () => {
    const { warp } = coreBed().node();
    expect(() => warp.warmup({ width: 0 })).toThrow(/width/);
    expect(() => warp.warmup({ limit: 0 })).toThrow(/limit/);
    expect(() => warp.warmup({ patterns: [""] })).toThrow();
    expect(await run(warp, { patterns: [] })).toEqual([{ loaded: 0, failed: 0, total: 0, errors: [] }]);
  });
});
