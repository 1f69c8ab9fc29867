import { type Seeded, seeded } from "../../support/seeded.ts";
import type { Caller, Plan, Planned, PlannedCall, PlannedFault, PlannedNode } from "../world/plan.ts";

export function randomOf(seed: number): Seeded {
  return seeded(Math.imul(seed + 1, 0x85ebca6b));
}

/** What most shapes share: all sockets, quick links and disks, copies that last. */
export function base(
  seed: number,
  random: Seeded,
  zones: readonly string[],
): Omit<Plan, "keys" | "untilMs" | "steps"> {
  return {
    seed,
    profile: "faults",
    nodes: zones.map((zone, at) => node(random, at, zone)),
    shards: 1,
    locks: [],
    maxStalenessMs: 200,
    cacheTtlMs: 3_600_000,
    link: { minDelayMs: random.below(2), spreadMs: random.pick([1, 4, 15]), breaks: 0, twice: 0 },
    shard: {
      flushMinMs: 0,
      flushSpreadMs: random.pick([1, 5, 15]),
      logMaxEntries: 100_000,
      logMaxAgeMs: 86_400_000,
    },
    repeats: false,
    quorum: { nodes: 1, zones: 0 },
  };
}

function node(random: Seeded, at: number, zone: string, part: Partial<PlannedNode> = {}): PlannedNode {
  return {
    name: `n${at}`,
    process: `p${at}`,
    zone,
    transport: "socket",
    clock: { rate: 1 + (random.below(101) - 50) / 10_000, offsetMs: random.below(1_001) - 500 },
    mixedIsStrong: true,
    maxEntries: 1_000,
    ...part,
  };
}

/** Something about every `everyMs`, by chance. */
export function often<T>(
  random: Seeded,
  [fromMs, toMs]: readonly [number, number],
  everyMs: number,
  make: () => T,
): (T & { readonly atMs: number })[] {
  const count = Math.round((toMs - fromMs) / everyMs);
  return Array.from({ length: count }, () => ({ ...make(), atMs: fromMs + random.below(toMs - fromMs) }));
}

export function gets(
  random: Seeded,
  span: readonly [number, number],
  everyMs: number,
  by: readonly number[],
  keys: readonly string[],
): Planned[] {
  const get = (): PlannedCall => ({
    do: "get",
    by: random.pick(by),
    key: random.pick(keys),
    allowStale: false,
  });
  return often(random, span, everyMs, get);
}

export function sets(
  random: Seeded,
  span: readonly [number, number],
  everyMs: number,
  by: readonly Caller[],
  keys: readonly string[],
): Planned[] {
  const set = (): PlannedCall => ({ do: "set", by: random.pick(by), key: random.pick(keys) });
  return often(random, span, everyMs, set);
}

export function faults(
  random: Seeded,
  span: readonly [number, number],
  everyMs: number,
  make: () => PlannedFault,
): Planned[] {
  return often(random, span, everyMs, make);
}

export function inOrder(...lists: readonly (readonly Planned[])[]): Planned[] {
  return lists.flat().sort((a, b) => a.atMs - b.atMs);
}
