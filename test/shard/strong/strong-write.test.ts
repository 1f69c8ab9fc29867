import { describe, expect, it } from "vitest";
import { host } from "#host";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { maxStrongWaiting, nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { refusedCode, verdictCode } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys, verdictOf } from "../../support/strong-bed.ts";

const leaseEndMs = nodeLeaseMs * 1.01;

function withBed(work: (bed: StrongBed) => Promise<void>, statics = [strongKeys("k*")]): () => Promise<void> {
  return () => host.withSql(async (sql) => await work(await new StrongBed(sql, { statics }).create()));
}

describe("a write of a key that is held", () => {
  it(
    "ST2 X-02 tells the holder, and commits only when that has acknowledged",
    withBed(async (bed) => {
      const { time, members } = bed;
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      expect(await bed.hold("a", "k1")).toBe(true);
      const before = bed.bed.shard.figures.logHead;

      const write = bed.set("k1", "new");
      await time.settle();
      expect(write.value).toBeUndefined();
      const [sent] = members.get("a")?.inbox ?? [];
      expect(sent?.invalidation).toEqual({ revision: before + 1, keys: ["k1"], prefixes: [], tags: [] });
      expect(await bed.text("k1")).toBe("old");

      members.acknowledge("a");
      await time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok", revision: before + 2 });
      expect(await bed.text("k1")).toBe("new");
      expect(bed.log(before)).toEqual(["intent k1", "set k1"]);
      expect(bed.bed.sql.all("SELECT * FROM intents")).toEqual([]);
    }),
  );

  it(
    "ST2 gives no permission for the key from the intent until it is released, and reads see the old value",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.holder("b");
      await bed.hold("a", "k1");
      const write = bed.set("k1", "new");
      await bed.time.settle();
      const reply = await bed.read("b", "k1");
      expect(reply.held).toBeUndefined();
      expect(reply.entries[0]?.version).toBe(1);
      bed.members.acknowledge("a");
      await write.promise;
      expect(await bed.hold("b", "k1")).toBe(true);
    }),
  );

  it(
    "ST2 waits for every holder, not for the first",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      for (const session of ["a", "b", "c"]) {
        await bed.holder(session);
        await bed.hold(session, "k1");
      }
      const write = bed.set("k1", "new");
      await bed.time.settle();
      bed.members.acknowledge("a");
      bed.members.acknowledge("c");
      await bed.time.advance(100);
      expect(write.value).toBeUndefined();
      bed.members.acknowledge("b");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "ST2 an acknowledgement of something else is none of this",
    withBed(async (bed) => {
      await bed.set("k1", "1").promise;
      await bed.set("k2", "1").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const first = bed.set("k1", "2");
      await bed.time.settle();
      await bed.hold("a", "k2");
      const second = bed.set("k2", "2");
      await bed.time.settle();
      expect(bed.members.get("a")?.inbox.map(({ n }) => n)).toEqual([1, 2]);
      bed.leases.leaseUntilMs("a");
      // Only the first is acknowledged.
      (bed.members.get("a") ?? { sent: 0 }).sent = 1;
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(first)?.outcome).toBe("ok");
      expect(second.value).toBeUndefined();
    }),
  );

  it(
    "ST3 a dead holder costs one node lease with its margin, and not a moment less",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const write = bed.set("k1", "new");
      await bed.time.advance(leaseEndMs - 1);
      expect(write.value).toBeUndefined();
      await bed.time.advance(1);
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
      const next = bed.set("k1", "newer");
      await bed.time.settle();
      expect(verdictOf(next)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "ST3 a holder whose socket ended counts until its lease is over; one that gave it back does not",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      for (const session of ["a", "b"]) {
        await bed.holder(session);
        await bed.hold(session, "k1");
      }
      await bed.time.advance(1_000);
      bed.leases.giveBack("b");
      bed.members.close("b");
      const write = bed.set("k1", "new");
      await bed.time.settle();
      bed.members.close("a");
      await bed.time.advance(leaseEndMs - 1_001);
      expect(write.value).toBeUndefined();
      await bed.time.advance(1);
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "ST3 a lease that is given back while a write waits lets it go on",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const write = bed.set("k1", "new");
      await bed.time.settle();
      bed.leases.giveBack("a");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
    }),
  );

  it(
    "ST3 a key that nobody holds is written without waiting, by one entry",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const head = bed.bed.shard.figures.logHead;
      const write = bed.set("k2", "x");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
      expect(bed.log(head)).toEqual(["set k2"]);
    }),
  );

  it(
    "ST6 a session that owes an acknowledgement gets no renewal, so that it delays a write by one lease at most",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      await bed.time.advance(1_000);
      expect(await bed.leases.grant("a")).toBe(nodeLeaseMs);
      const write = bed.set("k1", "new");
      await bed.time.advance(3_000);
      expect(await bed.leases.grant("a")).toBeUndefined();
      await bed.time.advance(leaseEndMs - 3_000);
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
      expect(await bed.leases.grant("a")).toBeUndefined();
      bed.members.acknowledge("a");
      expect(await bed.leases.grant("a")).toBe(nodeLeaseMs);
    }),
  );

  it(
    "ST6 readers of a key under a write are answered at once, however many writes wait",
    withBed(async (bed) => {
      await bed.set("k1", "0").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const writes = ["1", "2", "3"].map((value) => bed.set("k1", value));
      await bed.time.settle();
      expect(await bed.text("k1")).toBe("0");
      bed.members.acknowledge("a");
      await Promise.all(writes.map(({ promise }) => promise));
      expect(await bed.text("k1")).toBe("3");
    }),
  );

  it(
    "ST2 a session that comes back after its lease was over is told of what was written meanwhile",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      await bed.time.advance(leaseEndMs);
      const write = bed.set("k1", "new");
      await bed.time.settle();
      expect(verdictOf(write)).toMatchObject({ outcome: "ok" });
      expect(bed.members.get("a")?.inbox).toHaveLength(1);
      expect(await bed.leases.grant("a")).toBeUndefined();
      bed.members.acknowledge("a");
      expect(await bed.leases.grant("a")).toBe(nodeLeaseMs);
    }),
  );
});

describe("what makes a write a strong one", () => {
  const doors: [string, (bed: StrongBed) => ReturnType<StrongBed["mutate"]>][] = [
    ["set", (bed) => bed.set("k1", "new")],
    ["delete", (bed) => bed.mutate([{ kind: "delete", opId: bed.opId(), key: "k1" }])],
    ["invalidate", (bed) => bed.mutate([{ kind: "invalidate", opId: bed.opId(), key: "k1" }])],
    ["invalidatePrefix", (bed) => bed.mutate([{ kind: "invalidatePrefix", opId: bed.opId(), prefix: "" }])],
    ["invalidateTag", (bed) => bed.mutate([{ kind: "invalidateTag", opId: bed.opId(), tag: "t" }])],
    ["restore", (bed) => bed.mutate([{ kind: "restore", opId: bed.opId(), key: "k1", version: 1 }])],
    ["a set with an end", (bed) => bed.mutate([bed.setting("k1", "x", { expiresInMs: 5_000 })])],
    ["a batch", (bed) => bed.mutate([bed.setting("z", "x"), bed.setting("k1", "x")])],
  ];
  it.each(doors)("ST2 %s waits for the holder", (_, write) =>
    withBed(async (bed) => {
      await bed.mutate([bed.setting("k1", "old", { tags: ["t"] })]).promise;
      await bed.holder("a");
      expect(await bed.hold("a", "k1")).toBe(true);
      const doing = write(bed);
      await bed.time.advance(50);
      expect(doing.value).toBeUndefined();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(verdictOf(doing)).toMatchObject({ outcome: "ok" });
    })(),
  );

  it(
    "ST2 keys that a prefix or tag does not touch are not waited for",
    withBed(async (bed) => {
      await bed.mutate([bed.setting("k1", "old", { tags: ["t"] })]).promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const prefix = bed.mutate([{ kind: "invalidatePrefix", opId: bed.opId(), prefix: "k2" }]);
      const tag = bed.mutate([{ kind: "invalidateTag", opId: bed.opId(), tag: "other" }]);
      await bed.time.settle();
      expect([verdictOf(prefix)?.outcome, verdictOf(tag)?.outcome]).toEqual(["ok", "ok"]);
    }),
  );

  it(
    "ST2 a key with an end of its own, an absent one and one without a session are never held",
    withBed(async (bed) => {
      await bed.mutate([bed.setting("k1", "x", { expiresInMs: 60_000 }), bed.setting("k3", "x")]).promise;
      await bed.holder("a");
      const reply = await bed.read("a", "k1", "k2", "k3");
      expect(reply.held).toEqual([2]);
      expect((await bed.read(undefined, "k3")).held).toBeUndefined();
      bed.members.join("b");
      expect((await bed.read("b", "k3")).held).toBeUndefined();
    }),
  );

  it(
    "ST2 a refusal that is certain, a replay and a change of nothing are answered without an intent",
    withBed(async (bed) => {
      const set = bed.setting("k1", "old");
      await bed.mutate([set]).promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const head = bed.bed.shard.figures.logHead;
      const refused = bed.mutate([bed.setting("k1", "x", { when: { noneOf: "*" } })]);
      const again = bed.mutate([set]);
      const nothing = bed.mutate([{ kind: "restore", opId: bed.opId(), key: "k1", version: 99 }]);
      await bed.time.settle();
      expect(verdictCode(verdictOf(refused))).toBe("precondition_failed");
      expect(verdictOf(again)).toMatchObject({ outcome: "ok", replayed: true });
      expect(verdictOf(nothing)?.outcome).toBe("fail");
      expect(bed.members.get("a")?.inbox).toEqual([]);
      expect(bed.log(head)).toEqual([]);
      expect(bed.bed.shard.figures.logHead).toBe(head);
    }),
  );

  it(
    "OU2 a repeat while the write waits gets the same verdict, and a different operation under its op id is refused",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const set = bed.setting("k1", "new");
      const first = bed.mutate([set]);
      await bed.time.settle();
      const again = bed.mutate([set]);
      const other = bed.mutate([{ ...set, key: "other" } as typeof set]);
      await bed.time.settle();
      expect([again.value, other.value]).toEqual([undefined, undefined]);
      bed.members.acknowledge("a");
      await bed.time.settle();
      const verdict = verdictOf(first);
      expect(verdictOf(again)).toEqual({ ...verdict, replayed: true });
      expect(verdictCode(verdictOf(other))).toBe("op_id_reused");
    }),
  );

  it(
    "ST2 writes of one key stay in order: what comes later waits behind, plain or not",
    withBed(async (bed) => {
      await bed.set("k1", "0").promise;
      await bed.set("k2", "0").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const order: string[] = [];
      const note = (name: string, { promise }: { promise: Promise<unknown> }) =>
        void promise.then(() => order.push(name));
      note("k1", bed.set("k1", "1"));
      note("k1 k2", bed.mutate([bed.setting("k1", "2"), bed.setting("k2", "2")]));
      note("k2", bed.set("k2", "3"));
      note("k3", bed.set("k3", "1"));
      await bed.time.settle();
      expect(order).toEqual(["k3"]);
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(order).toEqual(["k3", "k1", "k1 k2", "k2"]);
      expect([await bed.text("k1"), await bed.text("k2")]).toEqual(["2", "3"]);
    }),
  );

  it(
    "SE3 so many strong writes may wait and no more: the next one is refused definitely, and nothing is lost",
    withBed(async (bed) => {
      await bed.set("k1", "0").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      const payload = { bytes: utf8("x"), contentType: "t/p" };
      const writes = Array.from({ length: maxStrongWaiting }, () =>
        bed.mutate([{ kind: "set", opId: bed.opId(), key: "k1", payload }]),
      );
      const beyond = bed.set("k1", "beyond");
      const other = bed.set("z", "fine");
      await Promise.all([beyond.promise, other.promise]);
      expect(refusedCode(beyond.value ?? {})).toBe("overloaded");
      expect(verdictOf(other)?.outcome).toBe("ok");
      bed.members.acknowledge("a");
      await Promise.all(writes.map(({ promise }) => promise));
      expect((await bed.bed.read("k1")).entries[0]?.version).toBe(bed.bed.shard.figures.logHead);
    }),
    30_000,
  );

  it(
    "ST2 it goes on when the caller is gone",
    withBed(async (bed) => {
      await bed.set("k1", "old").promise;
      await bed.holder("a");
      await bed.hold("a", "k1");
      void bed.set("k1", "new");
      await bed.time.settle();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(await bed.text("k1")).toBe("new");
    }),
  );
});
