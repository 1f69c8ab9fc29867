import { describe, expect, it } from "vitest";
import { host } from "#host";
import { formatETag } from "../../../src/protocol/position.ts";
import { isRefusal, type MutateReply, type Mutation, type Refusal } from "../../../src/protocol/shard-api.ts";
import { nodeLeaseMs } from "../../../src/runtime/limits.ts";
import { verdictCode } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys, type Watched } from "../../support/strong-bed.ts";

function withBed(work: (bed: StrongBed) => Promise<void>): () => Promise<void> {
  const statics = [strongKeys("k*", { quorum: 1 })];
  return () => host.withSql(async (sql) => await work(await new StrongBed(sql, { statics }).create()));
}

function codes({ value }: Watched<MutateReply | Refusal>): string[] | undefined {
  if (value === undefined || isRefusal(value)) return undefined;
  return value.verdicts.map(verdictCode);
}

/** Sets a key, and then once more if it is absent: what becomes of the second depends on the first. */
function twice(bed: StrongBed): readonly Mutation[] {
  return [bed.setting("k1", "first"), bed.setting("k1", "second", { when: { noneOf: "*" } })];
}

describe("operations of one request of which one stands on another", () => {
  it(
    "ST7 one that comes through only because another has missed its quorum misses it, too",
    withBed(async (bed) => {
      const write = bed.mutate(twice(bed));
      await bed.time.settle();
      expect(codes(write)).toEqual(["quorum_failed", "quorum_failed"]);
      expect(await bed.text("k1")).toBeUndefined();
    }),
  );

  it(
    "ST2 one that comes through only because another has missed its quorum leaves no copy behind",
    withBed(async (bed) => {
      await bed.holder("a");
      const before = bed.set("k1", "old");
      await bed.time.settle();
      bed.members.acknowledge("a");
      await bed.time.settle();
      expect(codes(before)).toEqual(["ok"]);
      const { epoch, entries, held } = await bed.read("a", "k1");
      expect(held).toEqual([0]);
      const when = { anyOf: [formatETag(epoch, entries[0]?.version ?? 0)] };

      // There is no other node than the writer's own.
      const write = bed.mutate(
        [bed.setting("k1", "new"), { kind: "delete", opId: bed.opId(), key: "k1", when }],
        "a",
      );
      await bed.time.advance(4 * nodeLeaseMs);
      expect(codes(write)).toEqual(["quorum_failed", "quorum_failed"]);
      expect(await bed.text("k1")).toBe("old");
    }),
  );

  it(
    "ST3 a request whose quorum nobody answers ends, whatever its operations make of that",
    withBed(async (bed) => {
      bed.members.join("silent");
      const write = bed.mutate(twice(bed));
      await bed.time.advance(4 * nodeLeaseMs);
      expect(codes(write)).toEqual(["quorum_failed", "quorum_failed"]);
      expect(await bed.text("k1")).toBeUndefined();
    }),
  );
});
