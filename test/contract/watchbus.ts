import { expect, it } from "vitest";
import type { WatchBusUnderTest } from "./watchbus-bed.ts";
import { watchBusEnds } from "./watchbus-ends.ts";
import { watchBusEvents } from "./watchbus-events.ts";
import { watchBusPresence } from "./watchbus-presence.ts";
import { watchBusPublications } from "./watchbus-publications.ts";
import { watchBusResumption } from "./watchbus-resumption.ts";

/** What every driver of watching must do. */
export function watchBusContract(driver: WatchBusUnderTest): void {
  it(`${driver.name} says what it can do`, () =>
    driver.run(async (bed) => expect(bed.open().supports).toEqual(driver.supports)));
  watchBusEvents(driver);
  watchBusPublications(driver);
  watchBusResumption(driver);
  watchBusEnds(driver);
  watchBusPresence(driver);
}
