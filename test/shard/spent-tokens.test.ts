import { describe, expect, test } from "vitest";
import { host } from "#host";
import { maxSpentTokens, tokenSkewMs } from "../../src/runtime/limits.ts";
import { ShardBed } from "../support/shard-bed.ts";

async function withBed(work: (bed: ShardBed) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new ShardBed(sql);
    await work(bed);
  });
}

const minuteMs = 60_000;

describe("WA9 a token for one use", () => {
  test("is fresh once, also of many at once, and for another instance neither", () =>
    withBed(async (bed) => {
      await bed.create();
      const endsAtMs = bed.nowMs + minuteMs;
      const redeem = (id: string) => bed.shard.tokens.redeem({ space: "test", id, endsAtMs });
      const answers = await Promise.all(Array.from({ length: 20 }, () => redeem("one")));
      expect(answers.filter((answer) => "isFresh" in answer && answer.isFresh)).toHaveLength(1);
      expect(await redeem("two")).toEqual({ isFresh: true });
      bed.restart();
      expect([await redeem("one"), await redeem("two")]).toEqual([{ isFresh: false }, { isFresh: false }]);
    }));

  test("is forgotten when it has ended for all clocks, not before", () =>
    withBed(async (bed) => {
      await bed.create();
      const endsAtMs = bed.nowMs + minuteMs;
      const redeem = (id: string, end = endsAtMs) =>
        bed.shard.tokens.redeem({ space: "test", id, endsAtMs: end });
      const count = () => bed.sql.all<{ n: number }>("SELECT count(*) AS n FROM spent_tokens")[0]?.n;
      await redeem("one");
      bed.nowMs = endsAtMs + tokenSkewMs;
      expect(await redeem("one")).toEqual({ isFresh: false });
      bed.nowMs += 1;
      await redeem("other", bed.nowMs + minuteMs);
      expect(count()).toBe(1);
    }));

  test("SE3 no more than so many are remembered: others are refused, not let in unremembered", () =>
    withBed(async (bed) => {
      await bed.create();
      const endsAtMs = bed.nowMs + minuteMs;
      bed.sql.run(
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${maxSpentTokens}) INSERT INTO spent_tokens SELECT 'spent-' || i, ? FROM n`,
        endsAtMs,
      );
      const answer = await bed.shard.tokens.redeem({ space: "test", id: "one", endsAtMs });
      expect(answer).toMatchObject({ refused: { code: "overloaded" } });
    }));

  test("is refused where there is no space, and goes with the space", () =>
    withBed(async (bed) => {
      const endsAtMs = bed.nowMs + minuteMs;
      const redeem = () => bed.shard.tokens.redeem({ space: "test", id: "one", endsAtMs });
      expect(await redeem()).toMatchObject({ refused: { code: "space_not_found" } });
      await bed.create();
      expect(await redeem()).toEqual({ isFresh: true });
      await bed.shard.deleteSpace("test", "begin");
      expect(await redeem()).toMatchObject({ refused: { code: "space_deleting" } });
    }));
});
