import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { LeaseCommand, LeaseEndAction, LeaseReply } from "../../../src/protocol/lease.ts";
import { isRefusal, type Refusal } from "../../../src/protocol/shard-api.ts";
import { nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { StrongBed, strongKeys, verdictOf, type Watched, watched } from "../../support/strong-bed.ts";

const id = "lease0123456789abc";
const statics = [strongKeys("s:*"), strongKeys("q:*", { quorum: 3 })];

type Wish = LeaseCommand extends infer C ? (C extends LeaseCommand ? Omit<C, "opId"> : never) : never;

function lease(bed: StrongBed, wish: Wish): Watched<LeaseReply | Refusal> {
  const command = { ...wish, opId: bed.opId() } as LeaseCommand;
  return watched(bed.bed.shard.lease({ ...bed.bed.scope(), commands: [command] }));
}

function codeOf({ value }: Watched<LeaseReply | Refusal>): string {
  if (value === undefined) return "waits";
  if (isRefusal(value)) return value.refused.code;
  const [verdict] = value.verdicts;
  return verdict?.outcome === "fail" ? verdict.error.code : (verdict?.outcome ?? "none");
}

/** A shard with these keys, all of one lease. */
async function withLease(
  onEnd: LeaseEndAction,
  keys: readonly string[],
  work: (bed: StrongBed) => Promise<void>,
): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = await new StrongBed(sql, { statics }).create();
    const grant = lease(bed, { kind: "grant", id, ttlMs: 10_000, onEnd });
    await bed.time.settle();
    expect(codeOf(grant)).toBe("ok");
    const sets = bed.mutate(keys.map((key) => bed.setting(key, "1", { lease: id })));
    await bed.time.settle();
    if (keys.length > 0) expect(verdictOf(sets)?.outcome).toBe("ok");
    await work(bed);
  });
}

describe("ends of leases and copies that are held", () => {
  for (const onEnd of ["delete", "invalidate"] as const) {
    it(`ST1 ST2 ${onEnd}: an end waits for every holder of a key, and only then is it carried out`, () =>
      withLease(onEnd, ["s:a", "s:b", "e"], async (bed) => {
        await bed.holder("one");
        expect(await bed.hold("one", "s:a")).toBe(true);
        const revoke = lease(bed, { kind: "revoke", id });
        await bed.time.advance(100);
        expect(codeOf(revoke)).toBe("waits");
        // What others read meanwhile is what the holder may serve.
        expect(await bed.text("s:a")).toBe("1");
        expect(bed.members.get("one")?.inbox.flatMap(({ invalidation }) => invalidation.keys)).toEqual([
          "s:a",
        ]);
        bed.members.acknowledge("one");
        await bed.time.settle();
        expect(codeOf(revoke)).toBe("ok");
        for (const key of ["s:a", "s:b", "e"]) {
          expect(await bed.text(key)).toBe(onEnd === "delete" ? undefined : "1");
        }
        expect(bed.log().filter((entry) => entry.startsWith(onEnd))).toHaveLength(3);
      }));
  }

  it("ST3 a holder that is silent holds an end up for one node lease, once", () =>
    withLease("delete", ["s:a"], async (bed) => {
      await bed.holder("one");
      expect(await bed.hold("one", "s:a")).toBe(true);
      const revoke = lease(bed, { kind: "revoke", id });
      await bed.time.advance(nodeLeaseMs - 200);
      expect([codeOf(revoke), await bed.text("s:a")]).toEqual(["waits", "1"]);
      await bed.time.advance(400);
      expect([codeOf(revoke), await bed.text("s:a")]).toEqual(["ok", undefined]);
    }));

  it("LS4 an end asks for no quorum: nobody's absence keeps it from being carried out", async () => {
    await host.withSql(async (sql) => {
      const bed = await new StrongBed(sql, { statics }).create();
      for (const node of ["a", "b", "c"]) bed.members.join(node);
      lease(bed, { kind: "grant", id, ttlMs: 10_000, onEnd: "delete" });
      const set = bed.mutate([bed.setting("q:a", "1", { lease: id })]);
      await bed.time.settle();
      for (const node of ["a", "b", "c"]) bed.members.acknowledge(node);
      await bed.time.settle();
      expect(verdictOf(set)?.outcome).toBe("ok");
      for (const node of ["a", "b", "c"]) bed.members.close(node);
      const refused = bed.set("q:a", "2");
      await bed.time.settle();
      expect(verdictOf(refused)?.outcome).toBe("fail");
      const revoke = lease(bed, { kind: "revoke", id });
      await bed.time.settle();
      expect([codeOf(revoke), await bed.text("q:a")]).toEqual(["ok", undefined]);
    });
  });

  it("ST5 a new instance ends a lease only when nobody serves what the one before gave", () =>
    withLease("delete", ["s:a"], async (bed) => {
      await bed.holder("one");
      expect(await bed.hold("one", "s:a")).toBe(true);
      bed.restart();
      const revoke = lease(bed, { kind: "revoke", id });
      await bed.time.advance(nodeLeaseMs);
      expect([codeOf(revoke), await bed.text("s:a")]).toEqual(["waits", "1"]);
      await bed.time.advance(nodeLeaseMs);
      expect([codeOf(revoke), await bed.text("s:a")]).toEqual(["ok", undefined]);
    }));

  it("LS4 an instance that dies while an end waits for holders leaves it to the next", () =>
    withLease("delete", ["s:a", "e"], async (bed) => {
      await bed.holder("one");
      expect(await bed.hold("one", "s:a")).toBe(true);
      lease(bed, { kind: "revoke", id });
      await bed.time.advance(50);
      expect(bed.bed.alarmMs).toBeDefined();
      bed.restart();
      expect(await bed.text("s:a")).toBe("1");
      const late = bed.mutate([bed.setting("s:b", "1", { lease: id })]);
      await bed.alarm();
      await bed.time.advance(3 * nodeLeaseMs);
      expect(verdictOf(late)).toMatchObject({ error: { code: "lease_not_found" } });
      expect([await bed.text("s:a"), await bed.text("e"), await bed.text("s:b")]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect(bed.sql.all("SELECT 1 FROM leases")).toEqual([]);
    }));

  it("LS3 a strong write that waits for holders is refused if its lease ends meanwhile", () =>
    withLease("delete", [], async (bed) => {
      await bed.mutate([bed.setting("s:a", "1")]).promise;
      await bed.holder("one");
      expect(await bed.hold("one", "s:a")).toBe(true);
      const set = bed.mutate([bed.setting("s:a", "2", { lease: id })]);
      await bed.time.advance(50);
      const revoke = lease(bed, { kind: "revoke", id });
      await bed.time.settle();
      expect([codeOf(revoke), verdictOf(set)]).toEqual(["ok", undefined]);
      bed.members.acknowledge("one");
      await bed.time.settle();
      expect(verdictOf(set)).toMatchObject({ error: { code: "lease_not_found" } });
      expect(await bed.text("s:a")).toBe("1");
    }));

  it("OU3 until every key is dealt with a revoke is pending, and then it is done", () =>
    withLease("delete", ["s:a"], async (bed) => {
      await bed.holder("one");
      expect(await bed.hold("one", "s:a")).toBe(true);
      const command: LeaseCommand = { kind: "revoke", id, opId: bed.opId() };
      const request = { ...bed.bed.scope(), commands: [command] };
      void bed.bed.shard.lease(request);
      const other = lease(bed, { kind: "revoke", id });
      const again = watched(bed.bed.shard.lease(request));
      await bed.time.settle();
      const state = async (): Promise<unknown> => {
        const reply = await bed.bed.shard.resolve({ ...bed.bed.scope(), opIds: [command.opId] });
        return isRefusal(reply) ? reply.refused.code : reply.resolutions[0]?.state;
      };
      expect([await state(), codeOf(other), codeOf(again)]).toEqual(["pending", "waits", "waits"]);
      bed.members.acknowledge("one");
      await bed.time.settle();
      // Whoever revokes what has ended hears so once that is carried out.
      expect([await state(), codeOf(other), codeOf(again)]).toEqual(["ok", "lease_not_found", "ok"]);
    }));
});
