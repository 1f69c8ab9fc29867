import { describe, expect, it } from "vitest";
import { host } from "#host";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { Warp } from "../../src/core/warp.ts";
import { shardOf } from "../../src/protocol/key.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { codeOf } from "../support/core-bed.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";
import { withShardSpace } from "../support/shard-space.ts";

/** Two nodes over a space of four real shards; `sent` has the shard of each transaction that went out. */
async function withNodes(
  work: (bed: {
    readonly nodes: readonly [Warp, Warp];
    readonly sent: number[];
    readonly newOpId: () => string;
  }) => Promise<void>,
): Promise<void> {
  const time = new ManualTime();
  await withShardSpace(time, { shards: 4 }, async (shards) => {
    const random = seeded(5);
    const sent: number[] = [];
    const watched = (index: number): ShardApi => {
      const shard = shards[index];
      if (shard === undefined) throw new Error("no such shard");
      return new Proxy<ShardApi>(shard, {
        get(target, name) {
          if (name === "transact") sent.push(index);
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
    };
    const node = (): Warp =>
      new Warp({
        adapter: shardAdapter(
          new SpaceClient({ connection: directConnection("test", watched), timers: time }),
        ),
        cache: memoryCache({}),
        clock: time,
        timers: time,
        random,
        background: { run: (flight) => void flight.catch(() => undefined) },
      });
    await work({ nodes: [node(), node()], sent, newOpId: () => uuidv7(time, random) });
  });
}

const keys = Array.from({ length: 40 }, (_, at) => `key:${at}`);
const keyOf = (shard: number): string => keys.find((key) => shardOf(key, 4) === shard) ?? "none";

// In workerd one test can't use the databases of several objects; there the end-to-end suites have several shards.
describe.skipIf(host.name !== "node")("transactions over four shards", () => {
  it("TX4 keys of several shards are cross_shard, definite, before anything is sent; a common {tag} puts them together", () =>
    withNodes(async ({ nodes: [warp], sent }) => {
      const [a, b] = [keyOf(1), keyOf(2)];
      for (const transaction of [
        warp.txn().set(a, 1).set(b, 1),
        warp.txn().compare(a, { exists: false }).set(b, 1),
        warp.txn().set(a, 1).otherwise().get(b),
      ]) {
        const error = await transaction.commit().catch((caught: unknown) => caught);
        expect(error).toMatchObject({ code: "cross_shard", outcome: "fail" });
      }
      expect(sent).toEqual([]);
      expect((await warp.list({})).items).toEqual([]);
      const done = await warp.txn().set("{cart:7}a", 1).set("{cart:7}b", 2).commit();
      expect(done.succeeded).toBe(true);
      expect(sent).toEqual([shardOf("{cart:7}a", 4)]);
      expect([await warp.get("{cart:7}a"), await warp.get("{cart:7}b")]).toEqual([1, 2]);
    }));

  it("X-05 TX7 of 8 cas at once, from two nodes, exactly one is done, round after round", () =>
    withNodes(async ({ nodes }) => {
      const key = keyOf(3);
      await nodes[0].set(key, 0);
      for (let round = 0; round < 50; round++) {
        const codes = await Promise.all(
          Array.from({ length: 8 }, (_, i) => codeOf((nodes[i % 2] ?? nodes[0]).cas(key, round, round + 1))),
        );
        expect(codes.filter((code) => code === "no error")).toHaveLength(1);
      }
      expect(await nodes[1].cas(key, 50, 51)).toMatchObject({ existed: true });
    }));

  it("OU3 without a key every shard is asked, and a seal holds on all of them", () =>
    withNodes(async ({ nodes: [warp, other], newOpId }) => {
      const key = keyOf(2);
      const { opId, version } = await warp.set(key, 1);
      expect(await other.resolve(opId)).toMatchObject({ state: "ok", version });
      expect(await other.resolve(opId, { key })).toMatchObject({ state: "ok", version });
      const sealed = newOpId();
      expect(await other.resolve(sealed, { seal: true })).toEqual({ state: "sealed" });
      for (let shard = 0; shard < 4; shard++) {
        expect(await codeOf(warp.set(keyOf(shard), 2, { opId: sealed }))).toBe("op_sealed");
      }
    }));

  it("CORE-05 ME1 operands of two nodes are merged at the shard; a rule that a node had not heard of is kept all the same", () =>
    withNodes(async ({ nodes: [warp, other] }) => {
      const key = keyOf(1);
      await warp.set(key, 1);
      await other.register("key:*", { merge: "sum" });
      await other.merge(key, 5);
      await warp.set(key, 10);
      expect(await warp.get(key)).toBe(16);
      await warp.set(key, 3, { replace: true });
      expect(warp.peek(key)).toBe(3);
      expect(await codeOf(other.merge(key, "x"))).toBe("merge_failed");
    }));
});
