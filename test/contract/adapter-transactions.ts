import { expect, it } from "vitest";
import { utf8 } from "../../src/runtime/bytes.ts";
import { type AdapterUnderTest, codeOf, done, failure, json, okay, plain, Tester } from "./adapter-bed.ts";

const set = (key: string, text: string) => ({ kind: "set", key, payload: plain(text) }) as const;
const get = (key: string) => ({ kind: "get", key }) as const;
const remove = (key: string) => ({ kind: "delete", key }) as const;

/** Rules TX1, TX6 and what transactions share with single mutations. */
export function transactionCases(driver: AdapterUnderTest): void {
  if (!driver.supports.transactions) {
    it("TX1 a driver without transactions refuses them", () =>
      driver.run(async (bed) => {
        const error = await failure(new Tester(bed).transact({ success: [set("a", "1")] }));
        expect(error).toMatchObject({ code: "unsupported", outcome: "fail" });
      }));
    return;
  }

  it("TX1 TX6 all operations take effect at one revision, in order, and the log tells them together", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}gone", "x");
      const { asOf: before } = await t.one(t.setting("{a}old", "1"));
      const { verdict, asOf } = await t.adapter.transact(
        t.transaction({
          success: [
            get("{a}new"),
            set("{a}new", "2"),
            get("{a}new"),
            remove("{a}gone"),
            get("{a}gone"),
            set("{a}old", "3"),
            remove("{a}absent"),
          ],
        }),
      );
      const { revision, results, succeeded } = done(verdict);
      expect([succeeded, revision]).toEqual([true, before.revision + 1]);
      expect(asOf).toEqual({ ...before, revision });
      expect(results.map((result) => ("entry" in result ? result.entry?.version : result))).toEqual([
        undefined,
        { kind: "set", key: "{a}new", version: revision, existed: false },
        revision,
        { kind: "delete", key: "{a}gone", version: 0, existed: true },
        undefined,
        { kind: "set", key: "{a}old", version: revision, existed: true },
        { kind: "delete", key: "{a}absent", version: 0, existed: false },
      ]);
      const { changes, to } = await t.adapter.changes(before);
      expect(to.revision).toBe(revision);
      expect(changes).toEqual([
        { revision, kind: "set", key: "{a}new" },
        { revision, kind: "delete", key: "{a}gone" },
        { revision, kind: "set", key: "{a}old" },
      ]);
      expect((await t.one(t.setting("{a}next", "x"))).asOf.revision).toBe(revision + 1);
      expect(
        (await t.adapter.list({ prefix: "{a}" })).items.map(({ key, version }) => [key, version]),
      ).toEqual([
        ["{a}new", revision],
        ["{a}next", revision + 1],
        ["{a}old", revision],
      ]);
    }));

  it("TX1 the failure branch is carried out where a comparison does not hold", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const told = done(
        await t.transact({
          compare: [{ key: "{a}", exists: true }],
          success: [set("{a}", "yes")],
          failure: [set("{a}", "no"), get("{a}")],
        }),
      );
      expect(told).toMatchObject({
        succeeded: false,
        results: [{ kind: "set", existed: false }, { kind: "get" }],
      });
      expect(await t.text("{a}")).toBe("no");
    }));

  it("X-07 TX1 what a transaction deletes is gone from the storage, and its end is a version", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.register("{a}*", { history: { versions: 5 } });
      await t.set("{a}1", "x");
      await t.set("{a}2", "y");
      const { revision } = done(await t.transact({ success: [remove("{a}1"), set("{a}2", "z")] }));
      expect(await t.entry("{a}1")).toBeUndefined();
      expect(await new Tester(bed).keys("{a}")).toEqual(["{a}2"]);
      const versionsOf = async (key: string) =>
        (await t.adapter.history(key)).versions.map(({ version, kind }) => [version === revision, kind]);
      expect(await versionsOf("{a}1")).toEqual([
        [true, "delete"],
        [false, "set"],
      ]);
      expect(await versionsOf("{a}2")).toEqual([
        [true, "set"],
        [false, "set"],
      ]);
      const read = await t.adapter.readVersion("{a}2", { version: revision });
      expect(read.found).toMatchObject({ version: revision, payload: plain("z") });
    }));

  it("TX6 a page of the log never ends within a transaction", { timeout: 60_000 }, () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { asOf } = await t.one(t.setting("{a}", "x"));
      const keys = Array.from({ length: 128 }, (_, n) => `{a}${n}`);
      const mutations = Array.from({ length: 950 }, (_, n) => t.setting(`{a}m${n}`, "x"));
      for (let i = 0; i < 10; i++) {
        await t.adapter.batch(mutations.map((mutation) => ({ ...mutation, opId: t.opId() })));
        await t.transact({ success: keys.map((key) => set(key, String(i))) });
      }
      let since = asOf;
      const seen = new Map<number, number>();
      for (let complete = false; !complete; ) {
        const page = await t.adapter.changes(since);
        for (const { revision } of page.changes) {
          expect(revision).toBeGreaterThan(since.revision);
          seen.set(revision, (seen.get(revision) ?? 0) + 1);
        }
        ({ to: since, complete } = page);
      }
      expect([...seen.values()].filter((count) => count > 1)).toEqual(Array(10).fill(128));
      expect(seen.size).toBe(10 * 951);
    }),
  );

  it("OU2 a repeated transaction gets its first verdict again and has no second effect", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}read", "small");
      const transaction = t.transaction({
        compare: [{ key: "{a}1", exists: false }],
        success: [set("{a}1", "x"), get("{a}read"), remove("{a}2")],
      });
      const first = done((await t.adapter.transact(transaction)).verdict);
      await t.set("{a}read", "other");
      await t.set("{a}2", "later");
      const again = (await t.adapter.transact(transaction)).verdict;
      expect(again).toEqual({ ...first, replayed: true });
      expect(await t.text("{a}2")).toBe("later");
      const { opId } = transaction;
      const others = [
        { ...transaction, compare: [{ key: "{a}1", exists: true }] },
        { ...transaction, compare: [{ key: "{a}1", value: utf8("x") }] },
        { ...transaction, success: transaction.success.slice(1) },
        { ...transaction, failure: transaction.success },
        { ...transaction, compare: [] },
      ];
      for (const other of others)
        expect(codeOf((await t.adapter.transact(other)).verdict)).toBe("op_id_reused");
      expect(codeOf(await t.set("{a}1", "x", { opId }))).toBe("op_id_reused");
      const mutation = t.setting("{a}3", "x");
      await t.one(mutation);
      expect(codeOf(await t.transact({ opId: mutation.opId, success: [set("{a}3", "x")] }))).toBe(
        "op_id_reused",
      );
    }));

  it("OU2 a repeated verdict leaves out values that are too much to keep", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}large", new Uint8Array(70_000));
      const transaction = t.transaction({ success: [set("{a}1", "x"), get("{a}large"), get("{a}absent")] });
      const first = done((await t.adapter.transact(transaction)).verdict);
      expect(first.results[1]).toMatchObject({ entry: { payload: { bytes: new Uint8Array(70_000) } } });
      const again = done((await t.adapter.transact(transaction)).verdict);
      expect(again).toMatchObject({ replayed: true, revision: first.revision });
      expect(again.results.slice(1)).toEqual([
        { kind: "get", key: "{a}large", entry: null, omitted: true },
        { kind: "get", key: "{a}absent", entry: null, omitted: true },
      ]);
    }));

  it("OU2 refusals of transactions are remembered, and op ids have their age", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const transaction = t.transaction({ success: [{ ...set("{a}", "x"), when: { anyOf: "*" } }] });
      const first = (await t.adapter.transact(transaction)).verdict;
      expect(codeOf(first)).toBe("precondition_failed");
      await t.set("{a}", "now it is there");
      expect((await t.adapter.transact(transaction)).verdict).toEqual({ ...first, replayed: true });
      bed.time.advance(300_001);
      expect(codeOf((await t.adapter.transact(transaction)).verdict)).toBe("op_id_expired");
      const early = t.transaction({ opId: t.opId(bed.time.now() + 60_001) });
      expect(codeOf((await t.adapter.transact(early)).verdict)).toBe("invalid_op_id");
    }));

  it("TX1 life and tags are those of the operation, and what has ended is absent", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}dying", "x", { expiresInMs: 1_000 });
      bed.time.advance(1_000);
      const told = done(
        await t.transact({
          compare: [{ key: "{a}dying", exists: false }],
          success: [{ ...set("{a}1", "x"), expiresInMs: 500, tags: ["t"] }, get("{a}1"), remove("{a}dying")],
        }),
      );
      expect(told).toMatchObject({ succeeded: true, results: [{}, {}, { existed: false, version: 0 }] });
      expect(told.results[1]).toMatchObject({
        entry: { expiresInMs: 500, tags: ["t"], version: told.revision },
      });
      bed.time.advance(500);
      expect(await t.entry("{a}1")).toBeUndefined();
    }));

  if (driver.supports.merge) {
    it("ME1 TX1 operands are merged within a transaction; one that fails leaves nothing of it", () =>
      driver.run(async (bed) => {
        const t = new Tester(bed);
        await t.register("{n}*", { merge: "sum" });
        await t.merge("{n}1", 5);
        const told = done(
          await t.transact({
            success: [
              { kind: "merge", key: "{n}1", operand: json(2) },
              set("{n}2", "3"),
              { kind: "set", key: "{n}3", payload: json(4), replace: true },
              get("{n}1"),
            ],
          }),
        );
        expect(told.results).toMatchObject([
          { merged: true },
          { merged: true },
          { kind: "set" },
          { kind: "get" },
        ]);
        expect(told.results[2]).not.toHaveProperty("merged");
        expect([await t.json("{n}1"), await t.json("{n}2"), await t.json("{n}3")]).toEqual([7, 3, 4]);
        const failed = await t.transact({ success: [remove("{n}1"), set("{n}2", "1"), set("{n}3", "word")] });
        expect(failed).toMatchObject({ error: { code: "merge_failed", details: { part: "success[2]" } } });
        expect([await t.json("{n}1"), await t.json("{n}2"), await t.json("{n}3")]).toEqual([7, 3, 4]);
        const missing = await t.transact({ success: [{ kind: "merge", key: "free", operand: json(1) }] });
        expect(codeOf(missing)).toBe("merge_rule_missing");
      }));
  }

  it("TX1 transactions that only look change nothing and write no entry", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { asOf, verdict } = await t.one(t.setting("{a}", "x"));
      const told = await t.adapter.transact(t.transaction({ success: [get("{a}"), remove("{a}no")] }));
      expect(told.asOf).toEqual(asOf);
      expect(done(told.verdict)).toMatchObject({
        revision: 0,
        results: [{ entry: { version: okay(verdict).version } }, { existed: false }],
      });
      expect(done(await t.transact({}))).toEqual({
        outcome: "ok",
        succeeded: true,
        revision: 0,
        results: [],
      });
      expect((await t.adapter.changes(asOf)).changes).toEqual([]);
    }));
}
