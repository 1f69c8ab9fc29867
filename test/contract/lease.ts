import { describe, expect, it } from "vitest";
import { failure } from "./adapter-bed.ts";
import { codeOf, type LeaseContract, LeaseTester } from "./lease-bed.ts";
import { leaseCommands } from "./lease-commands.ts";
import { leaseKeys } from "./lease-keys.ts";

/** The contract of leases (see `src/lease/lease.ts`), for one driver. */
export function leaseContract(contract: LeaseContract): void {
  const { name, supports } = contract;
  describe(`lease contract: ${name}`, () => {
    const test = (title: string, work: (t: LeaseTester) => Promise<void>): void => {
      it(title, () => contract.run((bed) => work(new LeaseTester(bed))));
    };

    test("says what it can do", async ({ leases }) => {
      expect(leases.supports).toEqual(supports);
    });

    test("LS2 X-16 a lease outlives the call that granted it, and ends at its time to live", async (t) => {
      const id = await t.grant({ ttlMs: 1_000 });
      await t.time.advance(999);
      expect(await t.lives(id)).toBe(true);
      await t.time.advance(1_100);
      expect(await t.lives(id)).toBe(false);
      expect(codeOf(await t.keepAlive(id))).toBe("lease_not_found");
    });

    test("LS2 kept alive it goes on, by any node", async (t) => {
      const id = await t.grant({ ttlMs: 600 });
      for (let turn = 0; turn < 10; turn++) {
        await t.time.advance(400);
        const verdict = await t.keepAlive(id, turn % 2 === 0 ? t.leases : t.others);
        expect(verdict).toEqual({ outcome: "ok", remainingMs: 600 });
      }
      expect(await t.lives(id)).toBe(true);
      await t.time.advance(1_700);
      expect(await t.lives(id)).toBe(false);
    });

    test("LS2 a maximum life ends it, however often it is kept alive", async (t) => {
      const id = await t.grant({ ttlMs: 500, maxLifeMs: 1_200 });
      await t.time.advance(400);
      expect(await t.keepAlive(id)).toEqual({ outcome: "ok", remainingMs: 500 });
      await t.time.advance(400);
      expect(await t.keepAlive(id)).toEqual({ outcome: "ok", remainingMs: 400 });
      expect(await t.others.info(id)).toMatchObject({ remainingMs: 400, lifeRemainingMs: 400 });
      await t.time.advance(1_500);
      expect(codeOf(await t.keepAlive(id))).toBe("lease_not_found");
    });

    test("LS1 an unknown lease and one that has ended are not found, whatever is asked", async (t) => {
      const ended = await t.grant();
      await t.revoke(ended);
      for (const id of [t.id(), ended]) {
        expect(await t.leases.info(id)).toBeUndefined();
        expect(codeOf(await t.keepAlive(id))).toBe("lease_not_found");
        expect(codeOf(await t.revoke(id))).toBe("lease_not_found");
        expect(codeOf(await t.attach(id, "a"))).toBe("lease_not_found");
        expect(codeOf(await t.detach(id, "a"))).toBe("lease_not_found");
        expect(codeOf(await t.set("a", "1", { lease: id }))).toBe("lease_not_found");
        expect((await failure(t.leases.keys(id))).code).toBe("lease_not_found");
      }
      expect(await t.text("a")).toBeUndefined();
    });

    test("LS6 show: times, what its end does, and the keys", async (t) => {
      const id = await t.grant({ ttlMs: 5_000, onEnd: "delete" });
      const grantedAtMs = t.time.now();
      await t.attach(id, "b", "a", "c");
      await t.time.advance(2_000);
      const info = await t.others.info(id);
      expect(info).toMatchObject({ id, ttlMs: 5_000, remainingMs: 3_000, onEnd: "delete", grantedAtMs });
      expect(info?.shards.length).toBeGreaterThan(0);
      expect(await t.keys(id)).toEqual(["a", "b", "c"]);
      expect(await t.keys(id, 1)).toEqual(["a", "b", "c"]);
    });

    test("LS6 list: the live ones in order of their ids, page by page", async (t) => {
      const ids: string[] = [];
      for (let i = 0; i < 7; i++) ids.push(await t.grant({ ttlMs: 60_000 }));
      const [gone] = ids.splice(3, 1);
      await t.revoke(gone ?? "");
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await t.others.list({ limit: 2, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...page.leases.map(({ id }) => id));
        cursor = page.cursor;
      } while (cursor !== undefined);
      expect(found).toEqual(ids.toSorted());
    });

    test("pages have bounds, and cursors that are not its own are refused", async (t) => {
      const id = await t.grant();
      for (const limit of [0, 1_001, 1.5]) {
        expect((await failure(t.leases.list({ limit }))).code).toBe("invalid_limit");
        expect((await failure(t.leases.keys(id, { limit }))).code).toBe("invalid_limit");
      }
      for (const cursor of ["", "?", "a".repeat(5_000)]) {
        expect((await failure(t.leases.list({ cursor }))).code).toBe("invalid_cursor");
        expect((await failure(t.leases.keys(id, { cursor }))).code).toBe("invalid_cursor");
      }
    });

    test("calls take limits, and none after close", async (t) => {
      const signal = AbortSignal.abort();
      expect((await failure(t.leases.info(t.id(), { signal }))).code).toBe("aborted");
      expect((await failure(t.leases.list({ timeoutMs: 0 }))).code).toBe("invalid_argument");
      await t.leases.close();
      await t.leases.close();
      expect((await failure(t.leases.info(t.id()))).code).toBe("warp_closed");
      expect((await failure(t.leases.list())).code).toBe("warp_closed");
      const keepAlive = { kind: "keepAlive", opId: t.opId(), id: t.id() } as const;
      expect((await failure(t.leases.run([keepAlive]))).code).toBe("warp_closed");
    });

    leaseCommands(test);
    leaseKeys(contract, test);
  });
}
