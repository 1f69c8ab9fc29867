import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { coreBed } from "../support/core-bed.ts";
import { ScriptedAdapter } from "../support/scripted-adapter.ts";

/** A node whose shards say of each change that the storage behind them has not confirmed it yet. */
function unconfirmed() {
  const bed = coreBed();
  const through = new ScriptedAdapter(memoryAdapter({ storage: bed.storage }));
  const { batch, transact } = through;
  through.batch = async (...call) =>
    (await batch.apply(through, call)).map((answer) =>
      answer.verdict.outcome === "ok"
        ? { ...answer, verdict: { ...answer.verdict, storage: "pending" as const } }
        : answer,
    );
  through.transact = async (...call) => {
    const answer = await transact.apply(through, call);
    return answer.verdict.outcome === "ok"
      ? { ...answer, verdict: { ...answer.verdict, storage: "pending" as const } }
      : answer;
  };
  return bed.node({ through });
}

describe("a change that the storage behind its shard has not confirmed in time", () => {
  test("says so, whichever call made it", async () => {
    const { warp } = unconfirmed();
    const set = await warp.set("a", 1);
    expect(set).toMatchObject({ storage: "pending", version: expect.any(Number) });
    expect(await warp.delete("a")).toMatchObject({ storage: "pending", existed: true });
    expect(await warp.txn().set("b", 1).commit()).toMatchObject({ storage: "pending", succeeded: true });
    expect(await warp.cas("b", 1, 2)).toMatchObject({ storage: "pending" });
    const [one] = await warp.batch([
      { op: "set", key: "c", payload: { bytes: new Uint8Array(), contentType: "a/b" } },
    ]);
    expect(one).toMatchObject({ result: { storage: "pending" } });
  });

  test("others don't", async () => {
    const { warp } = coreBed().node();
    expect(await warp.set("a", 1)).not.toHaveProperty("storage");
    expect(await warp.txn().set("b", 1).commit()).not.toHaveProperty("storage");
  });
});
