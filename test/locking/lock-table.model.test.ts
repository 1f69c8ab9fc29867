import { describe, it } from "vitest";
import { MemoryLockStore } from "../../src/locking/memory-lock-store.ts";
import { runModel } from "./lock-pair.ts";

describe("lock table in memory", () => {
  for (let block = 0; block < 5; block++) {
    const [first, last] = [block * 40 + 1, block * 40 + 40];
    it(`LK1 LK2 LK5 LK8 LK9 LK13 does what the model does, seeds ${first} to ${last}`, () => {
      for (let seed = first; seed <= last; seed++) {
        runModel(seed, 250, { store: new MemoryLockStore(), moveTo: () => {} });
      }
    });
  }
});
