import { describe, expect, it } from "vitest";
import { host } from "#host";
import { nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { expectReply, verdictCode } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys, verdictOf, watched } from "../../support/strong-bed.ts";

const leaseEndMs = nodeLeaseMs * 1.01;

function withQuorum(
  more: { readonly quorum?: number; readonly minZones?: number },
  work: (bed: StrongBed) => Promise<void>,
): () => Promise<void> {
  const statics = [strongKeys("q*", more), strongKeys("plain*")];
  return () => host.withSql(async (sql) => await work(await new StrongBed(sql, { statics }).create()));
}

/** Everything that the shard stores and says about its keys. */
function picture(bed: StrongBed): unknown {
  return bed.bed.sql.all("SELECT key, version, value FROM keys ORDER BY key");
}

describe("a quorum", () => {
  it(
    "DI-03 SB5 commits only after the acknowledgement of so many other nodes",
    withQuorum({ quorum: 2 }, async (bed) => {
      for (const session of ["a", "b", "c"]) bed.members.join(session);
      const write = bed.set("q", "x");
      await bed.time.settle();
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("c");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "DI-05 DI-06 ST7 too few connected nodes: a definite failure at once, and nothing is changed",
    withQuorum({ quorum: 2 }, async (bed) => {
      bed.members.join("a");
      const before = picture(bed);
      const write = bed.set("q", "x");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({
        outcome: "fail",
        error: {
          code: "quorum_failed",
          outcome: "fail",
          details: { quorum: 2, minZones: 0, nodes: 1, zones: 0 },
        },
      });
      expect(picture(bed)).toEqual(before);
      expect(bed.log()).toEqual([]);
      expect(bed.members.get("a")?.inbox).toEqual([]);
    }),
  );

  it(
    "DI-04 ST7 without acknowledgements the write fails definitely after one lease, and the verdict stays",
    withQuorum({ quorum: 1 }, async (bed) => {
      bed.members.join("a");
      const set = bed.setting("q", "x");
      const write = bed.mutate([set]);
      await bed.time.advance(leaseEndMs - 1);
      expect(write.value).toBeUndefined();
      await bed.time.advance(1);
      expect(verdictCode(verdictOf(write))).toBe("quorum_failed");
      expect(await bed.text("q")).toBeUndefined();
      bed.members.acknowledge("a");
      const again = bed.mutate([set]);
      await bed.time.settle();
      expect(verdictOf(again)).toMatchObject({ outcome: "fail", replayed: true });
      expect(bed.bed.sql.all("SELECT * FROM intents")).toEqual([]);
    }),
  );

  it(
    "DI-06 ST7 after a failure the value of before is read, and may be held again",
    withQuorum({ quorum: 1 }, async (bed) => {
      bed.members.join("b");
      const first = bed.set("q", "old");
      await bed.time.settle();
      bed.members.acknowledge("b");
      await first.promise;
      await bed.holder("a");
      await bed.hold("a", "q");
      bed.members.close("b");
      const write = bed.mutate([bed.setting("q", "new")], "a");
      await bed.time.settle();
      expect(verdictCode(verdictOf(write))).toBe("quorum_failed");
      expect(await bed.text("q")).toBe("old");
      expect(await bed.hold("a", "q")).toBe(true);
    }),
  );

  it(
    "DI-07 ST7 an invalidation that misses its quorum leaves the value readable",
    withQuorum({ quorum: 1 }, async (bed) => {
      bed.members.join("a");
      const first = bed.set("q", "old");
      await bed.time.settle();
      bed.members.acknowledge("a");
      await first.promise;
      bed.members.close("a");
      const write = bed.mutate([{ kind: "invalidate", opId: bed.opId(), key: "q" }]);
      await bed.time.settle();
      expect(verdictCode(verdictOf(write))).toBe("quorum_failed");
      expect(await bed.text("q")).toBe("old");
    }),
  );

  it(
    "X-17 SB5 a node whose write came by itself, and not over its session, does not count for it",
    withQuorum({ quorum: 1 }, async (bed) => {
      bed.members.join("a", { node: "isolate" });
      const mutations = [bed.setting("q", "x")];
      const own = bed.bed.shard.mutate({ ...bed.bed.scope(), node: "isolate", mutations });
      expect(verdictCode(expectReply(await own).verdicts[0])).toBe("quorum_failed");
      const another = watched(
        bed.bed.shard.mutate({ ...bed.bed.scope(), node: "another", mutations: [bed.setting("q", "y")] }),
      );
      await bed.time.settle();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(another)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "X-17 SB5 the writer's own node does not count, nor does a node twice; a holder's acknowledgement does",
    withQuorum({ quorum: 2 }, async (bed) => {
      bed.members.join("w", { node: "writer" });
      bed.members.join("w2", { node: "writer" });
      bed.members.join("a", { node: "n1" });
      bed.members.join("a2", { node: "n1" });
      const alone = bed.mutate([bed.setting("q", "x")], "w");
      await bed.time.settle();
      expect(verdictCode(verdictOf(alone))).toBe("quorum_failed");
      bed.members.join("b", { node: "n2" });
      const write = bed.mutate([bed.setting("q", "y")], "w");
      await bed.time.settle();
      for (const session of ["w", "w2", "a", "a2"]) bed.members.acknowledge(session);
      await bed.time.settle();
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "X-17 SB5 back to back writes to live nodes never miss their quorum",
    withQuorum({ quorum: 2, minZones: 2 }, async (bed) => {
      for (const [session, zone] of [
        ["a", "z1"],
        ["b", "z2"],
        ["c", "z1"],
      ] as const) {
        bed.members.join(session, { zone });
        if ((await bed.leases.grant(session)) === undefined) throw new Error("no lease");
      }
      for (let round = 0; round < 60; round++) {
        const write = bed.set("q", `${round}`);
        await bed.time.settle();
        for (const session of ["c", "a", "b"]) bed.members.acknowledge(session);
        expect(verdictOf({ ...write, value: await write.promise })).toMatchObject({ outcome: "ok" });
        await bed.time.advance(7);
        for (const session of ["a", "b", "c"]) {
          await bed.leases.grant(session);
          expect(await bed.hold(session, "q")).toBe(true);
        }
      }
    }),
  );

  it(
    "X-18 SB5 zones that differ are counted, a node without one is in none",
    withQuorum({ quorum: 2, minZones: 2 }, async (bed) => {
      bed.members.join("a", { zone: "z1" });
      bed.members.join("b", { zone: "z1" });
      bed.members.join("c");
      const missed = bed.set("q", "x");
      await bed.time.settle();
      expect(verdictCode(verdictOf(missed))).toBe("quorum_failed");
      bed.members.join("d", { zone: "z2" });
      const write = bed.set("q", "y");
      await bed.time.settle();
      for (const session of ["a", "b", "c"]) bed.members.acknowledge(session);
      await bed.time.settle();
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("d");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "ST7 it fails as soon as it can't be met any more",
    withQuorum({ quorum: 2 }, async (bed) => {
      bed.members.join("a");
      bed.members.join("b");
      const write = bed.set("q", "x");
      await bed.time.settle();
      bed.members.acknowledge("a");
      bed.members.close("b");
      await bed.time.settle();
      expect(verdictCode(verdictOf(write))).toBe("quorum_failed");
    }),
  );

  it(
    "ST2 when it can't be met any more, holders are still waited for: the next write would not wait for them",
    withQuorum({ quorum: 1 }, async (bed) => {
      bed.members.join("b");
      const first = bed.set("q", "old");
      await bed.time.settle();
      bed.members.acknowledge("b");
      await first.promise;
      await bed.holder("w");
      await bed.hold("w", "q");
      const write = bed.mutate([bed.setting("q", "new")], "w");
      await bed.time.settle();
      bed.members.close("b");
      await bed.time.advance(100);
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("w");
      await bed.time.settle();
      expect(verdictCode(verdictOf(write))).toBe("quorum_failed");
    }),
  );

  it(
    "SB5 when it is met, holders are still waited for",
    withQuorum({ quorum: 1 }, async (bed) => {
      bed.members.join("b");
      const first = bed.set("q", "old");
      await bed.time.settle();
      bed.members.acknowledge("b");
      await first.promise;
      await bed.holder("a");
      await bed.hold("a", "q");
      const write = bed.set("q", "new");
      await bed.time.settle();
      bed.members.acknowledge("b");
      await bed.time.advance(10);
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "ST7 in a batch each operation has its own verdict: one that misses its quorum fails, the others commit",
    withQuorum({ quorum: 1 }, async (bed) => {
      await bed.set("plain", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "plain");
      const batch = bed.mutate([bed.setting("q", "x"), bed.setting("plain", "new")], "a");
      await bed.time.settle();
      expect(batch.value).toBeUndefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      const reply = expectReply(await batch.promise);
      expect(reply.verdicts.map(verdictCode)).toEqual(["quorum_failed", "ok"]);
      expect([await bed.text("q"), await bed.text("plain")]).toEqual([undefined, "new"]);
    }),
  );
});
