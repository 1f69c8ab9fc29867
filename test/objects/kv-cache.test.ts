import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { tieredCache } from "../../src/cache/tiered/tiered-cache.ts";
import { cacheContract, entryOf } from "../contract/cache.ts";

const namespace = (env as unknown as { CACHE: KVNamespace }).CACHE;
let spaces = 0;
const kv = () => kvCache(namespace, { space: `s${spaces++}` });

// The runtime's own KV, so that names, bytes, lists and TTLs are its judgement.
cacheContract("kv of the runtime", () => kv());
cacheContract("memory before kv of the runtime", (bounds) => tieredCache(memoryCache(bounds), kv()));

describe("kv cache on the runtime's KV", () => {
  it("drops more names than one page of a list holds", async () => {
    const cache = kv();
    const keys = Array.from({ length: 1_005 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => cache.set(key, entryOf(1))));
    expect(await cache.deleteWhere((key) => key !== "k7")).toBe(1_004);
    expect(await cache.get("k7", 0)).toBeDefined();
    expect(await cache.get("k1004", 0)).toBeUndefined();
  });

  it("keeps the longest name that KV takes, and a value at the limit", async () => {
    const cache = kvCache(namespace, { space: "long" });
    const key = "ü".repeat((512 - "warp:long:copy:".length - 1) / 2);
    expect(await cache.set(key, entryOf(1_900_000))).toBe(true);
    expect((await cache.get(key, 0))?.payload.bytes.byteLength).toBe(1_900_000);
  });
});
