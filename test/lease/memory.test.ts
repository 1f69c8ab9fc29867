import { describe, expect, it } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { MemoryLeaseSpace } from "../../src/lease/memory/memory-lease-space.ts";
import { memoryLeases } from "../../src/lease/memory/memory-leases.ts";
import { leaseContract } from "../contract/lease.ts";
import { codeOf, type LeaseBed, LeaseTester } from "../contract/lease-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

function open(options: { readonly strict?: boolean } = {}): LeaseBed {
  const time = virtualClock();
  const random = seeded(1);
  const space = new MemoryLeaseSpace({ clock: time, timers: time });
  const storage = new MemoryStorage({ clock: time, timers: time, random, leases: space, ...options });
  return {
    time,
    random,
    leases: () => memoryLeases({ space }),
    adapter: () => memoryAdapter({ storage }),
  };
}

leaseContract({
  name: "memory",
  supports: { durable: false, shared: false },
  run: (work, options) => work(open(options)),
});

describe("memory leases", () => {
  it("tell of every end, and leave no timer behind", async () => {
    const bed = open();
    const t = new LeaseTester(bed);
    const ended: string[] = [];
    const off = t.others.onEnd((id) => void ended.push(id));
    const [one, two, three] = [
      await t.grant(),
      await t.grant({ ttlMs: 5_000 }),
      await t.grant({ ttlMs: 9_000 }),
    ];
    await t.revoke(two ?? "");
    await t.time.advance(1_500);
    expect(ended).toEqual([two, one]);
    off();
    await t.revoke(three ?? "");
    expect(ended).toEqual([two, one]);
    await t.grant({ ttlMs: 5_000 });
    await t.leases.close();
    expect(t.time.timers).toBe(1);
    await t.others.close();
    expect(t.time.timers).toBe(0);
  });

  it("LS2 a lease that nobody's timer watches has ended for whoever looks at its keys", async () => {
    const bed = open();
    const t = new LeaseTester(bed);
    const id = await t.grant({ ttlMs: 1_000, onEnd: "delete" });
    await t.set("a", "1", { lease: id });
    await t.leases.close();
    await t.others.close();
    await t.time.advance(2_000);
    expect(await t.text("a")).toBeUndefined();
  });

  it("a storage without leases refuses them, and leases are of one storage", async () => {
    const time = virtualClock();
    const space = new MemoryLeaseSpace({ clock: time, timers: time });
    const make = (): MemoryStorage => new MemoryStorage({ clock: time, random: seeded(1), leases: space });
    make();
    expect(make).toThrow(expect.objectContaining({ code: "invalid_argument" }));
    const adapter = memoryAdapter({ clock: time, random: seeded(1) });
    expect(adapter.supports.leases).toBe(false);
    const t = new LeaseTester({ ...open(), adapter: () => adapter });
    expect(codeOf(await t.set("a", "1", { lease: t.id() }))).toBe("unsupported");
  });
});
