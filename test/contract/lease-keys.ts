import { expect, it } from "vitest";
import { plain } from "./adapter-bed.ts";
import { codeOf, endActions, type LeaseContract, LeaseTester } from "./lease-bed.ts";

const some = Array.from({ length: 40 }, (_, at) => `key-${at}`);

/** Keys of leases, and what an end does to them. */
export function leaseKeys(
  contract: LeaseContract,
  test: (title: string, work: (t: LeaseTester) => Promise<void>) => void,
): void {
  for (const onEnd of endActions) {
    for (const way of ["a revoke by another node", "expiry"] as const) {
      test(`LS4 X-16 ${onEnd}: ${way} ends every key of it, attached by whom it may be`, async (t) => {
        for (const key of some) await t.set(key, "1");
        await t.set("apart", "1");
        const id = await t.grant({ ttlMs: 1_000, onEnd });
        expect(await t.attach(id, ...some.slice(0, 30))).toEqual({ outcome: "ok", changed: 30 });
        for (const key of some.slice(30)) {
          const set = t.setting(key, "2", { lease: id });
          await t.other.batch([set]);
        }
        if (way === "expiry") await t.time.advance(3_000);
        else expect(await t.revoke(id, t.others)).toEqual({ outcome: "ok" });
        const told = await t.told(onEnd === "delete" ? "delete" : "invalidate");
        expect(told.toSorted()).toEqual(some.toSorted());
        expect(await t.told("leaseEnd")).toEqual([id]);
        for (const key of some) expect((await t.text(key)) === undefined, key).toBe(onEnd === "delete");
        expect(await t.text("apart")).toBe("1");
      });
    }
  }

  test("LS3 a set attaches in its own commit: refused it writes nothing, done it belongs to the lease", async (t) => {
    const id = await t.grant({ onEnd: "delete" });
    expect(codeOf(await t.set("a", "1", { lease: id }))).toBe("ok");
    expect(await t.keys(id)).toEqual(["a"]);
    await t.revoke(id);
    expect(await t.text("a")).toBeUndefined();
    expect(codeOf(await t.set("a", "2", { lease: id }))).toBe("lease_not_found");
    expect(codeOf(await t.set("b", "2", { lease: id }))).toBe("lease_not_found");
    expect([await t.text("a"), await t.text("b")]).toEqual([undefined, undefined]);
  });

  test("a transaction attaches with its writes, or is refused as a whole", async (t) => {
    const id = await t.grant({ onEnd: "delete" });
    const transact = async (lease: string): Promise<string> => {
      const set = (key: string) => ({ kind: "set", key, payload: plain("1"), lease }) as const;
      const success = [set("{t}a"), set("{t}b")];
      const transaction = { opId: t.opId(), compare: [], success, failure: [] };
      const { verdict } = await t.adapter.transact(transaction);
      return verdict.outcome === "ok" ? "ok" : verdict.error.code;
    };
    expect(await transact(t.id())).toBe("lease_not_found");
    expect(await t.text("{t}a")).toBeUndefined();
    expect(await transact(id)).toBe("ok");
    expect(await t.keys(id)).toEqual(["{t}a", "{t}b"]);
    await t.revoke(id);
    expect([await t.text("{t}a"), await t.text("{t}b")]).toEqual([undefined, undefined]);
  });

  test("LS5 a key of several leases: the first end deals with it", async (t) => {
    const [one, two] = [await t.grant({ onEnd: "delete" }), await t.grant({ onEnd: "delete" })];
    await t.set("a", "1", { lease: one });
    await t.attach(two, "a");
    await t.revoke(one);
    expect(await t.text("a")).toBeUndefined();
    expect(await t.lives(two)).toBe(true);
    expect(await t.revoke(two)).toEqual({ outcome: "ok" });
  });

  test("LS6 a detached key stays when the lease ends", async (t) => {
    const id = await t.grant({ onEnd: "delete" });
    for (const key of ["a", "b", "c"]) await t.set(key, "1", { lease: id });
    expect(await t.detach(id, "b", "x")).toEqual({ outcome: "ok", changed: 1 });
    expect(await t.keys(id)).toEqual(["a", "c"]);
    await t.revoke(id);
    expect(await t.text("b")).toBe("1");
    expect(await t.text("a")).toBeUndefined();
  });

  test("attaching again changes nothing; a key need not exist", async (t) => {
    const id = await t.grant();
    expect(await t.attach(id, "a", "a", "b")).toEqual({ outcome: "ok", changed: 2 });
    expect(await t.attach(id, "b", "c")).toEqual({ outcome: "ok", changed: 1 });
    expect(await t.keys(id)).toEqual(["a", "b", "c"]);
    await t.revoke(id);
    expect((await t.told("invalidate")).toSorted()).toEqual(["a", "b", "c"]);
  });

  test("a key that is deleted or written again stays attached: a lease has names", async (t) => {
    const id = await t.grant({ onEnd: "delete" });
    await t.set("a", "1", { lease: id });
    await t.adapter.batch([{ kind: "delete", opId: t.opId(), key: "a" }]);
    await t.set("a", "2");
    await t.revoke(id);
    expect(await t.text("a")).toBeUndefined();
  });

  test("a lease without keys ends at once", async (t) => {
    const id = await t.grant();
    expect(await t.revoke(id)).toEqual({ outcome: "ok" });
    expect(await t.told("leaseEnd")).toEqual([id]);
  });

  it("LS3 in a strict space keys without a registration are not attached", () =>
    contract.run(
      async (bed) => {
        const t = new LeaseTester(bed);
        const settings = { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000 } as const;
        await t.adapter.register("mine:*", settings);
        const id = await t.grant();
        expect(codeOf(await t.attach(id, "mine:{t}", "other:{t}"))).toBe("unregistered");
        expect(await t.keys(id)).toEqual([]);
        expect(codeOf(await t.attach(id, "mine:{t}"))).toBe("ok");
      },
      { strict: true },
    ));
}
