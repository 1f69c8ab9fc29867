import { expect, it } from "vitest";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import {
  type AdapterBed,
  type AdapterUnderTest,
  codeOf,
  done,
  failure,
  okay,
  plain,
  Tester,
} from "./adapter-bed.ts";

/** Rule OU3. */
export function resolveCases(driver: AdapterUnderTest): void {
  const first = async (t: Tester, opId: string, key?: string, seal = false) =>
    (await t.adapter.resolve([{ opId, ...(key === undefined ? {} : { key }) }], { seal }))[0];

  /** Another adapter over the same storage, where there is one to share. */
  const another = (bed: AdapterBed, t: Tester): Tester => (driver.supports.storage ? new Tester(bed) : t);

  it("OU3 tells what became of mutations: done, refused, not seen", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const [set, refused, absent] = [
        t.setting("a", "1"),
        t.setting("b", "1", { when: { anyOf: "*" } }),
        t.deleting("c"),
      ];
      const verdicts = (await t.adapter.batch([set, refused, absent])).map(({ verdict }) => verdict);
      const { version, revision } = okay(verdicts[0]);
      const unseen = t.opId();
      const told = await another(bed, t).adapter.resolve([
        { opId: set.opId, key: "a" },
        { opId: refused.opId, key: "b" },
        { opId: absent.opId, key: "c" },
        { opId: unseen, key: "a" },
      ]);
      expect(told.map(({ state }) => state)).toEqual(["ok", "fail", "ok", "unseen"]);
      expect(told[0]).toEqual({ state: "ok", version, revision });
      expect(told[1]).toMatchObject({ error: { code: "precondition_failed", outcome: "fail" } });
      // To look is not to settle.
      expect(codeOf(await t.set("a", "2", { opId: unseen }))).toBe("ok");
      expect(await first(t, unseen, "a")).toMatchObject({ state: "ok" });
      expect(await t.adapter.resolve([])).toEqual([]);
    }));

  it("OU3 what was not seen is sealed, and a copy that comes late is refused", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "old");
      const late = t.setting("a", "late");
      const bare = t.opId();
      expect(await first(t, late.opId, "a", true)).toEqual({ state: "sealed" });
      expect(await first(another(bed, t), late.opId, "a")).toEqual({ state: "sealed" });
      expect(await first(t, late.opId, "a", true)).toEqual({ state: "sealed" });
      const refused = (await t.one(late)).verdict;
      expect(refused).toMatchObject({
        outcome: "fail",
        error: { code: "op_sealed", outcome: "fail", retryable: false },
      });
      expect(codeOf((await t.one({ ...late })).verdict)).toBe("op_sealed");
      // Up to the very end of the op id's window, then it is too old.
      bed.time.advance(300_000);
      expect(codeOf((await t.one(late)).verdict)).toBe("op_sealed");
      bed.time.advance(1);
      expect(codeOf((await t.one(late)).verdict)).toBe("op_id_expired");
      if (driver.supports.storage) expect(await t.text("a")).toBe("old");
      expect((await failure(t.adapter.resolve([{ opId: bare, key: "a" }]))).code).toBe("op_id_expired");
    }));

  it("OU3 a seal changes nothing about what is done or refused", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const set = t.setting("a", "1");
      const refused = t.setting("a", "1", { when: { noneOf: "*" } });
      const [verdict] = (await t.adapter.batch([set, refused])).map((answer) => answer.verdict);
      const states = await t.adapter.resolve(
        [
          { opId: set.opId, key: "a" },
          { opId: refused.opId, key: "a" },
        ],
        { seal: true },
      );
      if (driver.supports.storage) expect(states.map(({ state }) => state)).toEqual(["ok", "fail"]);
      expect((await t.one(set)).verdict).toEqual({ ...okay(verdict), replayed: true });
    }));

  it("OU3 places of a batch and subjects have outcomes of their own", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const bare = t.opId().slice(0, 36);
      const [mine, second, others] = [
        scopeOpId("me", bare, 0),
        scopeOpId("me", bare, 1),
        scopeOpId("you", bare, 0),
      ];
      await t.set("a", "1", { opId: mine });
      const ask = [mine, second, others].map((opId) => ({ opId, key: "a" }));
      const told = await t.adapter.resolve(ask, { seal: true });
      expect(told.map(({ state }) => state)).toEqual(["ok", "sealed", "sealed"]);
    }));

  it("OU3 an invalidation of many keys is done where every shard has done it", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      const opIds = [t.opId(), t.opId()] as const;
      await t.adapter.batch([
        { kind: "invalidatePrefix", opId: opIds[0], prefix: "a" },
        { kind: "invalidateTag", opId: opIds[1], tag: "t" },
      ]);
      for (const opId of opIds) expect(await first(t, opId)).toMatchObject({ state: "ok" });
      const late = t.opId();
      expect(await first(t, late)).toEqual({ state: "unseen" });
      expect(await first(t, late, undefined, true)).toEqual({ state: "sealed" });
      const answer = await t.one({ kind: "invalidatePrefix", opId: late, prefix: "a" });
      expect(codeOf(answer.verdict)).toBe("op_sealed");
      for (const { verdict } of answer.others ?? []) expect(codeOf(verdict)).toBe("op_sealed");
    }));

  it("OU3 what can't be known is refused: wrong op ids, old ones, too many", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      const codes: string[] = [];
      for (const opId of ["x", t.opId(bed.time.now() - 300_001), t.opId(bed.time.now() + 60_001)]) {
        codes.push((await failure(t.adapter.resolve([{ opId, key: "a" }], { seal: true }))).code);
      }
      expect(codes).toEqual(["invalid_op_id", "op_id_expired", "invalid_op_id"]);
      const many = Array.from({ length: 1_001 }, () => ({ opId: t.opId(), key: "a" }));
      expect((await failure(t.adapter.resolve(many))).code).toBe("batch_too_large");
      expect(await t.adapter.resolve(many.slice(1))).toHaveLength(1_000);
    }));

  if (!driver.supports.transactions) return;

  it("OU3 transactions are resolved and sealed as mutations are", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const success = [{ kind: "set", key: "a", payload: plain("1") }] as const;
      const transaction = t.transaction({ success });
      const { revision } = done((await t.adapter.transact(transaction)).verdict);
      expect(await first(t, transaction.opId, "a")).toEqual({ state: "ok", version: revision, revision });
      const late = t.transaction({ success });
      expect(await first(t, late.opId, "a", true)).toEqual({ state: "sealed" });
      expect(codeOf((await t.adapter.transact(late)).verdict)).toBe("op_sealed");
    }));
}
