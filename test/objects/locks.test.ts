import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom } from "../../src/platform/workers.ts";
import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import { isRefusal, type Refusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";

const shards = (env as unknown as WarpShardEnv).SHARDS;
let spaces = 0;

function reply<T extends object>(answer: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.refused.code}`);
  return answer as Exclude<T, Refusal>;
}

async function newSpace() {
  const space = `locks-${spaces++}`;
  const stub = () => shards.get(shards.idFromName(shardName(space, 0)));
  const made = reply(await stub().createSpace(space, {}));
  const scope = { space, shard: 0, spaceId: made.space.id, registrations: 0 };
  const run = async (command: LockCommand): Promise<LockVerdict> => {
    const { verdicts } = reply(await stub().lock({ ...scope, commands: [command] }));
    return verdicts[0] as LockVerdict;
  };
  return { stub, scope, run };
}

const opId = () => scopeOpId("test", uuidv7(workersClock, workersRandom));
const acquire = (name: string, owner: string, more: object = {}): LockCommand => ({
  kind: "acquire",
  opId: opId(),
  name,
  owner,
  as: "mutex",
  ttlMs: 60_000,
  ...more,
});

function fenceOf(verdict: LockVerdict): number {
  if (verdict.outcome === "ok" && "fence" in verdict) return verdict.fence;
  throw new Error(JSON.stringify(verdict));
}

describe("WarpShard and locks", () => {
  it("LK1 LK2 LK8 keeps grants, fences and queues across evictions", async () => {
    const { stub, scope, run } = await newSpace();
    const first = acquire("jobs", "a");
    const fence = fenceOf(await run(first));
    const place = await run(acquire("jobs", "b", { waitMs: 60_000 }));
    const ticket = place.outcome === "ok" && place.state === "waiting" ? place.ticket : "";
    await evictDurableObject(stub());
    expect(await run(first)).toMatchObject({ state: "held", fence, replayed: true });
    expect(await run(acquire("jobs", "c"))).toMatchObject({ error: { code: "lock_held" } });
    const wait = { ...scope, name: "jobs", owner: "b", ticket, waitMs: 20_000 };
    const poll = stub().waitLock(wait);
    await run({ kind: "release", opId: opId(), name: "jobs", owner: "a", fence });
    expect(reply(await poll).verdict).toMatchObject({ state: "offered" });
    await evictDurableObject(stub());
    const claimed = await run({ kind: "claim", opId: opId(), name: "jobs", owner: "b", ticket });
    expect(fenceOf(claimed)).toBeGreaterThan(fence);
    await evictDurableObject(stub());
    expect(fenceOf(await run(acquire("other", "a")))).toBeGreaterThan(fenceOf(claimed));
  });

  it("LK6 LK11 the alarm ends what is due when nobody asks", async () => {
    const { stub, run } = await newSpace();
    await run(acquire("jobs", "a", { ttlMs: 100 }));
    const at = await runInDurableObject(stub(), (_: WarpShard, state) => state.storage.getAlarm());
    expect(at).toBeLessThanOrEqual(Date.now() + 100);
    await vi.waitUntil(() => Date.now() > (at ?? 0) + 1);
    await runDurableObjectAlarm(stub());
    const rows = await runInDurableObject(stub(), (_: WarpShard, state) =>
      state.storage.sql.exec("SELECT reason FROM locks").toArray(),
    );
    expect(rows).toEqual([{ reason: "expired" }]);
  });

  it("an acquisition that nobody disturbs, and its release, write few rows", async () => {
    const { stub, scope, run } = await newSpace();
    await run(acquire("warm", "up"));
    const written = await runInDurableObject(stub(), async (shard: WarpShard, state) => {
      const count = { rows: 0 };
      const exec = state.storage.sql.exec.bind(state.storage.sql);
      Object.defineProperty(state.storage.sql, "exec", {
        configurable: true,
        value: (query: string, ...bindings: unknown[]) => {
          const cursor = exec(query, ...bindings);
          const rows = cursor.toArray();
          count.rows += cursor.rowsWritten;
          return { toArray: () => rows };
        },
      });
      try {
        const commands = [acquire("jobs", "a")];
        const taken = reply(await shard.lock({ ...scope, commands }));
        const acquired = count.rows;
        const fence = fenceOf(taken.verdicts[0] as LockVerdict);
        const release: LockCommand = { kind: "release", opId: opId(), name: "jobs", owner: "a", fence };
        reply(await shard.lock({ ...scope, commands: [release] }));
        return { acquired, released: count.rows - acquired };
      } finally {
        Reflect.deleteProperty(state.storage.sql, "exec");
      }
    });
    expect(written).toEqual({ acquired: 5, released: 3 });
  });
});
