import { expect, it } from "vitest";
import type { Comparison, Precondition } from "../../src/adapter/adapter.ts";
import { formatETag } from "../../src/protocol/position.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { type AdapterUnderTest, codeOf, done, failure, okay, plain, Tester } from "./adapter-bed.ts";

/** Rules TX2, TX5 and TX7: comparisons and what is checked before them. */
export function comparisonCases(driver: AdapterUnderTest): void {
  if (!driver.supports.transactions) return;

  it("TX2 every kind of comparison is judged on what is stored", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { verdict, asOf } = await t.one(t.setting("{a}", "value"));
      const { version } = okay(verdict);
      const etag = formatETag(asOf.epoch, version);
      const table: readonly [Omit<Comparison, "key">, boolean, boolean][] = [
        // The comparison, whether it holds for the key, and whether for an absent one.
        [{ version }, true, false],
        [{ version: version + 1 }, false, false],
        [{ version: 0 }, false, true],
        [{ version, is: "equal" }, true, false],
        [{ version, is: "notEqual" }, false, true],
        [{ version, is: "less" }, false, true],
        [{ version: version + 1, is: "less" }, true, true],
        [{ version, is: "greater" }, false, false],
        [{ version: 0, is: "greater" }, true, false],
        [{ exists: true }, true, false],
        [{ exists: false }, false, true],
        [{ value: utf8("value") }, true, false],
        [{ value: utf8("valuE") }, false, false],
        [{ value: utf8("") }, false, false],
        [{ when: { anyOf: [etag] } }, true, false],
        [{ when: { anyOf: "*" } }, true, false],
        [{ when: { noneOf: "*" } }, false, true],
        [{ when: { noneOf: [etag] } }, false, true],
        [{ when: { noneOf: ["other"] } as Precondition }, true, true],
      ];
      for (const [wants, forStored, forAbsent] of table) {
        for (const [key, holds] of [
          ["{a}", forStored],
          ["{a}absent", forAbsent],
        ] as const) {
          const compare = [{ key, ...wants } as Comparison];
          const told = done(await t.transact({ compare, success: [{ kind: "get", key }] }));
          expect([JSON.stringify(wants), key, told.succeeded]).toEqual([JSON.stringify(wants), key, holds]);
          expect(told.revision).toBe(0);
        }
      }
      const mixed = [
        { key: "{a}", exists: true },
        { key: "{a}absent", exists: true },
      ];
      expect(done(await t.transact({ compare: mixed })).succeeded).toBe(false);
    }));

  it("X-06 TX2 a compare-and-set expects a value that only the storage has", () =>
    driver.run(async (bed) => {
      await new Tester(bed).set("a", "stored");
      const other = new Tester(bed);
      const told = await other.transact({
        compare: [{ key: "a", value: utf8("stored") }],
        success: [{ kind: "set", key: "a", payload: plain("new") }],
      });
      expect(done(told).succeeded).toBe(true);
      expect(await other.text("a")).toBe("new");
    }));

  it("CORE-16 TX1 a transaction that expects another value changes nothing", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}1", "held");
      const told = await t.transact({
        compare: [{ key: "{a}1", value: utf8("other") }],
        success: [
          { kind: "set", key: "{a}1", payload: plain("new") },
          { kind: "set", key: "{a}2", payload: plain("new") },
        ],
      });
      expect(done(told)).toMatchObject({ succeeded: false, revision: 0, results: [] });
      expect(await t.text("{a}1")).toBe("held");
      const byTag = await t.transact({
        success: [
          { kind: "set", key: "{a}2", payload: plain("new") },
          { kind: "set", key: "{a}1", payload: plain("new"), when: { anyOf: ["other"] } },
        ],
      });
      expect(byTag).toMatchObject({
        outcome: "fail",
        error: { code: "precondition_failed", outcome: "fail", details: { part: "success[1]" } },
      });
      expect([await t.text("{a}1"), await t.text("{a}2")]).toEqual(["held", undefined]);
    }));

  it(
    "TX7 X-05 of several concurrent cas with one expectation exactly one commits, 200 times",
    { timeout: 60_000 },
    () =>
      driver.run(async (bed) => {
        const testers = Array.from({ length: 8 }, () => new Tester(bed));
        const [first] = testers as [Tester, ...Tester[]];
        const start = await first.one(first.setting("a", "start"));
        let { version } = okay(start.verdict);
        const { epoch } = start.asOf;
        for (let round = 0; round < 200; round++) {
          const verdicts = await Promise.all(
            testers.map((t, i) => {
              const payload = plain(`${round}/${i}`);
              if (i % 2 === 0) {
                const compare = [{ key: "a", version }];
                return t.transact({ compare, success: [{ kind: "set", key: "a", payload }] });
              }
              const when = { anyOf: [formatETag(epoch, version)] };
              return t.transact({ success: [{ kind: "set", key: "a", payload, when }] });
            }),
          );
          const winners = verdicts.flatMap((verdict, i) =>
            verdict.outcome === "ok" && verdict.succeeded ? [{ i, revision: verdict.revision }] : [],
          );
          expect(winners).toHaveLength(1);
          for (const verdict of verdicts) {
            if (verdict.outcome === "fail") expect(codeOf(verdict)).toBe("precondition_failed");
          }
          const entry = await first.entry("a");
          expect(entry?.version).toBe(winners[0]?.revision);
          expect(await first.text("a")).toBe(`${round}/${winners[0]?.i}`);
          version = entry?.version ?? 0;
        }
      }),
  );

  it("TX5 limits and duplicates are found before anything is done", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{a}", "held");
      const { asOf } = await t.one(t.setting("{a}", "held"));
      const set = (n: number) => ({ kind: "set", key: `{a}${n}`, payload: plain("x") }) as const;
      const many = (count: number) => Array.from({ length: count }, (_, n) => set(n));
      const refusedAs = async (parts: Parameters<Tester["transact"]>[0]): Promise<string> => {
        const error = await failure(t.transact(parts));
        expect(error.outcome).toBe("fail");
        return error.code;
      };
      expect(await refusedAs({ success: many(129) })).toBe("batch_too_large");
      expect(await refusedAs({ failure: many(129) })).toBe("batch_too_large");
      const compare = Array.from({ length: 129 }, () => ({ key: "{a}", exists: true }));
      expect(await refusedAs({ compare })).toBe("batch_too_large");
      expect(await refusedAs({ success: [set(1), set(1)] })).toBe("duplicate_key");
      expect(await refusedAs({ failure: [set(1), { kind: "delete", key: "{a}1" }] })).toBe("duplicate_key");
      expect(await refusedAs({ success: [{ kind: "get", key: "" }] })).toBe("invalid_key");
      expect(await refusedAs({ compare: [{ key: "", exists: true }] })).toBe("invalid_key");
      expect(await refusedAs({ compare: [{ key: "{a}", version: -1 }] })).toBe("invalid_version");
      expect(await refusedAs({ compare: [{ key: "{a}" } as never] })).toBe("invalid_argument");
      expect(await refusedAs({ success: [{ kind: "invalidate", key: "{a}" } as never] })).toBe(
        "invalid_argument",
      );
      const large = { bytes: new Uint8Array(1_048_576), contentType: "text/plain" };
      const sets = Array.from({ length: 17 }, (_, n) => ({ ...set(n), payload: large }));
      expect(await refusedAs({ success: sets })).toBe("batch_too_large");
      const tooLarge = { ...set(2), payload: { ...large, bytes: new Uint8Array(1_048_577) } };
      const verdict = await t.transact({ success: [set(1), tooLarge] });
      expect(verdict).toMatchObject({ error: { code: "value_too_large", details: { part: "success[1]" } } });
      const short = { ...set(2), expiresInMs: 0 };
      expect(codeOf(await t.transact({ success: [set(1), short] }))).toBe("invalid_ttl");
      expect(codeOf(await t.transact({ opId: "x", success: [set(1)] }))).toBe("invalid_op_id");
      expect((await t.adapter.changes(asOf)).changes).toEqual([]);
      // What is just within the bounds is done.
      const most = { compare: compare.slice(1), success: many(128), failure: many(128) };
      expect(done(await t.transact(most)).results).toHaveLength(128);
    }));

  it("TX5 a branch that gets more than one answer carries is refused before it changes anything", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const keys = Array.from({ length: 17 }, (_, n) => `{a}${n}`);
      for (const key of keys) await t.set(key, new Uint8Array(1_000_000));
      const gets = keys.map((key) => ({ kind: "get", key }) as const);
      const write = { kind: "set", key: "{a}new", payload: plain("x") } as const;
      expect(codeOf(await t.transact({ success: [write, ...gets] }))).toBe("body_too_large");
      expect(await t.entry("{a}new")).toBeUndefined();
      expect(done(await t.transact({ success: [write, ...gets.slice(1)] })).results).toHaveLength(17);
    }));

  it("X-04 TX1 in a strict space a transaction with one unregistered key changes none", () =>
    driver.run(
      async (bed) => {
        const t = new Tester(bed);
        await t.register("{a}ok*", {});
        await t.set("{a}ok1", "held");
        const write = { kind: "set", key: "{a}ok1", payload: plain("new") } as const;
        const strange = { kind: "set", key: "{a}strange", payload: plain("new") } as const;
        const parts: Parameters<Tester["transact"]>[0][] = [
          { success: [write, strange] },
          { success: [strange, write] },
          { success: [write], failure: [strange] },
          { success: [write], compare: [{ key: "{a}strange", exists: false }] },
          { success: [write, { kind: "get", key: "{a}strange" }] },
          { success: [write, { kind: "delete", key: "{a}strange" }] },
        ];
        for (const part of parts) expect(codeOf(await t.transact(part))).toBe("unregistered");
        expect([await t.text("{a}ok1"), await t.text("{a}strange")]).toEqual(["held", undefined]);
        expect(codeOf(await t.transact({ success: [write] }))).toBe("ok");
      },
      { strict: true },
    ));
}
