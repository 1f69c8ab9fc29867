import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { rpcConnection } from "../../src/connection/rpc/rpc-connection.ts";
import { spaceAdmin } from "../../src/connection/space-admin.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom, workersTimers } from "../../src/platform/workers.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { type Mutation, type RpcShardApi, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";

const namespace = (env as unknown as WarpShardEnv).SHARDS;
const connect = (space: string) =>
  rpcConnection({
    namespace: {
      idFromName: (name) => namespace.idFromName(name),
      get: (id) => namespace.get(id) as RpcShardApi,
    },
    space,
  });
const admin = spaceAdmin({ connect, timers: workersTimers });
let spaces = 0;

async function newSpace(shards: number) {
  const space = `lifecycle-${spaces++}`;
  await admin.create(space, { shards });
  const client = new SpaceClient({ connection: connect(space), timers: workersTimers });
  const stub = (shard: number) => namespace.get(namespace.idFromName(shardName(space, shard)));
  return { space, client, stub };
}

const put = (key: string, value: string, expiresInMs?: number): Mutation => ({
  kind: "set",
  opId: scopeOpId("test", uuidv7(workersClock, workersRandom)),
  key,
  payload: { bytes: utf8(value), contentType: "text/plain" },
  ...(expiresInMs === undefined ? {} : { expiresInMs }),
});

const keyIn = (shard: number, shards: number, salt = ""): string => {
  for (let at = 0; ; at++) if (shardOf(`k${salt}${at}`, shards) === shard) return `k${salt}${at}`;
};

describe("objects that end and come back under load", () => {
  it("OU1 OU2 what was acknowledged stays, what was not is unknown, and the same op ids give each one verdict", async () => {
    const shards = 3;
    const { client } = await newSpace(shards);
    const mutations = Array.from({ length: 240 }, (_, at) => put(`key:${at}`, `${at}`));
    await client.mutate([put("warm", "up")]);
    const acknowledged = new Map<number, number>();
    let broken = 0;
    const attempt = async (at: number): Promise<void> => {
      const mutation = mutations[at] as Mutation;
      try {
        const [answers] = await client.mutate([mutation]);
        const verdict = answers?.[0].answer;
        if (verdict?.outcome === "ok") acknowledged.set(at, verdict.version);
      } catch (error) {
        broken++;
        expect(error).toMatchObject({ outcome: "unknown" });
      }
    };
    const all = mutations.map((_, at) => attempt(at));
    await all[0];
    await abortAllDurableObjects();
    await Promise.all(all);
    const before = new Map(acknowledged);
    const reads = await client.read(mutations.map((_, at) => `key:${at}`));
    for (const [at, version] of before) expect(reads[at]?.answer, `key:${at}`).toMatchObject({ version });
    // Again, with the very same op ids: nothing is done twice.
    for (let at = 0; at < mutations.length; at += 40) {
      const answers = await client.mutate(mutations.slice(at, at + 40));
      for (const [i, [{ answer }]] of answers.entries()) {
        expect(answer).toMatchObject({ outcome: "ok", existed: false });
        const known = before.get(at + i);
        if (known !== undefined) expect(answer).toMatchObject({ version: known, replayed: true });
      }
    }
    const usage = await admin.usage((await client.space())?.name ?? "");
    expect(usage.keys).toBe(mutations.length + 1);
    expect(
      usage.shards.reduce((sum, { asOf }) => sum + asOf, 0),
      "one revision each",
    ).toBe(usage.keys);
    expect(broken + before.size).toBe(mutations.length);
    expect(broken, "calls that the end broke off, without which this shows nothing").toBeGreaterThan(0);
  });

  it("an evicted shard keeps its alarm, ends what is due by it, and sets the next", async () => {
    const { client, stub } = await newSpace(2);
    const [soon, late] = [keyIn(1, 2), keyIn(1, 2, "late")];
    await client.mutate([put(late, "x", 3_600_000), put(soon, "x", 1)]);
    await evictDurableObject(stub(1));
    const alarm = () => runInDurableObject(stub(1), (_: WarpShard, state) => state.storage.getAlarm());
    const dueMs = (await alarm()) ?? 0;
    expect(dueMs).toBeGreaterThan(0);
    await vi.waitUntil(() => Date.now() > dueMs);
    await evictDurableObject(stub(1));
    await runDurableObjectAlarm(stub(1));
    const rows = await runInDurableObject(stub(1), (_: WarpShard, state) =>
      state.storage.sql.exec("SELECT kind FROM log ORDER BY revision").toArray(),
    );
    expect(rows.map(({ kind }) => kind)).toEqual(["set", "set", "expire"]);
    expect(await alarm()).toBeGreaterThan(Date.now() + 3_000_000);
    const [gone, there] = await client.read([soon, late]);
    expect(gone?.answer).toBeUndefined();
    expect(there?.answer).toMatchObject({ version: 1 });
  });

  it("OU1 a first write whose home shard fails does nothing and says so; the next one goes through", async () => {
    const { client, stub } = await newSpace(2);
    const key = keyIn(1, 2);
    // Learns the space before its home shard fails.
    await client.space();
    const prototype = await runInDurableObject(stub(0), (instance: WarpShard) =>
      Object.getPrototypeOf(instance),
    );
    const { getSpace } = prototype as { getSpace: unknown };
    prototype.getSpace = () => Promise.reject(new Error("Network connection lost."));
    try {
      await expect(client.mutate([put(key, "x")])).rejects.toMatchObject({
        code: "unavailable",
        outcome: "fail",
      });
      const tables = await runInDurableObject(stub(1), (_: WarpShard, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'log'").toArray(),
      );
      expect(tables).toEqual([]);
    } finally {
      prototype.getSpace = getSpace;
    }
    const [answers] = await client.mutate([put(key, "x")]);
    expect(answers?.[0].answer).toMatchObject({ outcome: "ok", version: 1 });
  });

  it("SB3 a shard that was never written to, and evicted, answers nothing about a space that has ended", async () => {
    const { space, client, stub } = await newSpace(4);
    const key = keyIn(3, 4);
    expect((await client.read([key]))[0]?.answer).toBeUndefined();
    await evictDurableObject(stub(3));
    expect(await admin.delete(space)).toBe(true);
    await admin.create(space, { shards: 1 });
    const other = new SpaceClient({ connection: connect(space), timers: workersTimers });
    await other.mutate([put(key, "new")]);
    // The first client still takes the space to have four shards.
    expect((await client.read([key]))[0]?.answer).toMatchObject({ version: 1 });
    expect(client.shards).toBe(1);
    expect(client.life).toBe(1);
  });

  it("OU1 a deletion that meets writes leaves a space that is gone, or one that was made anew", async () => {
    const { space, client, stub } = await newSpace(3);
    await client.mutate(Array.from({ length: 30 }, (_, at) => put(`key:${at}`, "old")));
    const writes = Array.from({ length: 60 }, async (_, at) => {
      try {
        await client.mutate([put(`key:${at}`, "new")]);
        return "ok";
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    const deletion = admin.delete(space);
    const codes = new Set(await Promise.all(writes));
    expect(await deletion).toBe(true);
    for (const code of codes) expect(["ok", "space_deleting", "unavailable"]).toContain(code);
    // Whatever the order was: what is read now is of one life, and another deletion ends it.
    const now = await admin.get(space);
    const found =
      now === undefined ? [] : await client.read(Array.from({ length: 60 }, (_, at) => `key:${at}`));
    for (const { answer } of found) {
      if (answer !== undefined) expect(new TextDecoder().decode(answer.payload.bytes)).toBe("new");
    }
    await admin.delete(space);
    for (const shard of [0, 1, 2]) {
      const tables = await runInDurableObject(stub(shard), (_: WarpShard, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name = 'log'").toArray(),
      );
      expect(tables, `shard ${shard}`).toEqual([]);
    }
  });
});
