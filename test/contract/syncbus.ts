import { describe, expect, it } from "vitest";
import type {
  BusEvent,
  BusInterest,
  BusMessage,
  SyncBus,
  SyncBusSupports,
} from "../../src/syncbus/syncbus.ts";
import type { VirtualClock } from "../support/virtual-clock.ts";
import { syncBusDelivery } from "./syncbus-delivery.ts";
import { syncBusLeases } from "./syncbus-leases.ts";

/** A bus with any number of ends, in virtual time. */
export interface BusBed {
  readonly clock: VirtualClock;
  /** A new end of the bus. */
  end(node?: string): SyncBus;
  /** Lets everything arrive that was published, without time passing for the bus. */
  arrive(): Promise<void>;
  /** Breaks every end's connection in the middle of its next call; it comes back by itself. */
  readonly cut?: () => void;
  /** How long the way may gather what it passes on, in ms. Default 0. */
  readonly gatherMs?: number;
  /** Ends what the driver was lent: connections. */
  readonly finish?: () => Promise<void>;
  /** Makes a live lease, where the bus ends real ones; its id. */
  readonly lease?: () => Promise<string>;
  /** What was delivered last arrives once more. */
  readonly again?: () => Promise<void>;
}

/** A driver under test. */
export interface BusContract {
  readonly name: string;
  readonly supports: SyncBusSupports;
  /** Whether events have their place in a shard's log. Default: as `supports.resume`. */
  readonly positions?: boolean;
  run(work: (bed: BusBed) => Promise<void>): Promise<void>;
}

/** What a subscriber heard. */
export class Ear {
  readonly bursts: (readonly BusEvent[])[] = [];

  static async on(bus: SyncBus, interest: BusInterest = { prefix: "" }): Promise<Ear> {
    const ear = new Ear();
    await bus.subscribe(interest, (events) => void ear.bursts.push(events));
    return ear;
  }

  get events(): readonly BusEvent[] {
    return this.bursts.flat();
  }

  /** What the events were about, shortly. */
  get heard(): readonly string[] {
    return this.events.map((event) =>
      "key" in event ? event.key : "prefix" in event ? `${event.prefix}*` : `#${event.tag}`,
    );
  }
}

/** Lets bursts leave and arrive. */
export async function settle({ clock, arrive, gatherMs = 0 }: BusBed): Promise<void> {
  await clock.advance(20 + gatherMs);
  await arrive();
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "no error";
}

/** What every sync bus driver must do. */
export function syncBusContract(contract: BusContract): void {
  const { name, supports, run } = contract;
  describe(`sync bus contract: ${name}`, () => {
    syncBusDelivery(contract);
    syncBusLeases(contract);

    it("can do what it says it can, and refuses the rest", () =>
      run(async (bed) => {
        const one = bed.end("one");
        expect(one.supports).toEqual(supports);
        expect(one.node).toBe("one");
        expect(bed.end().node).not.toBe(bed.end().node);
        if (supports.peers) {
          const other = bed.end("other");
          expect((await other.peers()).map(({ node }) => node)).toContain("one");
          expect((await other.peers()).map(({ node }) => node)).not.toContain("other");
        } else expect(await codeOf(one.peers())).toBe("unsupported");
        if (!supports.quorum) {
          expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 1 }))).toBe("unsupported");
        }
        if (!supports.scope) {
          expect(await codeOf(one.publish({ key: "k", scope: "local" }))).toBe("unsupported");
        }
        expect(await one.health()).toMatchObject({ ok: true });
        expect(one.stats()).toEqual({
          published: 0,
          delivered: 0,
          duplicates: 0,
          errors: 0,
          subscriptions: 0,
        });
      }));

    it("refuses what names no key, prefix or tag, and limits out of range", () =>
      run(async (bed) => {
        const bus = bed.end();
        expect(await codeOf(bus.publish({ key: "" }))).toBe("invalid_key");
        expect(await codeOf(bus.publish({ key: "k".repeat(513) }))).toBe("invalid_key");
        expect(await codeOf(bus.publish({ prefix: "k".repeat(513) }))).toBe("invalid_key");
        expect(await codeOf(bus.publish({ tag: "" }))).toBe("invalid_argument");
        for (const message of [{}, { key: "k", prefix: "k" }])
          expect(await codeOf(bus.publish(message as BusMessage))).toBe("invalid_argument");
        expect(await codeOf(bus.subscribe({} as BusInterest, () => {}))).toBe("invalid_argument");
        expect(await codeOf(bus.publish({ key: "k" }, { timeoutMs: 0 }))).toBe("invalid_argument");
        expect(await codeOf(bus.subscribe({ key: "" }, () => {}))).toBe("invalid_key");
        expect(bus.stats()).toMatchObject({ published: 0, subscriptions: 0 });
      }));

    it("SB-05 what was given up before it began fails and changes nothing", () =>
      run(async (bed) => {
        const [one, other] = [bed.end(), bed.end()];
        const ear = await Ear.on(other);
        const signal = AbortSignal.abort("no more");
        expect(await codeOf(one.publish({ key: "k" }, { signal }))).toBe("aborted");
        expect(await codeOf(one.subscribe({ prefix: "" }, () => {}, { signal }))).toBe("aborted");
        if (supports.quorum) {
          expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 1 }, { signal }))).toBe("aborted");
        }
        await settle(bed);
        expect(ear.events).toEqual([]);
        expect(one.stats()).toMatchObject({ published: 0, subscriptions: 0 });
      }));

    it("SB-03 a subscription ends with its signal, by end() and with its bus; nothing is delivered afterwards", () =>
      run(async (bed) => {
        const [one, other] = [bed.end(), bed.end()];
        const controller = new AbortController();
        const heard: string[] = [];
        const listen = (who: string, signal?: AbortSignal) =>
          other.subscribe({ key: "k" }, () => void heard.push(who), signal === undefined ? {} : { signal });
        await listen("signal", controller.signal);
        const ended = await listen("end");
        await listen("close");
        expect(other.stats().subscriptions).toBe(3);
        controller.abort();
        await ended.end();
        await ended.end();
        expect(other.stats().subscriptions).toBe(1);
        await one.publish({ key: "k" });
        await settle(bed);
        expect(heard).toEqual(["close"]);
        await other.close();
        expect(other.stats().subscriptions).toBe(0);
        await one.publish({ key: "k" });
        await settle(bed);
        expect(heard).toEqual(["close"]);
      }));

    it("CO10 a closed end refuses every call, sends what it had taken, and leaves no timer", () =>
      run(async (bed) => {
        const [one, other] = [bed.end(), bed.end()];
        const ear = await Ear.on(other);
        const waiting = [one.publish({ key: "a" }), one.publish({ key: "b" })];
        await one.close();
        await one.close();
        await Promise.all(waiting);
        await settle(bed);
        expect(ear.heard).toEqual(["a", "b"]);
        expect(await codeOf(one.publish({ key: "k" }))).toBe("warp_closed");
        expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 1 }))).toBe("warp_closed");
        expect(await codeOf(one.subscribe({ key: "k" }, () => {}))).toBe("warp_closed");
        expect(await codeOf(one.peers())).toBe("warp_closed");
        expect(await codeOf(one.health())).toBe("warp_closed");
        expect(one.stats().published).toBe(2);
        await other.close();
        await bed.finish?.();
        expect(bed.clock.timers).toBe(0);
      }));
  });
}
