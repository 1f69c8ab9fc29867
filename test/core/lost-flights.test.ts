import { expect, it } from "vitest";
import { HeldErrors } from "../../src/core/held-errors.ts";
import { Moments } from "../../src/core/moment.ts";
import { SingleFlight } from "../../src/core/single-flight.ts";
import { virtualClock } from "../support/virtual-clock.ts";

it("CO2 flights that never land are not kept, and one that is late harms no later one", async () => {
  const clock = virtualClock();
  const moments = new Moments(clock);
  const flights = new SingleFlight<number>({
    clock,
    background: { run: () => {} },
    lostAfterMs: 5_000,
    errors: new HeldErrors(),
  });
  const late = Promise.withResolvers<number>();
  void flights.begin("late", moments.mark(), late.promise);
  for (let at = 0; at < 500; at++) void flights.begin(`dead:${at}`, moments.mark(), new Promise(() => {}));
  await clock.advance(5_000);
  // Begun again, it stands behind those that are younger.
  const again = flights.begin("late", moments.mark(), new Promise(() => {}));
  expect(flights.size).toBe(1);
  late.resolve(1);
  await late.promise;
  expect(flights.joinRunning("late", Number.NEGATIVE_INFINITY)).toBe(again);
  await clock.advance(4_999);
  void flights.begin("other", moments.mark(), new Promise(() => {}));
  expect(flights.size).toBe(2);
});
