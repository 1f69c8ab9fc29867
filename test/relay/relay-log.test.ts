import { expect, test } from "vitest";
import type { RelayBatch } from "../../src/protocol/relay.ts";
import { RelayLog } from "../../src/relay/relay-log.ts";
import { Replica } from "../../src/relay/replica.ts";
import { defaultSizes } from "../../src/shard/watched-log.ts";
import { virtualClock } from "../support/virtual-clock.ts";

function batch(after: number, to: number): RelayBatch {
  return { epoch: "e", after, to, entries: [], floor: 0, shards: 1 };
}

test("WA2 a cursor that is ahead is asked about until it is reached, also where feeds overtake the answers", async () => {
  const clock = virtualClock();
  const replica = new Replica();
  replica.apply(batch(0, 10));
  const asked: number[] = [];
  const log = new RelayLog({
    replica,
    sizes: defaultSizes,
    pull: async (after) => {
      asked.push(after);
      // Before the answer is here a feed goes further than it.
      if (after === 10) replica.apply(batch(10, 70));
      return batch(after, Math.min(after + 50, 100));
    },
    state: () => Promise.reject(new Error("not asked for")),
    answered: () => {},
    elapsed: clock,
    timers: clock,
    report: () => {},
  });
  await log.reach({ epoch: "e", revision: 100 });
  expect(log.position).toEqual({ epoch: "e", revision: 100 });
  expect(asked).toEqual([10, 70]);
  // There is no more than this, and it is not asked for again and again.
  await log.reach({ epoch: "e", revision: 101 });
  expect(asked).toEqual([10, 70, 100]);
});
