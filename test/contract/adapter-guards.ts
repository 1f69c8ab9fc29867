import { expect, it } from "vitest";
import type { FenceGuard, Mutation } from "../../src/adapter/adapter.ts";
import { lockTtlMs } from "../support/real-locks.ts";
import {
  type AdapterBed,
  type AdapterUnderTest,
  codeOf,
  done,
  failure,
  plain,
  Tester,
} from "./adapter-bed.ts";

const key = "{a}key";
const lock = "{a}lock";

/** Rules LK14 and TX2: what ties changes to the fence of a lock. */
export function guardCases(driver: AdapterUnderTest): void {
  if (!driver.supports.fences) {
    it("LK14 without locks a guarded change is refused and not done", () =>
      driver.run(async (bed) => {
        const t = new Tester(bed);
        const guard = { lock, fence: 1 };
        expect(codeOf(await t.set(key, "v", { guard }))).toBe("unsupported");
        expect(codeOf(await t.delete(key, { guard }))).toBe("unsupported");
        if (!driver.supports.transactions) return;
        expect(codeOf(await t.transact({ compare: [{ key: lock, fence: 1 }] }))).toBe("unsupported");
        const write = { kind: "set", key, payload: plain("v"), guard } as const;
        expect(codeOf(await t.transact({ success: [write] }))).toBe("unsupported");
        expect(await t.entry(key)).toBeUndefined();
      }));
    return;
  }

  it("LK14 X-15 under a lock of the key's shard changes pass while it is held under their fence, and only then", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("*", { merge: "sum", history: { versions: 9 } });
      const stored = await t.one(t.setting(key, "1", { replace: true }));
      const version = stored.verdict.outcome === "ok" ? stored.verdict.version : 0;
      const changes = (guard: FenceGuard): Mutation[] => [
        t.merging(key, 1, { guard }),
        { kind: "restore", opId: t.opId(), key, version, guard },
        t.deleting(key, { guard }),
        t.deleting(key, { guard }),
        t.setting(key, "1", { guard }),
      ];
      const codes = async (fence: number) => {
        const answers = await t.adapter.batch(changes({ lock, fence }));
        return [...new Set(answers.map(({ verdict }) => codeOf(verdict)))];
      };
      expect(await codes(7)).toEqual(["stale_fence"]);
      const first = await locksOf(bed).grant(lock);
      expect(await codes(first)).toEqual(["ok"]);
      expect(await codes(first + 1)).toEqual(["stale_fence"]);
      const second = await locksOf(bed).grant(lock);
      expect(second).toBeGreaterThan(first);
      const before = await t.entry(key);
      expect(await codes(first)).toEqual(["stale_fence"]);
      expect(await t.entry(key)).toEqual(before);
      expect(await codes(second)).toEqual(["ok"]);
      await locksOf(bed).end(lock);
      expect(await codes(second)).toEqual(["stale_fence"]);
      // Who has no guard is not asked.
      expect(codeOf(await t.set(key, "1"))).toBe("ok");
    }));

  it("X-15 LK6 LK14 a lock whose time is over guards nothing any more, though nobody else has asked for it", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const fence = await locksOf(bed).grant(lock);
      const guard = { lock, fence };
      bed.time.advance(lockTtlMs - 1_000);
      expect(codeOf(await t.set(key, "in time", { guard }))).toBe("ok");
      bed.time.advance(1_000);
      expect(codeOf(await t.set(key, "late", { guard }))).toBe("stale_fence");
      const compare = [{ key: lock, fence }];
      expect(done(await t.transact({ compare })).succeeded).toBe(false);
      expect(await t.text(key)).toBe("in time");
    }));

  it("OU2 LK14 the guard is a part of the operation, and its refusal is kept", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const fence = await locksOf(bed).grant(lock);
      const refused = t.setting(key, "v", { guard: { lock, fence: fence + 1_000 } });
      expect(codeOf((await t.one(refused)).verdict)).toBe("stale_fence");
      const again = (await t.one(refused)).verdict;
      expect([codeOf(again), again.replayed]).toEqual(["stale_fence", true]);
      const other = { ...refused, guard: { lock, fence } } as Mutation;
      expect(codeOf((await t.one(other)).verdict)).toBe("op_id_reused");
      const passed = t.setting(key, "v", { guard: { lock, fence } });
      expect(codeOf((await t.one(passed)).verdict)).toBe("ok");
      await locksOf(bed).end(lock);
      // What was done stays done, whatever has become of the lock.
      const repeat = (await t.one(passed)).verdict;
      expect([codeOf(repeat), repeat.replayed]).toEqual(["ok", true]);
    }));

  it("TX2 LK14 a transaction compares a lock's fence, and one stale guard refuses all of it", () =>
    driver.run(
      async (bed) => {
        const t = new Tester(bed);
        await t.register("{a}key*", {});
        const locks = locksOf(bed);
        const fence = await locks.grant(lock);
        const payload = plain("v");
        const asked = async (number: number) =>
          done(
            await t.transact({
              // The lock's name is no key: it needs no registration in a strict space.
              compare: [
                { key: lock, fence: number },
                { key, exists: false },
              ],
              success: [{ kind: "get", key }],
              failure: [{ kind: "get", key: `${key}2` }],
            }),
          ).succeeded;
        expect([await asked(fence), await asked(fence + 1), await asked(fence + 2)]).toEqual([
          true,
          false,
          false,
        ]);
        const guarded = { kind: "set", key: `${key}2`, payload, guard: { lock, fence } } as const;
        const both = { success: [{ kind: "set", key, payload }, guarded] as const };
        await locks.end(lock);
        expect(await asked(fence)).toBe(false);
        expect(await t.transact(both)).toMatchObject({
          outcome: "fail",
          error: { code: "stale_fence", outcome: "fail", details: { part: "success[1]", lock, fence } },
        });
        expect([await t.entry(key), await t.entry(`${key}2`)]).toEqual([undefined, undefined]);
        const next = await locks.grant(lock);
        const renewed = { ...guarded, guard: { lock, fence: next } };
        expect(codeOf(await t.transact({ success: [both.success[0], renewed] }))).toBe("ok");
        expect(await t.text(`${key}2`)).toBe("v");
      },
      { strict: true },
    ));

  it("LK14 TX5 a malformed lock or fence is refused before anything is done", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const wrong: readonly [FenceGuard, string][] = [
        [{ lock: "", fence: 1 }, "invalid_lock"],
        [{ lock: "x".repeat(513), fence: 1 }, "invalid_lock"],
        [{ lock: "\ud800", fence: 1 }, "invalid_lock"],
        [{ lock, fence: 0 }, "invalid_argument"],
        [{ lock, fence: -1 }, "invalid_argument"],
        [{ lock, fence: 1.5 }, "invalid_argument"],
        [{ lock, fence: 2 ** 53 }, "invalid_argument"],
      ];
      for (const [guard, code] of wrong) {
        expect(codeOf(await t.set(key, "v", { guard }))).toBe(code);
        expect(codeOf(await t.delete(key, { guard }))).toBe(code);
        const compare = [{ key: guard.lock, fence: guard.fence }];
        expect((await failure(t.transact({ compare }))).code).toBe(code);
      }
      const two = [{ key: lock, fence: 1, exists: true }];
      expect((await failure(t.transact({ compare: two }))).code).toBe("invalid_argument");
      expect(await t.entry(key)).toBeUndefined();
    }));

  it("LK14 of a lock of another shard a key remembers the highest fence that it has seen", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}other", "v");
      const far = Array.from({ length: 64 }, (_, i) => `far${i}`).find(
        (name) => t.adapter.shardOf(name) !== t.adapter.shardOf(key),
      );
      // All of it is one shard.
      if (far === undefined) return;
      const under = (fence: number) => ({ guard: { lock: far, fence } });
      expect(codeOf(await t.set(key, "v", under(5)))).toBe("ok");
      expect(codeOf(await t.set(key, "v", under(5)))).toBe("ok");
      expect(codeOf(await t.set(key, "v", under(4)))).toBe("stale_fence");
      // What is refused for another reason has shown nothing.
      expect(codeOf(await t.set(key, "v", { ...under(9), when: { noneOf: "*" } }))).toBe(
        "precondition_failed",
      );
      expect(codeOf(await t.delete(key, under(6)))).toBe("ok");
      expect(codeOf(await t.set(key, "v", under(5)))).toBe("stale_fence");
      // An absent key that was deleted once more: the older holder must not bring it back.
      expect(codeOf(await t.delete(key, under(7)))).toBe("ok");
      expect(codeOf(await t.set(key, "v", under(6)))).toBe("stale_fence");
      const write = { kind: "set", key, payload: plain("v") } as const;
      expect(codeOf(await t.transact({ success: [{ ...write, ...under(8) }] }))).toBe("ok");
      expect(codeOf(await t.transact({ success: [{ ...write, ...under(7) }] }))).toBe("stale_fence");
      // Each key for itself.
      expect(codeOf(await t.set("{a}other", "v", under(1)))).toBe("ok");
      const compare = [{ key: far, fence: 8 }];
      expect((await failure(t.transact({ compare, success: [write] }))).code).toBe("cross_shard");
      expect(codeOf(await t.transact({ compare }))).toBe("ok");
    }));
}

function locksOf({ locks }: AdapterBed): NonNullable<AdapterBed["locks"]> {
  if (locks === undefined) throw new Error("the bed has no locks");
  return locks;
}
