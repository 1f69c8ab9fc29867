import { describe } from "vitest";
import type { AdapterUnderTest } from "./adapter-bed.ts";
import { callCases } from "./adapter-calls.ts";
import { changesCases } from "./adapter-changes.ts";
import { listCases } from "./adapter-lists.ts";
import { mutationCases } from "./adapter-mutations.ts";
import { opIdCases } from "./adapter-op-ids.ts";
import { registrationCases } from "./adapter-registrations.ts";

export type { AdapterBed, AdapterUnderTest, BedOptions } from "./adapter-bed.ts";

/** What every adapter must do; what a driver says that it lacks is tested to be refused. */
export function adapterContract(driver: AdapterUnderTest): void {
  describe(`adapter contract: ${driver.name}`, () => {
    callCases(driver);
    opIdCases(driver);
    mutationCases(driver);
    listCases(driver);
    changesCases(driver);
    registrationCases(driver);
  });
}
