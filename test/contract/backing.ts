import { describe, expect, it } from "vitest";
import type { BackingUnderTest } from "./backing-bed.ts";
import { callCases } from "./backing-calls.ts";
import { logCases } from "./backing-log.ts";

export type { BackingBed, BackingUnderTest, OpenOptions } from "./backing-bed.ts";

/** What every storage behind a shard must do. */
export function backingContract(driver: BackingUnderTest): void {
  describe(`backing contract: ${driver.name}`, () => {
    it("AD1 says what it can do", () =>
      driver.run(async (bed) => {
        expect(bed.open().supports).toEqual(driver.supports);
      }));
    logCases(driver);
    callCases(driver);
  });
}
