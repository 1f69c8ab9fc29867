import { expect, it } from "vitest";
import type { Position } from "../../src/protocol/position.ts";
import { type AdapterUnderTest, failure, Tester } from "./adapter-bed.ts";

const nowhere: Position = { shard: 0, epoch: "0123456789abcdef", revision: 0 };

/** The log as nodes read it. */
export function changesCases(driver: AdapterUnderTest): void {
  if (!driver.supports.changes) {
    it("changes are refused where the driver has none", () =>
      driver.run(async (bed) => {
        expect(await failure(new Tester(bed).adapter.changes(nowhere))).toMatchObject({
          code: "unsupported",
        });
      }));
    return;
  }

  it("SB1 changes tell everything since a position, in order", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { asOf: start } = await t.one(t.setting("a", "0"));
      await t.set("a", "1", { expiresInMs: 1_000 });
      await t.set("b", "1");
      await t.delete("b");
      await t.one({ kind: "invalidate", opId: t.opId(), key: "b" });
      await t.one({ kind: "invalidatePrefix", opId: t.opId(), prefix: "x" });
      bed.time.advance(1_000);
      const answer = await t.adapter.changes(start);
      expect(answer.changes.map(({ kind, key }) => [kind, key])).toEqual([
        ["set", "a"],
        ["set", "b"],
        ["delete", "b"],
        ["invalidate", "b"],
        ["invalidatePrefix", "x"],
        ["expire", "a"],
      ]);
      const revisions = answer.changes.map(({ revision }) => revision);
      expect(revisions).toEqual(revisions.map((_, i) => start.revision + 1 + i));
      expect(answer).toMatchObject({ complete: true, gap: undefined });
      expect(answer.to).toEqual({ ...start, revision: revisions.at(-1) });
      const nothing = await t.adapter.changes(answer.to);
      expect(nothing).toEqual({ changes: [], to: answer.to, complete: true, gap: undefined });
    }));

  it("SB1 what changes nothing writes no entry", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const mutation = t.setting("a", "1");
      const { asOf } = await t.one(mutation);
      await t.one(mutation);
      await t.delete("absent");
      await t.set("a", "2", { when: { noneOf: "*" } });
      expect((await t.adapter.changes(asOf)).changes).toEqual([]);
    }));

  it("SB2 a position of another epoch, or from beyond the head, is a gap", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { asOf } = await t.one(t.setting("a", "1"));
      expect(await t.adapter.changes({ ...asOf, epoch: nowhere.epoch })).toMatchObject({
        changes: [],
        gap: "epoch",
        complete: true,
        to: asOf,
      });
      const beyond = await t.adapter.changes({ ...asOf, revision: asOf.revision + 1 });
      expect(beyond).toMatchObject({ changes: [], gap: "epoch" });
    }));

  it("SB2 a position that the log no longer reaches is a gap", () =>
    driver.run(
      async (bed) => {
        const t = new Tester(bed);
        const { asOf } = await t.one(t.setting("{a}", "1"));
        for (let i = 0; i < 3; i++) {
          await t.adapter.batch(Array.from({ length: 1_000 }, (_, n) => t.setting(`{a}${n}`, `${i}`)));
        }
        bed.time.advance(600_000);
        const { asOf: head } = await t.one(t.setting("{a}", "2"));
        const answer = await t.adapter.changes(asOf);
        expect(answer).toEqual({ changes: [], to: head, complete: true, gap: "compacted" });
        expect(await t.adapter.changes({ ...head, revision: head.revision - 1 })).toMatchObject({
          changes: [{ kind: "set", key: "{a}", revision: head.revision }],
          gap: undefined,
        });
      },
      { logMaxEntries: 10 },
    ));

  it("SB1 a long log comes in pieces of at most 10,000 entries", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { asOf } = await t.one(t.setting("{a}", "1"));
      for (let i = 0; i < 11; i++) {
        await t.adapter.batch(Array.from({ length: 1_000 }, (_, n) => t.setting(`{a}${n}`, `${i}`)));
      }
      const first = await t.adapter.changes(asOf);
      expect(first).toMatchObject({
        complete: false,
        gap: undefined,
        to: { revision: asOf.revision + 10_000 },
      });
      expect(first.changes).toHaveLength(10_000);
      const rest = await t.adapter.changes(first.to);
      expect(rest).toMatchObject({ complete: true, to: { revision: asOf.revision + 11_000 } });
      expect(rest.changes[0]?.revision).toBe(first.to.revision + 1);
    }));
}
