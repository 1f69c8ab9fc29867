import { describe, expect, it } from "vitest";
import { host } from "#host";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { WarpError } from "../../src/errors.ts";
import type { Locks } from "../../src/lock/lock.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import { compareKeys, shardOf } from "../../src/protocol/key.ts";
import type { LockCommand } from "../../src/protocol/lock.ts";
import { type ShardApi, scopeOpId } from "../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";
import { withShardSpace } from "../support/shard-space.ts";

const count = 3;
const names = Array.from({ length: 40 }, (_, at) => `n${at}`);

interface Bed {
  readonly locks: Locks;
  acquire(name: string, owner?: string): LockCommand;
  /** Shards that can't be reached; with `after`, only their answers are lost. */
  readonly away: Map<number, "before" | "after">;
}

async function withLocks(work: (bed: Bed) => Promise<void>): Promise<void> {
  const time = new ManualTime();
  const random = seeded(1);
  await withShardSpace(time, { shards: count }, async (shards) => {
    const away = new Map<number, "before" | "after">();
    const api = (index: number): ShardApi => {
      const shard = shards[index];
      if (shard === undefined) throw new Error(`no shard ${index}`);
      const lock: ShardApi["lock"] = async (request) => {
        if (away.get(index) === "before")
          throw new WarpError("unavailable", "not reached", { outcome: "fail" });
        const reply = await shard.lock(request);
        if (away.get(index) === "after") throw new WarpError("unavailable", "lost", { outcome: "unknown" });
        return reply;
      };
      return new Proxy(shard, {
        get: (target, name) => {
          if (name === "lock") return lock;
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
    };
    const client = new SpaceClient({ connection: directConnection("test", api), timers: time });
    await work({
      locks: shardLocks({ client }),
      acquire: (name, owner = "me") => ({
        kind: "acquire",
        opId: scopeOpId("test", uuidv7(time, random)),
        name,
        owner,
        as: "mutex",
        ttlMs: 60_000,
      }),
      away,
    });
  });
}

// In workerd one test can't use the databases of several objects; there the objects' own suites have several shards.
describe.skipIf(host.name !== "node")("locks over several shards", () => {
  it("each lies in the shard of its name; verdicts stand in the order of the commands", () =>
    withLocks(async ({ locks, acquire }) => {
      const verdicts = await locks.run(names.map((name) => acquire(name)));
      expect(verdicts.every((verdict) => verdict.outcome === "ok" && verdict.state === "held")).toBe(true);
      const again = await locks.run([acquire("new"), acquire("n7", "other"), { ...acquire("x"), name: "" }]);
      expect(again).toMatchObject([
        { outcome: "ok", state: "held" },
        { outcome: "fail", error: { code: "lock_held" } },
        { outcome: "fail", error: { code: "invalid_lock" } },
      ]);
      for (const name of names) expect((await locks.info(name)).holders.length).toBe(1);
    }));

  it("they are listed in order over all shards, by pages", () =>
    withLocks(async ({ locks, acquire }) => {
      await locks.run(names.map((name) => acquire(name)));
      const listed: string[] = [];
      for (let cursor: string | undefined, pages = 0; ; pages++) {
        const page = await locks.list({ prefix: "n", limit: 7, ...(cursor === undefined ? {} : { cursor }) });
        listed.push(...page.locks.map(({ name }) => name));
        cursor = page.cursor;
        if (cursor === undefined) {
          expect(pages).toBe(5);
          break;
        }
      }
      expect(listed).toEqual([...names].sort(compareKeys));
    }));

  it("OU1 where one shard can't be reached and another has acted, the call's outcome is unknown; its repeat tells", () =>
    withLocks(async ({ locks, acquire, away }) => {
      const commands = names.slice(0, 10).map((name) => acquire(name));
      const [first] = commands;
      if (first === undefined) throw new Error("no command");
      away.set(shardOf(first.name, count), "before");
      await expect(locks.run(commands)).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
      await expect(locks.run([first])).rejects.toMatchObject({ code: "unavailable", outcome: "fail" });
      away.set(shardOf(first.name, count), "after");
      await expect(locks.run([first])).rejects.toMatchObject({ outcome: "unknown" });
      away.clear();
      const verdicts = await locks.run(commands);
      const replayed = verdicts.map((verdict) => verdict.replayed === true);
      // All but those of that shard had been carried out by the first call, that one by the third.
      const expected = commands.map(
        ({ name }, at) => at === 0 || shardOf(name, count) !== shardOf(first.name, count),
      );
      expect(replayed).toEqual(expected);
    }));

  it("a space that does not exist has nothing to tell", async () => {
    const time = new ManualTime();
    await withShardSpace(time, { shards: 1 }, async ([shard]) => {
      if (shard === undefined) throw new Error("no shard");
      for (const step of ["begin", "finish"] as const) await shard.deleteSpace("test", step);
      const connection = directConnection("test", () => shard);
      const locks = shardLocks({ client: new SpaceClient({ connection, timers: time }) });
      expect(await locks.info("n")).toEqual({ name: "n", holders: [], waiters: 0 });
      expect(await locks.list()).toEqual({ locks: [], cursor: undefined });
    });
  });
});

describe("a space that does not exist", () => {
  it("is not made by a question: whether a grant is live is lock_lost, and nobody holds any name", async () => {
    const made: string[] = [];
    const refused = new WarpError("space_not_found", "the space does not exist").toData();
    const api = {
      getSpace: async () => ({ refused, stale: false }),
      createSpace: async (space: string) => {
        made.push(space);
        return { refused, stale: false };
      },
    } as unknown as ShardApi;
    const client = new SpaceClient({
      connection: directConnection("test", () => api),
      timers: new ManualTime(),
    });
    const locks = shardLocks({ client });
    const grant = { name: "n", owner: "me", fence: 7 };
    const ask = { ...grant, kind: "confirm", opId: scopeOpId("test", "1") } as const;
    expect(await locks.run([ask])).toMatchObject([
      { outcome: "fail", error: { code: "lock_lost", details: { reason: "ended", fence: 0 } } },
    ]);
    expect(await locks.info("n")).toEqual({ name: "n", holders: [], waiters: 0 });
    expect(made).toEqual([]);
    // Who gives back may be undoing what is on its way: its op id is to be kept, so the space is made.
    await expect(locks.run([{ ...ask, kind: "release" }])).rejects.toMatchObject({ code: "space_not_found" });
    expect(made).toEqual(["test"]);
  });
});
