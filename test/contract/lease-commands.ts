import { expect } from "vitest";
import type { LeaseCommand } from "../../src/protocol/lease.ts";
import { failure } from "./adapter-bed.ts";
import { codeOf, type LeaseTester } from "./lease-bed.ts";

/** What commands refuse, and their op ids. */
export function leaseCommands(test: (title: string, work: (t: LeaseTester) => Promise<void>) => void): void {
  const granting = (t: LeaseTester, more: object = {}): LeaseCommand =>
    ({
      kind: "grant",
      opId: t.opId(),
      id: t.id(),
      ttlMs: 1_000,
      onEnd: "invalidate",
      ...more,
    }) as LeaseCommand;

  test("LE-02 LS2 a time to live out of range is refused, and nothing is made", async (t) => {
    for (const ttlMs of [0, -1, 99, 86_400_001, 100.5, Number.NaN]) {
      const command = granting(t, { ttlMs });
      const verdict = await t.run(command);
      expect(verdict).toMatchObject({
        outcome: "fail",
        error: { code: "invalid_ttl", details: { field: "ttlMs", min: 100, max: 86_400_000 } },
      });
      expect(await t.lives(command.id)).toBe(false);
    }
    for (const maxLifeMs of [999, 2_592_000_001, 1_000.5]) {
      expect(codeOf(await t.run(granting(t, { maxLifeMs })))).toBe("invalid_ttl");
    }
    expect((await t.leases.list()).leases).toEqual([]);
    for (const ttlMs of [100, 86_400_000]) expect(codeOf(await t.run(granting(t, { ttlMs })))).toBe("ok");
  });

  test("ids, ends and keys out of range are refused, each by its code", async (t) => {
    for (const id of ["", "short", "A".repeat(16), "a".repeat(65), "ab/cd".repeat(4)]) {
      expect(codeOf(await t.run(granting(t, { id })))).toBe("invalid_argument");
    }
    expect(codeOf(await t.run(granting(t, { onEnd: "explode" })))).toBe("invalid_argument");
    const id = await t.grant();
    expect(codeOf(await t.attach(id))).toBe("invalid_argument");
    expect(codeOf(await t.attach(id, ""))).toBe("invalid_key");
    expect(codeOf(await t.attach(id, "a", "k".repeat(513)))).toBe("invalid_key");
    const many = Array.from({ length: 1_001 }, (_, at) => `k${at}`);
    expect(codeOf(await t.attach(id, ...many))).toBe("batch_too_large");
    expect(codeOf(await t.detach(id, ...many))).toBe("batch_too_large");
    expect(await t.keys(id)).toEqual([]);
    expect(await t.attach(id, ...many.slice(1))).toMatchObject({ outcome: "ok", changed: 1_000 });
    expect((await failure(t.leases.run([]))).code).toBe("invalid_argument");
    const crowd = Array.from({ length: 129 }, () => granting(t));
    expect((await failure(t.leases.run(crowd))).code).toBe("batch_too_large");
    expect(codeOf(await t.set("a", "1", { lease: "no id" }))).toBe("invalid_argument");
    expect(await t.text("a")).toBeUndefined();
  });

  test("an id that another lease has, or had a moment ago, is refused", async (t) => {
    const id = await t.grant();
    expect(codeOf(await t.run(granting(t, { id })))).toBe("invalid_argument");
    await t.revoke(id);
    expect(codeOf(await t.run(granting(t, { id })))).toBe("invalid_argument");
  });

  test("OU2 a repeated op id gets the first verdict and has no second effect", async (t) => {
    const grant = granting(t, { ttlMs: 1_000 });
    expect(await t.run(grant)).toEqual({ outcome: "ok", remainingMs: 1_000 });
    await t.time.advance(400);
    // What is left now, not what was left then: its caller counts from this call.
    expect(await t.run(grant)).toEqual({ outcome: "ok", remainingMs: 600, replayed: true });
    const attach = { kind: "attach", opId: t.opId(), id: grant.id, keys: ["a", "b"] } as const;
    expect(await t.run(attach)).toEqual({ outcome: "ok", changed: 2 });
    await t.detach(grant.id, "a");
    expect(await t.run(attach, t.others)).toEqual({ outcome: "ok", changed: 2, replayed: true });
    expect(await t.keys(grant.id)).toEqual(["b"]);
    const refused = { kind: "keepAlive", opId: t.opId(), id: t.id() } as const;
    expect(codeOf(await t.run(refused))).toBe("lease_not_found");
    await t.grant({ id: refused.id });
    expect(await t.run(refused)).toMatchObject({ error: { code: "lease_not_found" }, replayed: true });
    const revoke = { kind: "revoke", opId: t.opId(), id: grant.id } as const;
    expect(codeOf(await t.patiently(t.run(revoke)))).toBe("ok");
    expect(await t.patiently(t.run(revoke, t.others))).toEqual({ outcome: "ok", replayed: true });
  });

  test("OU2 an op id of another operation is refused, and so is one that is too old", async (t) => {
    const grant = granting(t);
    await t.run(grant);
    const other = { kind: "keepAlive", opId: grant.opId, id: grant.id } as const;
    expect(codeOf(await t.run(other))).toBe("op_id_reused");
    const old = granting(t, { opId: t.opId(t.time.now() - 300_001) });
    expect(codeOf(await t.run(old))).toBe("op_id_expired");
    expect(codeOf(await t.run(granting(t, { opId: "no op id" })))).toBe("invalid_op_id");
  });

  test("OU3 what became of a command can be asked", async (t) => {
    const grant = granting(t);
    await t.run(grant);
    const refused = { kind: "revoke", opId: t.opId(), id: t.id() } as const;
    await t.run(refused);
    const unseen = t.opId();
    const ask = [grant.opId, refused.opId, unseen].map((opId) => ({ opId }));
    const [done, failed, nothing] = await t.adapter.resolve(ask);
    expect(done).toMatchObject({ state: "ok", version: 0, revision: 0 });
    expect(failed).toMatchObject({ state: "fail", error: { code: "lease_not_found" } });
    expect(nothing).toEqual({ state: "unseen" });
    await t.adapter.resolve([{ opId: unseen }], { seal: true });
    expect(codeOf(await t.run(granting(t, { opId: unseen })))).toBe("op_sealed");
  });

  test("many commands in one call end each by itself, in order", async (t) => {
    const [one, two] = [await t.grant({ ttlMs: 500 }), await t.grant({ ttlMs: 500 })];
    await t.time.advance(300);
    const verdicts = await t.leases.run(
      [one, t.id(), two].map((id) => ({ kind: "keepAlive", opId: t.opId(), id }) as const),
    );
    expect(verdicts.map(codeOf)).toEqual(["ok", "lease_not_found", "ok"]);
  });
}
