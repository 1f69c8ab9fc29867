import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { Warp } from "../../src/core/warp.ts";
import type { WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { edgeNode } from "../../src/presets/edge.ts";

const { SHARDS } = env as unknown as WarpShardEnv;
let spaces = 0;

/** Two nodes in an isolate, as two isolates would be. */
function nodes(): { readonly a: Warp; readonly b: Warp; readonly errors: unknown[] } {
  const space = `handles-${spaces++}`;
  const errors: unknown[] = [];
  const node = () =>
    edgeNode(
      { namespace: SHARDS, space, subscribe: false, onError: (error) => errors.push(error) },
      (options) => new Warp(options),
    ).warp;
  return { a: node(), b: node(), errors };
}

describe("handles in a Worker", () => {
  it("X-14 LK14 a lock is waited for over RPC, guards writes, and renews itself while its request lives", async () => {
    const { a, b, errors } = nodes();
    const held = await a.lock("job", { ttlMs: 600 });
    const waiting = b.lock("job", { waitMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(held.signal.aborted).toBe(false);
    await a.set("done", 1, { guard: held.guard });
    expect(await held.release()).toBe(true);
    const got = await waiting;
    expect(got.fence).toBeGreaterThan(held.fence);
    await expect(a.set("done", 2, { guard: held.guard })).rejects.toMatchObject({ code: "stale_fence" });
    await b.set("done", 3, { guard: got.guard });
    await expect(a.lock("job", { endsWithSession: true })).rejects.toMatchObject({
      code: "invalid_argument",
    });
    await got.release();
    expect(errors).toEqual([]);
  });

  it("LK10 a wait that is cancelled leaves nothing behind", async () => {
    const { a, b } = nodes();
    const held = await a.lock("job");
    const controller = new AbortController();
    const waiting = b.lock("job", { waitMs: 20_000, signal: controller.signal });
    setTimeout(() => controller.abort(), 100);
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    for (let tries = 0; tries < 50 && (await a.locks.info("job")).waiters > 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await a.locks.info("job")).waiters).toBe(0);
    expect(await held.release()).toBe(true);
  });

  it("X-16 LS2 a lease outlives the call that granted it, isn't renewed behind it, and is revoked from another node", async () => {
    const { a, b } = nodes();
    await a.register("k", { mode: "strong" });
    const lease = await a.lease({ ttlMs: 60_000, onEnd: "delete" });
    await a.set("k", 1, { lease: lease.id });
    expect(await b.get("k")).toBe(1);
    await b.leases.revoke(lease.id);
    expect(await b.get("k")).toBeUndefined();
    const short = await a.lease({ ttlMs: 300 });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await b.leases.info(short.id)).toBeUndefined();
    expect(short.signal.aborted).toBe(true);
  });
});
