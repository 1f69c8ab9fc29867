import { describe, expect, it } from "vitest";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { SpaceLocks } from "../../src/connection/space-locks.ts";
import { WarpError } from "../../src/errors.ts";
import { compareKeys, shardOf } from "../../src/protocol/key.ts";
import type { LockCommand, LockRequest, LockVerdict } from "../../src/protocol/lock.ts";
import type { Refusal, ShardApi } from "../../src/protocol/shard-api.ts";
import { directConnection } from "../support/direct-connection.ts";
import { type VirtualClock, virtualClock } from "../support/virtual-clock.ts";

const shards = 4;
const stamp = { epoch: "00000000000000aa", asOf: 1, registrations: 0 };
const names = Array.from({ length: 40 }, (_, at) => `n${at}`);

interface World {
  readonly locks: SpaceLocks;
  readonly clock: VirtualClock;
  readonly sent: { readonly shard: number; readonly names: readonly string[] }[];
}

/** A space whose shards answer as the test says. */
function make(
  answer: (shard: number, request: LockRequest) => readonly LockVerdict[] | Refusal | Error,
): World {
  const clock = virtualClock();
  const sent: World["sent"] = [];
  const shard = (index: number) =>
    ({
      getSpace: async () => ({
        space: { name: "test", id: "life", shards, strict: false, createdAtMs: 0 },
        registrations: 0,
      }),
      lock: async (request: LockRequest) => {
        sent.push({ shard: index, names: request.commands.map(({ name }) => name) });
        const found = answer(index, request);
        if (found instanceof Error) throw found;
        return "refused" in found ? found : { ...stamp, verdicts: found };
      },
      waitLock: () => new Promise(() => {}),
      observe: () => new Promise(() => {}),
      listLocks: async ({ after, limit }: { after?: string; limit: number }) => {
        const mine = names
          .filter((name) => shardOf(name, shards) === index)
          .sort(compareKeys)
          .filter((name) => after === undefined || compareKeys(name, after) > 0);
        const locks = mine.slice(0, limit).map((name) => ({ name, holders: [], waiters: 0 }));
        return { ...stamp, locks, more: mine.length > limit };
      },
    }) as unknown as ShardApi;
  const client = new SpaceClient({ connection: directConnection("test", shard), timers: clock });
  return { locks: new SpaceLocks(client), clock, sent };
}

const releasing = (name: string): LockCommand => ({
  kind: "release",
  opId: name,
  name,
  owner: "a",
  fence: 1,
});
const ended = (count: number): LockVerdict => ({ outcome: "ok", state: "ended", count });
const refused = (outcome: "fail" | "unknown") =>
  new WarpError("overloaded", "too much", { outcome }).toData();

describe("locks over the shards of a space", () => {
  it("go each to the shard of its name, those of one shard in one call and in order; verdicts stand in order", async () => {
    const { locks, sent } = make((_, { commands }) =>
      commands.map(({ name }) => ended(Number(name.slice(1)))),
    );
    const verdicts = await locks.run(names.map(releasing));
    expect(verdicts).toEqual(names.map((_, at) => ended(at)));
    expect(sent.map(({ shard }) => shard).sort()).toEqual([0, 1, 2, 3]);
    for (const { shard, names: asked } of sent) {
      expect(asked).toEqual(names.filter((name) => shardOf(name, shards) === shard));
    }
  });

  it("OU1 one shard's definite no is not the whole call's where another has acted", async () => {
    const failing = shardOf("n0", shards);
    const { locks } = make((shard, { commands }) =>
      shard === failing ? { refused: refused("fail") } : commands.map(() => ended(0)),
    );
    await expect(locks.run(names.map(releasing))).rejects.toMatchObject({
      code: "overloaded",
      outcome: "unknown",
    });
    await expect(locks.run([releasing("n0")])).rejects.toMatchObject({ code: "overloaded", outcome: "fail" });
  });

  it("OU1 a lost answer is of unknown outcome, and nothing is sent twice", async () => {
    const { locks, sent } = make(() => new Error("connection lost"));
    await expect(locks.run([releasing("n0")])).rejects.toMatchObject({
      code: "unavailable",
      outcome: "unknown",
    });
    expect(sent).toHaveLength(1);
  });

  it("are listed in order of their bytes, page by page, over all shards", async () => {
    const { locks } = make(() => []);
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await locks.list({ prefix: "", after, limit: 7 });
      found.push(...page.locks.map(({ name }) => name));
      expect(page.locks.length).toBeLessThanOrEqual(7);
      after = page.next;
    } while (after !== undefined);
    expect(found).toEqual([...names].sort(compareKeys));
  });

  it("a call that waits on purpose has 10 s more than that, unless told otherwise", async () => {
    const { locks, clock } = make(() => []);
    const place = { name: "n0", owner: "a", ticket: "t", waitMs: 20_000 };
    const calls = [
      locks.wait(place),
      locks.observe({ name: "n0", waitMs: 20_000 }),
      locks.wait(place, { timeoutMs: 5_000 }),
    ];
    const failed: number[] = [];
    for (const [at, call] of calls.entries()) call.catch(() => failed.push(at));
    await clock.advance(5_000);
    expect(failed).toEqual([2]);
    await clock.advance(24_999);
    expect(failed).toEqual([2]);
    await clock.advance(1);
    expect(failed).toEqual([2, 0, 1]);
    await expect(calls[0]).rejects.toMatchObject({ code: "deadline_exceeded" });
  });
});
