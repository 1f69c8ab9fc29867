import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { rpcConnection } from "../../src/connection/rpc/rpc-connection.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { SpaceLeases } from "../../src/connection/space-leases.ts";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom, workersTimers } from "../../src/platform/workers.ts";
import { shardOf } from "../../src/protocol/key.ts";
import type { LeaseCommand } from "../../src/protocol/lease.ts";
import { isRefusal, type Mutation, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { randomHex, uuidv7 } from "../../src/runtime/ids.ts";

const namespace = (env as unknown as WarpShardEnv).SHARDS;
const shards = 4;
const keys = Array.from({ length: 60 }, (_, at) => `k${at}`);

async function newSpace() {
  const space = `leases-${randomHex(workersRandom, 4)}`;
  const stub = (shard: number) => namespace.get(namespace.idFromName(shardName(space, shard)));
  const made = await stub(0).createSpace(space, { shards });
  if (isRefusal(made)) throw new Error(made.refused.message);
  const client = new SpaceClient({
    connection: rpcConnection({ namespace: namespace as never, space }),
    timers: workersTimers,
  });
  const leases = new SpaceLeases(client);
  const opId = (): string => scopeOpId("test", uuidv7(workersClock, workersRandom));
  const run = async (command: LeaseCommand) => (await leases.run([command]))[0];
  const set = (key: string, lease: string): Mutation => {
    const payload = { bytes: utf8("v"), contentType: "text/plain" };
    return { kind: "set", opId: opId(), key, payload, lease };
  };
  const left = async (): Promise<string[]> => {
    const entries = await client.read(keys);
    return keys.filter((_, at) => entries[at]?.answer !== undefined);
  };
  return { stub, client, leases, opId, run, set, left };
}

describe("leases over the objects of several shards", () => {
  it("LS4 X-16 a revoke reaches keys in every shard, also after their objects were evicted", async () => {
    const { stub, client, run, opId, set, left } = await newSpace();
    const id = randomHex(workersRandom, 16);
    expect(await run({ kind: "grant", opId: opId(), id, ttlMs: 60_000, onEnd: "delete" })).toMatchObject({
      outcome: "ok",
    });
    const answers = await client.mutate(keys.map((key) => set(key, id)));
    expect(answers.every(([{ answer }]) => answer.outcome === "ok")).toBe(true);
    expect(await left()).toEqual(keys);
    for (let shard = 0; shard < shards; shard++) await evictDurableObject(stub(shard));
    expect(await run({ kind: "keepAlive", opId: opId(), id })).toMatchObject({ outcome: "ok" });
    expect(await run({ kind: "revoke", opId: opId(), id })).toEqual({ outcome: "ok" });
    expect(await left()).toEqual([]);
    const late = await client.mutate([set("k1", id)]);
    expect(late[0]?.[0].answer).toMatchObject({ error: { code: "lease_not_found" } });
  });

  it("LS2 LS4 an alarm ends a lease, and carries on an end whose object was evicted", async () => {
    const { stub, client, run, opId, set, left } = await newSpace();
    const id = randomHex(workersRandom, 16);
    const home = stub(shardOf(id, shards));
    await run({ kind: "grant", opId: opId(), id, ttlMs: 60_000, onEnd: "delete" });
    await client.mutate(keys.map((key) => set(key, id)));
    const alarm = await runInDurableObject(home, (_: WarpShard, state) => state.storage.getAlarm());
    expect(alarm).toBeLessThanOrEqual(Date.now() + 61_000);
    // As if its time were over, and the object that has to end it has yet to wake.
    await runInDurableObject(home, (_: WarpShard, state) => {
      state.storage.sql.exec("UPDATE leases SET deadline = 1");
    });
    await evictDurableObject(home);
    await runInDurableObject(home, (_: WarpShard, state) => state.storage.setAlarm(Date.now() + 60_000));
    await runDurableObjectAlarm(home);
    await expect.poll(left, { timeout: 10_000 }).toEqual([]);
    expect(await run({ kind: "keepAlive", opId: opId(), id })).toMatchObject({
      error: { code: "lease_not_found" },
    });
  });
});
