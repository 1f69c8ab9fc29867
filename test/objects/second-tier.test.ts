import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { Warp } from "../../src/core/warp.ts";
import { createWarp } from "../../src/edge.ts";
import type { WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { edgeNode } from "../../src/presets/edge.ts";
import { shardName } from "../../src/protocol/space.ts";

const bindings = env as unknown as WarpShardEnv & { readonly CACHE: KVNamespace };

it("CO5 the edge keeps copies of keys with kvTtlMs in the CACHE binding, and another node reads them there", async () => {
  const space = "second-tier";
  const { SHARDS, CACHE } = bindings;
  await SHARDS.get(SHARDS.idFromName(shardName(space, 0))).createSpace(space, { shards: 1 });
  const warp = createWarp(bindings, { space });
  await warp.register("user:*", { kvTtlMs: 60_000, maxStalenessMs: 60_000 });
  await warp.set("user:1", "v");
  await warp.set("plain:1", "v");
  const kv = kvCache(CACHE, { space });
  // What goes to KV goes there behind the answer.
  await vi.waitUntil(async () => (await kv.get("user:1", Date.now())) !== undefined, { timeout: 10_000 });
  expect(await kv.get("plain:1", Date.now())).toBeUndefined();

  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const { warp: other } = edgeNode(
    { namespace: SHARDS, space, kv: CACHE, onError },
    (options) => new Warp(options),
  );
  await other.get("plain:1");
  expect(await other.getEntry("user:1")).toMatchObject({ value: "v", cache: "hit" });
  expect(other.stats()).toMatchObject({ secondTierHits: 1, secondTierErrors: 0 });
  await warp.delete("user:1");
  await vi.waitUntil(async () => (await kv.get("user:1", Date.now())) === undefined, { timeout: 10_000 });
  expect(errors).toEqual([]);
});
