import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newOpId } from "../support/http-client.ts";
import { Bed } from "../support/twin/bed.ts";
import type { TwinNode } from "../support/twin/calls.ts";
import { insist } from "../support/twin/insist.ts";

let bed: Bed;

beforeAll(async () => {
  bed = await Bed.start({ space: "sums", nodes: { "node-east": "east", "node-west": "west" } });
  await bed.http().register("sum:*", { merge: "sum" });
  await bed.http().register("strong:sum:*", { mode: "strong", merge: "sum" });
});

afterAll(() => bed.stop());

/** `count` increments by 1 through one node, some at a time, each repeated under its op id until its fate is known. */
async function increment(node: TwinNode, key: string, count: number, width: number): Promise<number> {
  let left = count;
  let repeats = 0;
  const one = async (): Promise<void> => {
    while (left > 0) {
      left--;
      const call = { do: "merge", key, amount: 1, opId: newOpId(), timeoutMs: 10_000 } as const;
      const { answer, tries } = await insist(node, call);
      repeats += tries - 1;
      if (answer.ok) continue;
      // A definite failure did nothing: the increment is made anew.
      expect(["unavailable", "write_interrupted", "overloaded"], answer.message).toContain(answer.code);
      left++;
      await sleep(100);
    }
  };
  await Promise.all(Array.from({ length: width }, one));
  return repeats;
}

async function sumAt(node: TwinNode, key: string): Promise<unknown> {
  const answer = await node.call({
    do: "txn",
    compare: [],
    success: [{ op: "get", key }],
    failure: [],
    opId: newOpId(),
  });
  return answer.ok ? answer.results[0]?.value : answer;
}

describe("increments from four isolates and two Node processes", () => {
  test.each([
    { key: "sum:all", total: 6_400, faults: 5 },
    { key: "strong:sum:all", total: 640, faults: 2 },
  ])(
    "ME1 X-08 $total increments of $key with objects aborted in the middle give $total",
    async ({ key, total, faults }) => {
      const begunAt = performance.now();
      // Somebody holds the key wherever it can be held.
      const readers = { stop: false };
      const reading = bed.remotes.map(async ({ node }) => {
        while (!readers.stop) {
          await node.call({ do: "get", key, timeoutMs: 2_000 });
          await sleep(5);
        }
      });
      const shares = bed.nodes.map((_, at) => Math.floor(total / 6) + (at < total % 6 ? 1 : 0));
      const work = Promise.all(bed.nodes.map((node, at) => increment(node, key, shares[at] ?? 0, 8)));
      let over = false;
      void work.finally(() => {
        over = true;
      });
      let done = 0;
      // Spread over the work by what has been counted.
      while (!over && done < faults) {
        await sleep(50);
        const sum = await sumAt(bed.nodes[0] as TwinNode, key);
        if (typeof sum !== "number" || sum < (total * (done + 1)) / (faults + 2)) continue;
        done++;
        if (done === faults) await bed.killAndRestart();
        else await bed.abort();
      }
      const repeats = await work;
      readers.stop = true;
      await Promise.all(reading);
      const sums = await Promise.all(bed.nodes.map((node) => sumAt(node, key)));
      console.log(
        `increments of ${key}: ${total} in ${Math.round(performance.now() - begunAt)} ms, ${done} faults, repeats by node`,
        repeats,
      );
      expect(sums).toEqual(bed.nodes.map(() => total));
      expect(done).toBe(faults);
      for (const node of bed.nodes) {
        // What L1 says, in the end: the bound of eventual reads has passed.
        await expect
          .poll(async () => node.call({ do: "get", key }), { timeout: 10_000 })
          .toMatchObject({ ok: true, seen: { value: total } });
      }
    },
  );
});
