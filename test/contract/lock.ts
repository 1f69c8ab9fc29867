import { expect, it } from "vitest";
import type { LocksUnderTest } from "./lock-bed.ts";
import { lockBounds } from "./lock-bounds.ts";
import { lockElections } from "./lock-elections.ts";
import { lockGrants } from "./lock-grants.ts";
import { lockKinds } from "./lock-kinds.ts";
import { lockQueues } from "./lock-queue.ts";
import { lockRepeats } from "./lock-repeats.ts";

/** What every lock driver must do. */
export function locksContract(driver: LocksUnderTest): void {
  it(`${driver.name} says what it can do`, () =>
    driver.run(async (bed) => expect(bed.open().supports).toEqual(driver.supports)));
  lockGrants(driver);
  lockKinds(driver);
  lockQueues(driver);
  lockRepeats(driver);
  lockElections(driver);
  lockBounds(driver);
}
