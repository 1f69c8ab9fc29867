import { describe } from "vitest";
import type { AdapterUnderTest } from "./adapter-bed.ts";
import { callCases } from "./adapter-calls.ts";
import { changesCases } from "./adapter-changes.ts";
import { claimCases } from "./adapter-claims.ts";
import { comparisonCases } from "./adapter-comparisons.ts";
import { guardCases } from "./adapter-guards.ts";
import { historyCases } from "./adapter-history.ts";
import { leaseCases } from "./adapter-leases.ts";
import { listCases } from "./adapter-lists.ts";
import { mergeCases } from "./adapter-merge.ts";
import { mutationCases } from "./adapter-mutations.ts";
import { opIdCases } from "./adapter-op-ids.ts";
import { registrationCases } from "./adapter-registrations.ts";
import { resolveCases } from "./adapter-resolve.ts";
import { tagCases } from "./adapter-tags.ts";
import { transactionCases } from "./adapter-transactions.ts";

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
    tagCases(driver);
    historyCases(driver);
    claimCases(driver);
    mergeCases(driver);
    comparisonCases(driver);
    transactionCases(driver);
    resolveCases(driver);
    guardCases(driver);
    leaseCases(driver);
  });
}
