import { describe, expect, test } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { CircuitBreaker } from "../../src/runtime/circuit-breaker.ts";
import { circuitBreakerBus } from "../../src/syncbus/circuit-breaker/circuit-breaker-bus.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import type { SyncBus } from "../../src/syncbus/syncbus.ts";
import { syncBusContract } from "../contract/syncbus.ts";
import { publishing } from "../support/bus-bed.ts";
import { busHost } from "../support/bus-host.ts";

// SB-12: whatever a bus promises it promises behind a closed breaker, too.
syncBusContract({
  name: "memory behind a circuit breaker",
  supports: {
    quorum: true,
    zones: true,
    health: false,
    peers: true,
    scope: true,
    region: true,
    resume: false,
    remote: false,
  },
  run: async (work) => {
    const host = busHost();
    const hub = new MemoryBusHub(host);
    await work({
      clock: host.clock,
      end: (node) =>
        circuitBreakerBus({
          bus: memoryBus({ hub, ...(node === undefined ? {} : { node }) }),
          clock: host.clock,
        }),
      arrive: () => host.clock.settle(),
    });
  },
});

/** A breaker over a bus whose publications end as the test says, and how many came to it. */
function bed() {
  const host = busHost();
  const hub = new MemoryBusHub(host);
  const way = { error: undefined as unknown, hangs: undefined as Promise<never> | undefined, sent: 0 };
  const inner: SyncBus = publishing(memoryBus({ hub }), async (_message, pass) => {
    way.sent++;
    if (way.hangs !== undefined) await way.hangs;
    if (way.error !== undefined) throw way.error;
    await pass();
  });
  const bus = circuitBreakerBus({ bus: inner, clock: host.clock, threshold: 2, openMs: 1_000 });
  const publish = () => bus.publish({ key: "k" });
  /** What is sent needs time to pass. */
  const sent = async (publication: Promise<void>) => {
    const end = publication.catch((error: unknown) => error);
    await host.clock.advance(20);
    return await end;
  };
  return { host, hub, way, bus, publish, sent };
}

const down = new WarpError("unavailable", "the bus is down", { outcome: "unknown" });

describe("a bus behind a circuit breaker", () => {
  test("SB-11 it is healthy after one failure, open after two, tries one call after its time; that closes it, or opens it again", async () => {
    const { host, way, bus, publish, sent } = bed();
    way.error = down;
    await expect(publish()).rejects.toBe(down);
    expect(bus.state).toBe("closed");
    expect((await bus.health()).ok).toBe(true);
    await expect(publish()).rejects.toBe(down);
    expect(bus.state).toBe("open");
    expect((await bus.health()).ok).toBe(false);
    await expect(publish()).rejects.toMatchObject({
      code: "unavailable",
      outcome: "fail",
      retryAfterMs: 1_000,
    });
    expect(way.sent, "what is refused is not sent").toBe(2);
    await host.clock.advance(999);
    expect(bus.state).toBe("open");
    await host.clock.advance(1);
    expect(bus.state).toBe("half-open");
    const [probe, other] = await Promise.allSettled([publish(), publish()]);
    expect(probe).toMatchObject({ status: "rejected", reason: down });
    expect(other).toMatchObject({ status: "rejected", reason: { outcome: "fail" } });
    expect(way.sent, "one call alone tries").toBe(3);
    expect(bus.state).toBe("open");
    await host.clock.advance(1_000);
    way.error = undefined;
    expect(await sent(publish())).toBeUndefined();
    expect(bus.state).toBe("closed");
    way.error = down;
    await expect(publish()).rejects.toBe(down);
    expect(bus.state, "a success has reset the count").toBe("closed");
  });

  test("SB-11 a try that is never answered does not keep others from trying for ever, and its late end says nothing", async () => {
    const { host, way, bus, publish, sent } = bed();
    way.error = down;
    for (let at = 0; at < 2; at++) await publish().catch(() => undefined);
    await host.clock.advance(1_000);
    const { promise, reject } = Promise.withResolvers<never>();
    way.error = undefined;
    way.hangs = promise;
    const hung = publish().catch((error: unknown) => error);
    way.hangs = undefined;
    await expect(publish()).rejects.toMatchObject({ code: "unavailable", outcome: "fail" });
    await host.clock.advance(1_000);
    expect(await sent(publish())).toBeUndefined();
    expect(bus.state).toBe("closed");
    reject(down);
    expect(await hung).toBe(down);
    expect(bus.state).toBe("closed");
  });

  test("SB-11 failures count only one after the other, and only those of the bus", async () => {
    const { way, bus, publish, sent } = bed();
    for (const error of [down, undefined, down, undefined]) {
      way.error = error;
      expect(await sent(publish())).toBe(error);
    }
    expect(bus.state).toBe("closed");
    for (const code of ["invalid_key", "quorum_failed", "aborted", "unsupported"] as const) {
      way.error = new WarpError(code, "not the bus");
      await publish().catch(() => undefined);
      await publish().catch(() => undefined);
    }
    expect(bus.state).toBe("closed");
  });

  test("SB-12 a closed breaker passes events through, and an open one goes on hearing", async () => {
    const { hub, way, bus, publish, sent } = bed();
    const heard: string[] = [];
    await bus.subscribe({ prefix: "" }, (events) => {
      for (const event of events) if ("key" in event) heard.push(event.key);
    });
    const other = memoryBus({ hub });
    await sent(other.publish({ key: "a" }));
    way.error = down;
    for (let at = 0; at < 2; at++) await publish().catch(() => undefined);
    expect(bus.state).toBe("open");
    await sent(other.publish({ key: "b" }));
    expect(heard).toEqual(["a", "b"]);
  });

  test("options out of their range are refused by name", () => {
    const { bus } = bed();
    const { clock } = busHost();
    for (const options of [{ threshold: 0 }, { threshold: 1.5 }, { openMs: 0 }, { openMs: 3_600_001 }]) {
      const [field] = Object.keys(options);
      expect(() => circuitBreakerBus({ bus, clock, ...options })).toThrow(
        expect.objectContaining({ code: "invalid_argument", details: expect.objectContaining({ field }) }),
      );
    }
  });
});

test("SB-12 a clock that is set back keeps a breaker open for no longer, nor a try that never answers", () => {
  let nowMs = 10_000_000;
  const breaker = new CircuitBreaker({ clock: { now: () => nowMs }, threshold: 1, openMs: 1_000 });
  breaker.enter().failed();
  expect(breaker.state).toBe("open");
  nowMs -= 3_600_000;
  expect(breaker.state).toBe("half-open");
  breaker.enter();
  expect(() => breaker.enter()).toThrow(expect.objectContaining({ code: "unavailable" }));
  nowMs -= 3_600_000;
  breaker.enter().succeeded();
  expect(breaker.state).toBe("closed");
});
