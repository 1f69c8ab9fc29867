import { describe, expect, it } from "vitest";
import { host } from "#host";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { MergeRules } from "../../src/merge/merge-rules.ts";
import type { Mutation } from "../../src/protocol/operation.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { expectReply, refusedCode, ShardBed, verdictCode } from "../support/shard-bed.ts";

const settings = { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000 } as const;
const one = { bytes: utf8("1"), contentType: "application/json" };

describe("merge rules at the shard", () => {
  it(
    "ME1 X-08 6,400 concurrent increments of several clients sum to 6,400, also over a shard that is opened again in between",
    { timeout: 60_000 },
    () =>
      host.withSql(async (sql) => {
        const bed = await new ShardBed(sql).create();
        const time = new ManualTime(bed.nowMs);
        const clients = Array.from(
          { length: 4 },
          () => new SpaceClient({ connection: directConnection("test", () => bed.shard), timers: time }),
        );
        await clients[0]?.register("n:*", { ...settings, merge: "sum" }, undefined);
        for (let round = 1; round <= 8; round++) {
          const mutations = Array.from(
            { length: 800 },
            (_, i): Mutation => ({ kind: "merge", opId: bed.opId(), key: `n:${i % 2}`, operand: one }),
          );
          const send = (mutation: Mutation, i: number) => clients[i % clients.length]?.mutate([mutation]);
          const answers = await Promise.all(mutations.map(send));
          // An answer was lost: the same operand comes again.
          const again = await Promise.all(mutations.slice(0, 100).map(send));
          for (const answer of [...answers, ...again]) expect(answer?.[0]?.[0].answer.outcome).toBe("ok");
          // What was dropped from caches, or evicted with the object, goes on from the storage.
          if (round % 2 === 0) bed.restart();
          else await bed.mutate({ kind: "invalidatePrefix", opId: bed.opId(), prefix: "n:" });
          const parts = [await bed.text("n:0"), await bed.text("n:1")].map(Number);
          expect(parts).toEqual([round * 400, round * 400]);
        }
      }),
  );

  it("ME3 a rule that a later deployment does not have fails the write with its name, and reads go on", () =>
    host.withSql(async (sql) => {
      const mine = new MergeRules({ mine: (_stored, operand) => operand });
      const bed = await new ShardBed(sql, { merges: mine }).create();
      const register = { ...bed.scope(), pattern: "k", settings: { ...settings, merge: "mine" } };
      bed.registrations = expectReply(await bed.shard.register(register)).registrations;
      await bed.set("k", "1");
      bed.restart({ merges: new MergeRules() });
      const verdict = await bed.set("k", "2");
      expect(verdict).toMatchObject({ outcome: "fail", error: { code: "merge_rule_unknown" } });
      expect(await bed.text("k")).toBe("1");
      expect(verdictCode(await bed.set("k", "3", { replace: true }))).toBe("ok");
      expect(refusedCode(await bed.shard.register({ ...register, pattern: "other" }))).toBe(
        "merge_rule_unknown",
      );
      // The one that stands may be confirmed only where it can be kept.
      expect(refusedCode(await bed.shard.register(register))).toBe("merge_rule_unknown");
    }));

  it("ME1 a preview tells how a mutation would end, and leaves nothing behind", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create();
      bed.registrations = expectReply(
        await bed.shard.register({ ...bed.scope(), pattern: "n", settings: { ...settings, merge: "sum" } }),
      ).registrations;
      await bed.set("n", "1");
      const seen: Mutation = { kind: "set", opId: bed.opId(), key: "a", payload: one, expiresInMs: 5 };
      await bed.mutate(seen);
      bed.nowMs += 5;
      const mutation = { opId: bed.opId(), key: "n" };
      const cases: readonly [Mutation, string | undefined][] = [
        [{ ...mutation, kind: "merge", operand: one }, undefined],
        [{ ...mutation, kind: "merge", operand: { ...one, bytes: utf8("x") } }, "merge_failed"],
        [{ ...mutation, kind: "set", payload: one, when: { noneOf: "*" } }, "precondition_failed"],
        [{ ...mutation, kind: "delete" }, undefined],
        [{ ...mutation, kind: "delete", key: "none" }, "ok"],
        [{ ...mutation, kind: "invalidate" }, undefined],
        [{ ...mutation, kind: "restore", version: 99 }, "invalid_version"],
        [{ ...mutation, kind: "set", key: "", payload: one }, "invalid_key"],
        [seen, "ok"],
        [{ ...seen, key: "b" }, "op_id_reused"],
        // Its end has come: it counts as absent, though its row is still there.
        [{ kind: "delete", opId: bed.opId(), key: "a" }, "ok"],
      ];
      const dump = () =>
        ["keys", "log", "history", "verdicts"].map((table) => sql.all(`SELECT * FROM ${table}`));
      const before = dump();
      const { mutator } = bed.ledger();
      for (const [asked, code] of cases) {
        const verdict = mutator.preview(asked, bed.nowMs);
        expect([asked.kind, verdict && verdictCode(verdict)]).toEqual([asked.kind, code]);
        expect(dump()).toEqual(before);
      }
    }));
});
