import type { LockKind } from "../../../src/protocol/lock.ts";
import type { Seeded } from "../../support/seeded.ts";
import { keysOf, type PlannedLock, planTenure, type Tenure } from "../world/lock-plan.ts";
import type { Plan, Planned, PlannedFault } from "../world/plan.ts";
import { base, faults, inOrder, often, randomOf } from "./parts.ts";

const lock = (kind: LockKind, tag = "a", markTag = tag): PlannedLock => ({
  name: `lock{${tag}}`,
  kind,
  permits: 3,
  counter: `l{${tag}}`,
  mark: `o{${markTag}}${tag}`,
});

/** Tenures by chance, each with what `part` says otherwise. */
function tenures(
  random: Seeded,
  span: readonly [number, number],
  everyMs: number,
  by: readonly number[],
  locks: readonly PlannedLock[],
  part: () => Partial<Tenure> = () => ({}),
): Planned[] {
  return often(random, span, everyMs, (): Tenure => {
    const one = random.pick(locks);
    return { ...planTenure(random, one, random.pick(by), false), ...part() };
  });
}

function crowd(
  seed: number,
  random: Seeded,
  locks: readonly PlannedLock[],
  untilMs: number,
  steps: readonly Planned[],
): Plan {
  return {
    ...base(seed, random, ["z0", "z0", "z1"]),
    keys: keysOf(locks),
    locks,
    untilMs,
    steps: inOrder(steps),
  };
}

/** Many who want one lock at the same time, of any kind, and hold it for a short while; nodes stand still, and sockets break. */
export function lockCrowd(seed: number, kind?: LockKind): Plan {
  const random = randomOf(seed);
  const any = random.pick(["mutex", "read", "semaphore", "reentrant", "election"] as const);
  const locks = [lock(kind ?? any)];
  const span = [0, 6_000] as const;
  const trouble = (): PlannedFault => {
    const node = random.below(3);
    const ms = random.pick([100, 1_000, 4_000]);
    if (random.below(3) === 0) return { fault: "drop", node, shard: 0 };
    if (random.below(2) === 0)
      return { fault: "cut", node, shard: 0, ms, way: random.pick(["both", "there", "back"]) };
    return { fault: "pause", node, ms };
  };
  const observers = often(random, span, 2_000, () => ({
    do: "observe" as const,
    by: random.below(3),
    name: locks[0]?.name ?? "",
    forMs: 4_000,
  }));
  return crowd(seed, random, locks, 8_000, [
    ...tenures(random, span, 120, [0, 1, 2], locks, () => ({
      waitMs: 10_000,
      holdMs: random.pick([0, 30, 200, 600]),
      pollMs: random.pick([500, 5_000]),
    })),
    ...(locks[0]?.kind === "election" ? observers : []),
    ...faults(random, span, random.pick([600, 2_000]), trouble),
  ]);
}

/** Waiters who are cut off, or stand still, for longer than a waiter may be silent, while holders come and go. */
export function lockSilence(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock("mutex")];
  const still = (): PlannedFault => ({ fault: "pause", node: 1 + random.below(2), ms: 9_000 });
  const wish = () => ({ waitMs: 20_000, pollMs: 400, ttlMs: 1_500, holdMs: 600, dawdleMs: 0 });
  const plan = crowd(seed, random, locks, 14_000, [
    ...tenures(random, [0, 1_500], 150, [1, 2], locks, wish),
    ...tenures(random, [0, 12_000], 400, [0], locks, wish),
    ...faults(random, [1_000, 2_500], 500, still),
  ]);
  // No sockets, whose ends would tell that they are silent.
  return { ...plan, nodes: plan.nodes.map((one) => ({ ...one, transport: "rpc" })) };
}

/** Names that stay closed for a while after an end without a release. */
export function lockDelays(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock("mutex")];
  return crowd(seed, random, locks, 10_000, [
    ...tenures(random, [0, 8_000], 150, [0, 1, 2], locks, () => ({
      ttlMs: random.pick([150, 600]),
      holdMs: 30,
      delayMs: random.pick([300, 1_000]),
      ends: random.pick(["leave", "release"]),
    })),
  ]);
}

/** Holders who renew and confirm, and others who wait, while the shard's instance ends or is superseded by one whose clock stands elsewhere. */
export function lockSuccession(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock("mutex")];
  const end = (): PlannedFault => {
    const which = random.below(4);
    if (which === 0) return { fault: "kill", shard: 0, downMs: random.pick([0, 300]) };
    if (which === 1) return { fault: "evict", shard: 0, sockets: random.below(2) === 0 };
    return { fault: "supersede", shard: 0, ms: 6_000 };
  };
  const plan = crowd(seed, random, locks, 14_000, [
    ...tenures(random, [0, 12_000], 250, [0, 0, 1, 2], locks, () => ({
      ttlMs: random.pick([600, 1_500, 3_000]),
      waitMs: 10_000,
      holdMs: random.pick([200, 1_000, 4_000]),
      everyMs: random.pick([40, 200, 600]),
      acts: random.pick([["confirm"], ["add", "confirm"], ["renew", "add"], ["add"]]),
      ends: random.pick(["release", "leave", "leave"]),
      dawdleMs: 0,
    })),
    ...faults(random, [500, 10_000], 2_500, end),
  ]);
  // The first stays with the instance that it knows, the others come to the one that counts.
  return { ...plan, nodes: plan.nodes.map((one, at) => (at === 0 ? one : { ...one, transport: "rpc" })) };
}

/** Grants that end with their sessions, and waiters whose sessions end: sockets break, processes end. */
export function lockSessions(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock(random.pick(["mutex", "read", "election"]))];
  const trouble = (): PlannedFault => {
    const node = random.below(3);
    const which = random.below(5);
    if (which === 0) return { fault: "restart", node };
    if (which === 1) return { fault: "evict", shard: 0, sockets: true };
    return { fault: "drop", node, shard: 0 };
  };
  return crowd(seed, random, locks, 8_000, [
    ...tenures(random, [0, 6_000], 150, [0, 1, 2], locks, () => ({
      ttlMs: 4_000,
      waitMs: 20_000,
      pollMs: 5_000,
      holdMs: random.pick([100, 1_000, 3_000]),
      ...(random.below(2) === 0 ? { endsWithSession: true as const } : {}),
    })),
    ...faults(random, [300, 6_000], 700, trouble),
  ]);
}

/** Locks of two shards, and writes under them in both; holders that stand still past their time, and write when they go on. */
export function lockGuards(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock("mutex", "a", "b"), lock("mutex", "b", random.pick(["a", "b"]))];
  const still = (): PlannedFault =>
    random.below(4) === 0
      ? { fault: "slow", node: random.below(3), shard: random.below(2), ms: 2_000, by: 800 }
      : { fault: "pause", node: random.below(3), ms: random.pick([300, 1_000, 2_500]) };
  const plan = crowd(seed, random, locks, 9_000, [
    ...tenures(random, [0, 7_000], 120, [0, 1, 2], locks, () => ({
      ttlMs: random.pick([150, 600]),
      waitMs: 10_000,
      holdMs: random.pick([200, 1_000]),
      everyMs: random.pick([5, 40]),
      acts: random.pick([["add"], ["add", "mark"], ["mark"], ["add", "renew"]]),
      isLate: true,
    })),
    ...faults(random, [300, 7_000], 500, still),
  ]);
  return { ...plan, shards: 2 };
}

/** Transactions of the shard that fail in their middle, while many wait in polls. */
export function lockStorage(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock("mutex")];
  const plan = crowd(seed, random, locks, 8_000, [
    ...tenures(random, [0, 6_000], 100, [0, 1, 2], locks, () => ({
      waitMs: 10_000,
      pollMs: 5_000,
      holdMs: random.pick([0, 20, 100]),
      acts: random.pick([["add"], ["confirm"], ["renew"]]),
      dawdleMs: 0,
    })),
    ...faults(random, [200, 7_000], 150, () => ({ fault: "storage", shard: 0, count: 1 })),
  ]);
  // Groups of several: a slow disk gathers them.
  return { ...plan, shard: { ...plan.shard, flushMinMs: 5, flushSpreadMs: 30 } };
}

/** An instance whose wall clock is set while grants run. */
export function lockClock(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock(random.pick(["mutex", "semaphore"]))];
  return crowd(seed, random, locks, 10_000, [
    ...tenures(random, [0, 8_000], 200, [0, 1, 2], locks, () => ({
      ttlMs: random.pick([1_500, 4_000]),
      waitMs: 10_000,
      holdMs: random.pick([1_000, 3_000]),
      everyMs: 400,
      acts: ["confirm"],
      ends: random.pick(["leave", "release"]),
    })),
    ...faults(random, [0, 9_000], 300, () => ({ fault: "shardClock", shard: 0 })),
  ]);
}

/** Answers that are lost, and commands that are sent again. */
export function lockRepeats(seed: number): Plan {
  const random = randomOf(seed);
  const locks = [lock(random.pick(["mutex", "semaphore", "reentrant", "election"]))];
  const plan = crowd(seed, random, locks, 8_000, [
    ...tenures(random, [0, 6_000], 150, [0, 1, 2], locks, () => ({
      ttlMs: random.pick([1_500, 4_000]),
      isDoubled: random.below(3) === 0,
      holdMs: random.pick([30, 200, 1_000]),
    })),
  ]);
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) => (at === 0 ? one : { ...one, transport: "rpc" })),
    repeats: true,
    link: { ...plan.link, breaks: 0.15 },
  };
}
