import { describe, expect, it } from "vitest";
import { host } from "#host";
import { clockRateMargin } from "../../../src/runtime/limits.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { LockWorld } from "../../support/lock-world.ts";
import { seeded } from "../../support/seeded.ts";

const name = "{a}lock";
const key = "{a}key";
const ttlMs = 4_000;

interface Seen {
  /** Accepted writes. */
  readonly writes: { readonly fence: number; readonly version: number }[];
  readonly grants: number[];
  /** Refusals of writes that were answered while their holder could count on the lock. */
  readonly tooEarly: string[];
}

/** Gets the lock, writes under it, and gives it back or forgets it; so many times. */
async function client(world: LockWorld, seen: Seen, owner: string, rounds: number): Promise<void> {
  const { clock } = world.shard;
  for (let round = 0; round < rounds; round++) {
    const { fence, sentAtMs } = await world.acquire({ name, owner, as: "mutex", ttlMs });
    let validUntilMs = sentAtMs + ttlMs * (1 - clockRateMargin);
    seen.grants.push(fence);
    for (let n = 1 + world.random.below(4); n > 0; n--) {
      const written = await world.write(key, name, fence);
      if (written.outcome === "ok") seen.writes.push({ fence, version: written.version });
      if (written.outcome === "fail" && clock.now() < validUntilMs) {
        seen.tooEarly.push(`${written.error.code} of ${fence}, ${validUntilMs - clock.now()} ms too early`);
      }
      // Now and then it is paused for longer than it has the lock, or uses it to the end.
      const leftMs = validUntilMs - clock.now();
      if (world.chance(0.4) && leftMs > 100) await world.sleep(leftMs - world.random.below(60));
      else await world.sleep(world.random.below(world.chance(0.1) ? 3 * ttlMs : 200));
      if (world.chance(0.3)) {
        const renewedAtMs = clock.now();
        const renewed = await world.lock({ kind: "renew", opId: world.opId(), name, owner, fence });
        if (renewed.outcome === "ok") validUntilMs = renewedAtMs + ttlMs * (1 - clockRateMargin);
      }
    }
    if (!world.chance(0.2)) await world.lock({ kind: "release", opId: world.opId(), name, owner, fence });
    await world.sleep(world.random.below(500));
  }
}

async function live(sql: Sql, seed: number): Promise<void> {
  const world = new LockWorld(sql, seeded(seed));
  const seen: Seen = { writes: [], grants: [], tooEarly: [] };
  const clients = () => Array.from({ length: 5 }, (_, i) => client(world, seen, `c${i}`, 4));
  await world.live(clients).catch((error: unknown) => {
    throw new Error(`seed ${seed}`, { cause: error });
  });
  const inOrder = seen.writes.toSorted((a, b) => a.version - b.version).map(({ fence }) => fence);
  expect(inOrder, `seed ${seed}: no write under a fence after one under a higher fence`).toEqual(
    inOrder.toSorted((a, b) => a - b),
  );
  expect(seen.tooEarly, `seed ${seed}: nobody loses a lock while it may count on it`).toEqual([]);
  expect(new Set(seen.grants).size, `seed ${seed}: each fence is given once`).toBe(seen.grants.length);
}

describe("locks and guards over a storage that fails", () => {
  it("LK1 LK2 LK6 LK7 LK14 in 30 worlds of 5 clients nobody writes under a fence that another's has passed, loses a lock too early, or is forgotten", {
    timeout: 120_000,
  }, async () => {
    for (let seed = 1; seed <= 30; seed++) await host.withSql((sql) => live(sql, seed));
  });
});
