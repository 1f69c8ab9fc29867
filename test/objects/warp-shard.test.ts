import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import type { WarpShard, WarpShardEnv } from "../../src/objects/warp-shard.ts";
import { workersClock, workersRandom } from "../../src/platform/workers.ts";
import { isRefusal, type Mutation, type Refusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { shardName } from "../../src/protocol/space.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";

const shards = (env as unknown as WarpShardEnv).SHARDS;
let spaces = 0;

function reply<T extends object>(answer: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.refused.code}`);
  return answer as Exclude<T, Refusal>;
}

async function newSpace(options: { shards?: number } = {}) {
  const space = `objects-${spaces++}`;
  const stub = (shard = 0) => shards.get(shards.idFromName(shardName(space, shard)));
  const made = reply(await stub().createSpace(space, options));
  const scope = (shard = 0) => ({ space, shard, spaceId: made.space.id, registrations: 0 });
  return { space, stub, scope };
}

const put = (key: string, value: string, expiresInMs?: number): Mutation => ({
  kind: "set",
  opId: scopeOpId("test", uuidv7(workersClock, workersRandom)),
  key,
  payload: { bytes: utf8(value), contentType: "text/plain" },
  ...(expiresInMs === undefined ? {} : { expiresInMs }),
});

describe("WarpShard", () => {
  it("keeps data, revisions and verdicts across an eviction", async () => {
    const { stub, scope } = await newSpace();
    const mutation = put("a", "1");
    const first = reply(await stub().mutate({ ...scope(), mutations: [mutation] }));
    await evictDurableObject(stub());
    const read = reply(await stub().read({ ...scope(), keys: ["a"] }));
    expect(read).toMatchObject({ epoch: first.epoch, asOf: 1, entries: [{ key: "a", version: 1 }] });
    const again = reply(await stub().mutate({ ...scope(), mutations: [mutation, put("b", "1")] }));
    expect(again.verdicts).toMatchObject([{ version: 1, replayed: true }, { version: 2 }]);
  });

  it("sets the alarm for the earliest end, and the alarm ends the key", async () => {
    const { stub, scope } = await newSpace();
    await stub().mutate({ ...scope(), mutations: [put("late", "1", 3_600_000), put("soon", "1", 1)] });
    const at = await runInDurableObject(stub(), (_: WarpShard, state) => state.storage.getAlarm());
    expect(at).toBeLessThanOrEqual(Date.now() + 60_000);
    await vi.waitUntil(() => Date.now() > (at ?? 0));
    await runDurableObjectAlarm(stub());
    const rows = await runInDurableObject(stub(), (_: WarpShard, state) =>
      state.storage.sql.exec("SELECT kind FROM log ORDER BY revision").toArray(),
    );
    expect(rows.map((row) => row.kind)).toEqual(["set", "set", "expire"]);
    const next = await runInDurableObject(stub(), (_: WarpShard, state) => state.storage.getAlarm());
    expect(next).toBeGreaterThan(Date.now() + 3_000_000);
  });

  it("a plain put writes at most three rows", async () => {
    const { stub, scope } = await newSpace();
    await stub().mutate({ ...scope(), mutations: [put("warm", "up")] });
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
        reply(await shard.mutate({ ...scope(), mutations: [put("a", "1")] }));
        const insert = count.rows;
        reply(await shard.mutate({ ...scope(), mutations: [put("a", "2")] }));
        return { insert, overwrite: count.rows - insert };
      } finally {
        Reflect.deleteProperty(state.storage.sql, "exec");
      }
    });
    expect(written.insert).toBeGreaterThan(0);
    expect(written.insert).toBeLessThanOrEqual(3);
    expect(written.overwrite).toBeLessThanOrEqual(3);
  });

  it("looking at a space that does not exist stores nothing", async () => {
    const stub = shards.get(shards.idFromName("never-made/0"));
    const answer = await stub.read({
      space: "never-made",
      shard: 0,
      spaceId: undefined,
      registrations: 0,
      keys: ["a"],
    });
    expect(isRefusal(answer) && answer.refused.code).toBe("space_not_found");
    const tables = await runInDurableObject(stub, (_: WarpShard, state) =>
      state.storage.sql
        .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
        .toArray(),
    );
    expect(tables).toEqual([]);
  });

  it("a deleted space leaves no row and no alarm behind, and the next life has another epoch", async () => {
    const { space, stub, scope } = await newSpace();
    const before = reply(await stub().mutate({ ...scope(), mutations: [put("a", "1", 100_000)] }));
    reply(await stub().deleteSpace(space, "begin"));
    reply(await stub().deleteSpace(space, "finish"));
    const left = await runInDurableObject(stub(), async (_: WarpShard, state) => ({
      alarm: await state.storage.getAlarm(),
      tables: state.storage.sql
        .exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'")
        .toArray(),
    }));
    expect(left).toEqual({ alarm: null, tables: [] });
    const made = reply(await stub().createSpace(space, {}));
    const after = reply(
      await stub().mutate({ ...scope(), spaceId: made.space.id, mutations: [put("a", "1")] }),
    );
    expect(after.asOf).toBe(1);
    expect(after.epoch).not.toBe(before.epoch);
  });

  it("a second shard asks the first at its first write and keeps registrations that a caller knows", async () => {
    const { stub, scope } = await newSpace({ shards: 2 });
    const settings = { mode: "local" as const, cacheTtlMs: 1000, maxStalenessMs: 1000 };
    const { registrations } = reply(await stub().register({ ...scope(), pattern: "user:*", settings }));
    const wrote = reply(
      await stub(1).mutate({ ...scope(1), registrations, mutations: [put("user:1", "x")] }),
    );
    expect(wrote).toMatchObject({ registrations, verdicts: [{ outcome: "ok", version: 1 }] });
    const foreign = await stub(1).mutate({
      ...scope(1),
      spaceId: "0".repeat(16),
      mutations: [put("user:2", "x")],
    });
    expect(foreign).toMatchObject({ stale: true });
  });

  it("gives concurrent calls revisions of their own", async () => {
    const { stub, scope } = await newSpace();
    const calls = Array.from({ length: 64 }, (_, i) =>
      stub().mutate({ ...scope(), mutations: [put(`k${i}`, "x")] }),
    );
    const replies = await Promise.all(calls);
    const versions = replies.map((answer) => {
      const [verdict] = reply(answer).verdicts;
      return verdict?.outcome === "ok" ? verdict.version : 0;
    });
    expect(new Set(versions).size).toBe(64);
    expect(Math.max(...versions)).toBe(64);
  });

  it("VE2 kept versions, tags and claims cross the stub, and versions outlive an eviction", async () => {
    const { stub, scope } = await newSpace();
    const settings = {
      mode: "local" as const,
      cacheTtlMs: 1000,
      maxStalenessMs: 1000,
      history: { versions: 3 },
    };
    reply(await stub().register({ ...scope(), pattern: "h*", settings }));
    const first = { ...put("h", "one"), tags: ["x"] } as Mutation;
    const second = put("h", "two");
    const { verdicts } = reply(await stub().mutate({ ...scope(), mutations: [first, second] }));
    expect(verdicts).toMatchObject([{ version: 2 }, { version: 3 }]);
    await evictDurableObject(stub());
    const { found } = reply(await stub().readVersion({ ...scope(), key: "h", which: { version: 2 } }));
    expect(found).toMatchObject({ kind: "set", tags: ["x"], payload: { bytes: utf8("one") } });
    const page = reply(await stub().history({ ...scope(), key: "h", limit: 10 }));
    expect(page).toMatchObject({ floor: 2, more: false, versions: [{ version: 3 }, { version: 2 }] });
    const future = await stub().readVersion({ ...scope(), key: "h", which: { version: 4 } });
    expect(isRefusal(future) && future.refused.code).toBe("invalid_version");

    const claiming = { ...scope(), key: "c", holder: "one", ttlMs: 60_000, waitMs: 0 };
    expect(reply(await stub().claimLoad(claiming)).claim).toBe("granted");
    const wait = stub().claimLoad({ ...claiming, holder: "two", waitMs: 30_000 });
    reply(await stub().mutate({ ...scope(), mutations: [put("c", "loaded")] }));
    expect(reply(await wait).claim).not.toBe("busy");
  });
});
