import { describe, expect, test } from "vitest";
import { testWarp } from "../../../src/testing.ts";
import { codeOf } from "../../support/core-bed.ts";

describe("warp.lease", () => {
  test("LE-01 it is kept alive while its node lives; when it is revoked, it and the cached key are gone", async () => {
    const { nodes, clock, errors } = testWarp({ nodes: 2, pushes: true });
    const [a, b] = nodes;
    if (a === undefined || b === undefined) throw new Error("two nodes");
    const lease = await a.lease({ ttlMs: 200, onEnd: "delete" });
    await a.set("k", 1);
    expect(await lease.attach("k")).toBe(1);
    expect(await b.get("k")).toBe(1);
    await clock.advance(600);
    expect(await a.leases.info(lease.id)).toMatchObject({ ttlMs: 200 });
    expect(await lease.revoke()).toBe(true);
    expect(await a.leases.info(lease.id)).toBeUndefined();
    expect(a.peek("k")).toBeUndefined();
    expect(b.peek("k")).toBeUndefined();
    expect(await b.get("k")).toBeUndefined();
    expect(lease.signal.aborted).toBe(false);
    await clock.advance(10_000);
    expect(errors).toEqual([]);
  });

  test("X-16 it survives the call that granted it, ends at its time unless it is kept alive, and can be revoked from any node", async () => {
    const { nodes, clock } = testWarp({ nodes: 3, pushes: true });
    const [a, b, never] = nodes;
    if (a === undefined || b === undefined || never === undefined) throw new Error("three nodes");
    const lease = await a.lease({ ttlMs: 1_000, autoRenew: false });
    await a.set("k", 1, { lease: lease.id });
    expect(await never.get("k")).toBe(1);
    await clock.advance(900);
    expect(await b.leases.keepAlive([lease.id, "0".repeat(32)])).toEqual(
      new Map([
        [lease.id, 1_000],
        ["0".repeat(32), undefined],
      ]),
    );
    await clock.advance(900);
    expect((await b.leases.keys(lease.id)).keys).toEqual(["k"]);
    await b.leases.revoke(lease.id);
    expect(lease.signal.reason).toMatchObject({ code: "lease_not_found" });
    // Also the node that never attached has dropped its copy; the value is still stored.
    expect(never.peek("k")).toBeUndefined();
    expect(await never.get("k")).toBe(1);
    expect(await codeOf(b.leases.revoke(lease.id))).toBe("lease_not_found");
    expect(await codeOf(a.set("k", 2, { lease: lease.id }))).toBe("lease_not_found");
    expect(await a.get("k")).toBe(1);
  });

  test("LS2 without renewal it ends at its time; the handle knows before, without being told", async () => {
    const { warp, clock } = testWarp();
    const lease = await warp.lease({ ttlMs: 10_000, autoRenew: false, onEnd: "delete" });
    await warp.merge("n", 1, { lease: lease.id }).catch(() => undefined);
    await warp.set("k", 1, { lease: lease.id });
    await clock.advance(9_899);
    expect(lease.remainingMs()).toBe(1);
    await clock.advance(1);
    expect(lease.signal.reason).toMatchObject({ code: "lease_not_found", details: { reason: "validity" } });
    expect(await codeOf(lease.attach("x"))).toBe("no error");
    await clock.advance(100);
    expect(await codeOf(lease.attach("x"))).toBe("lease_not_found");
    expect(await warp.get("k")).toBeUndefined();
  });

  test("LS2 its maximum life ends it, however often it is kept alive", async () => {
    const { warp, clock } = testWarp();
    const lease = await warp.lease({ ttlMs: 1_000, maxLifeMs: 5_000 });
    await clock.advance(4_900);
    expect(lease.signal.aborted).toBe(false);
    await clock.advance(100);
    expect(lease.signal.aborted).toBe(true);
    expect(await warp.leases.info(lease.id)).toBeUndefined();
  });

  test("LS6 keys are attached, detached, listed; what is malformed is refused with nothing done", async () => {
    const { warp } = testWarp();
    const lease = await warp.lease();
    expect(await lease.attach(["a", "b", "b"])).toBe(2);
    expect(await lease.attach("b")).toBe(0);
    expect(await lease.detach(["b", "c"])).toBe(1);
    expect((await warp.leases.keys(lease.id)).keys).toEqual(["a"]);
    expect((await warp.leases.list()).leases.map(({ id }) => id)).toEqual([lease.id]);
    expect(await codeOf(lease.attach([]))).toBe("invalid_argument");
    expect(await codeOf(lease.attach(Array.from({ length: 1_001 }, (_, at) => `k${at}`)))).toBe(
      "batch_too_large",
    );
    expect(await codeOf(warp.lease({ ttlMs: 0 }))).toBe("invalid_ttl");
    expect(await codeOf(warp.lease({ maxLifeMs: 1 }))).toBe("invalid_ttl");
    expect(await codeOf(warp.set("k", 1, { lease: "no id" }))).toBe("invalid_argument");
    expect((await warp.leases.list()).leases.length).toBe(1);
  });

  test("LE-02 a time to live of 0 is refused, and nothing is granted", async () => {
    const { warp } = testWarp();
    expect(await codeOf(warp.lease({ ttlMs: 0 }))).toBe("invalid_ttl");
    expect((await warp.leases.list()).leases).toEqual([]);
  });

  test("every kind of write attaches: batches, sets of many, merges, transactions and compare-and-set", async () => {
    const { warp } = testWarp({ registrations: [{ pattern: "n:*", options: { merge: "sum" } }] });
    const { id: lease } = await warp.lease();
    const payload = { bytes: new Uint8Array([1]), contentType: "text/plain" };
    await warp.batch([{ op: "set", key: "a", payload, lease }]);
    await warp.setMany([["b", 1]], { lease });
    await warp.merge("n:1", 1, { lease });
    await warp.txn().set("c", 1, { lease }).commit();
    await warp.cas("d", undefined, 1, { lease });
    expect((await warp.leases.keys(lease)).keys).toEqual(["a", "b", "c", "d", "n:1"]);
  });
});
