import { describe, expect, it } from "vitest";
import { Polling } from "../../src/upstash/polling.ts";
import { busHost } from "../support/bus-host.ts";

/** Looks that end when the test says so. */
function bed() {
  const host = busHost();
  const looks: ((found: boolean) => void)[] = [];
  const polling = new Polling({
    ...host,
    minMs: 50,
    maxMs: 2_000,
    isTimed: false,
    look: () => new Promise<boolean>((resolve) => looks.push(resolve)),
    failed: () => undefined,
  });
  return { host, looks, polling };
}

describe("polling", () => {
  it("looks that are asked for while one is under way share one that begins afterwards", async () => {
    const { host, looks, polling } = bed();
    const asked = [polling.poll(), polling.poll(), polling.poll()];
    looks[0]?.(false);
    await host.clock.settle();
    expect(looks).toHaveLength(2);
    const again = polling.poll();
    looks[1]?.(true);
    await host.clock.settle();
    looks[2]?.(false);
    expect(await Promise.all([...asked, again])).toEqual([false, true, true, false]);
    expect([looks.length, host.clock.timers]).toEqual([3, 0]);
  });

  it("a look whose request has ended holds up nobody for ever, and says nothing when it ends after all", async () => {
    const { host, looks, polling } = bed();
    void polling.poll();
    const waiting = polling.poll();
    await host.clock.advance(30_000);
    expect(looks).toHaveLength(2);
    // That one is lost, too, with its timers; others come later.
    host.clock.forget();
    const later = [polling.poll(), polling.poll()];
    await host.clock.advance(30_000);
    expect(looks).toHaveLength(3);
    looks[2]?.(true);
    expect(await Promise.all(later)).toEqual([true, true]);
    looks[0]?.(false);
    looks[1]?.(false);
    expect(await waiting).toBe(false);
    const last = polling.poll();
    looks[3]?.(true);
    expect(await last).toBe(true);
    expect(host.clock.timers).toBe(0);
  });
});
