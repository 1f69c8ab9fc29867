import { expect, it } from "vitest";
import type { LeaseEvent } from "../../src/syncbus/syncbus.ts";
import { type BusBed, type BusContract, codeOf, Ear, settle } from "./syncbus.ts";

const unknown = "nobodys0123456789";

/** The lease forms of the bus (scenarios SB-05, SB-06, LE-03). */
export function syncBusLeases({ run }: BusContract): void {
  const lease = async (bed: BusBed): Promise<string> => (await bed.lease?.()) ?? "lease0123456789ab";

  it("SB-06 the end of a lease reaches those who listen to it, and nobody after they have stopped", () =>
    run(async (bed) => {
      const [one, other] = [bed.end("one"), bed.end("other")];
      const [first, second] = [await lease(bed), (await bed.lease?.()) ?? "lease9876543210zy"];
      const heard: LeaseEvent[] = [];
      const keys = await Ear.on(other);
      const subscription = await other.subscribeLease(first, (event) => void heard.push(event));
      await other.subscribeLease(unknown, (event) => void heard.push(event));
      expect(other.stats().subscriptions).toBe(3);
      await patiently(bed, one.publishLeaseEnd(first));
      await settle(bed);
      expect(heard).toMatchObject([{ lease: first }]);
      expect(keys.events).toEqual([]);
      await subscription.end();
      await subscription.end();
      expect(other.stats()).toMatchObject({ subscriptions: 2, delivered: 1 });
      await other.subscribeLease(second, (event) => void heard.push(event)).then((ended) => ended.end());
      await patiently(bed, one.publishLeaseEnd(second));
      await settle(bed);
      expect(heard).toHaveLength(1);
      expect(one.stats().published).toBe(2);
    }));

  it("LE-03 the end of an unknown lease, or of one that has ended, is told without an error", () =>
    run(async (bed) => {
      const one = bed.end();
      const id = await lease(bed);
      for (const ended of [unknown, id, id]) await patiently(bed, one.publishLeaseEnd(ended));
      expect(await codeOf(one.publishLeaseEnd("no id"))).toBe("invalid_argument");
      expect(await codeOf(one.subscribeLease("no id", () => {}))).toBe("invalid_argument");
    }));

  it("SB-06 a node does not hear of the ends that it tells", () =>
    run(async (bed) => {
      const one = bed.end("one");
      const id = await lease(bed);
      const heard: LeaseEvent[] = [];
      await one.subscribeLease(id, (event) => void heard.push(event));
      await patiently(bed, one.publishLeaseEnd(id));
      await settle(bed);
      expect(heard).toEqual([]);
    }));

  it("SB-05 lease forms that were given up before they began fail and change nothing", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const id = await lease(bed);
      const heard: LeaseEvent[] = [];
      await other.subscribeLease(id, (event) => void heard.push(event));
      const signal = AbortSignal.abort("no more");
      expect(await codeOf(one.publishLeaseEnd(id, { signal }))).toBe("aborted");
      expect(await codeOf(one.subscribeLease(id, () => {}, { signal }))).toBe("aborted");
      expect(one.stats()).toMatchObject({ published: 0, subscriptions: 0 });
      await settle(bed);
      expect(heard).toEqual([]);
      const controller = new AbortController();
      await one.subscribeLease(id, () => {}, { signal: controller.signal });
      controller.abort();
      expect(one.stats().subscriptions).toBe(0);
      await other.close();
      expect(other.stats().subscriptions).toBe(0);
      expect(await codeOf(other.publishLeaseEnd(id))).toBe("warp_closed");
      expect(await codeOf(other.subscribeLease(id, () => {}))).toBe("warp_closed");
    }));

  it("a listener to a lease that fails is told to onError, and fails nobody else", () =>
    run(async (bed) => {
      const [one, other] = [bed.end(), bed.end()];
      const id = await lease(bed);
      const [errors, heard]: [unknown[], LeaseEvent[]] = [[], []];
      other.onError((error) => errors.push(error));
      await other.subscribeLease(id, () => Promise.reject(new Error("no")));
      await other.subscribeLease(id, (event) => void heard.push(event));
      await patiently(bed, one.publishLeaseEnd(id));
      await settle(bed);
      expect(errors).toMatchObject([{ message: "no" }]);
      expect(heard).toHaveLength(1);
    }));
}

/** Lets a call end that needs the bus to move on. */
async function patiently(bed: BusBed, work: Promise<void>): Promise<void> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  work.then(end, end);
  for (let step = 0; step < 50 && !over; step++) await settle(bed);
  await work;
}
