import { type Seeded, seeded } from "../../support/seeded.ts";
import type { ClockFault } from "./host-time.ts";
import { withLeaseEnds } from "./lease-plan.ts";
import type { LinkSettings } from "./links.ts";
import { type LockStep, type PlannedLock, withLocks } from "./lock-plan.ts";
import type { ShardHostSettings } from "./shard-host.ts";

/**
 * What a run is about. `holders`: nodes read one key all the time, mostly under a node lease, while others write it. `restore`: the storage of a shard is set back, as from a backup, and its epoch changes. `absence`: a node is cut off for so
 * long that the log no longer reaches back to what it knows.
 */
export type Profile = "faults" | "holders" | "restore" | "absence";

/** How keys that begin with a letter are registered; see `registrations`. */
export type KeyClass =
  | "eventual"
  | "strong"
  | "mixed"
  | "sum"
  | "strongSum"
  | "pair"
  | "eventualPair"
  | "quorum"
  | "ending"
  | "strongEnding"
  /** Written only under a lock: by one more than was read, or anything at all. */
  | "counter"
  | "mark";

export interface PlannedKey {
  readonly key: string;
  readonly class: KeyClass;
}

export interface PlannedNode {
  readonly name: string;
  readonly zone: string;
  /** Names the process: two nodes of one process count once for a quorum. */
  readonly process: string;
  /** `rpc`: one request at a time, as an isolate does; `socket`: a connection that stays open. */
  readonly transport: "rpc" | "socket";
  readonly clock: ClockFault;
  /** Whether it takes the mixed keys for strong, as their space does, or for eventual. */
  readonly mixedIsStrong: boolean;
  readonly maxEntries: number;
}

/** Who makes a call: the number of a node, or a caller without cache and session. */
export type Caller = number | "door";

/** One call of a client. */
export type PlannedCall =
  | { readonly do: "get"; readonly by: number; readonly key: string; readonly allowStale: boolean }
  | { readonly do: "getMany"; readonly by: number; readonly keys: readonly string[] }
  | {
      readonly do: "set";
      readonly by: Caller;
      readonly key: string;
      readonly expiresInMs?: number;
      readonly tag?: string;
    }
  | { readonly do: "delete"; readonly by: Caller; readonly key: string }
  /** A lease gets these keys and is revoked a while later, unless its time is over before: that deletes them. */
  | {
      readonly do: "leaseEnd";
      readonly by: number;
      readonly keys: readonly string[];
      readonly ttlMs: number;
      readonly thinkMs: number;
    }
  /** Reads, thinks, and sets if the version is still the one that was read. */
  | { readonly do: "cas"; readonly by: number; readonly key: string; readonly thinkMs: number }
  /** Sets if the value is the one that anybody saw last. */
  | { readonly do: "swap"; readonly by: number; readonly key: string }
  | { readonly do: "merge"; readonly by: Caller; readonly key: string; readonly amount: number }
  | { readonly do: "import"; readonly by: Caller; readonly keys: readonly string[] }
  | {
      readonly do: "transaction";
      readonly by: number;
      /** All keys that it may touch. */
      readonly keys: readonly string[];
      /** Which keys are compared with what was last seen, which are written, which read. */
      readonly compare: readonly string[];
      readonly write: readonly string[];
      readonly remove: readonly string[];
      readonly read: readonly string[];
      /** What it does where a comparison does not hold. */
      readonly otherwise: "nothing" | "read" | "write";
    }
  | {
      readonly do: "invalidate";
      readonly by: number;
      readonly target:
        | { readonly keys: readonly string[] }
        | { readonly prefix: string }
        | { readonly tag: string };
    };

/** One thing that goes wrong. `shard` and `node` are numbers. */
export type PlannedFault =
  | { readonly fault: "pause"; readonly node: number; readonly ms: number }
  | { readonly fault: "restart"; readonly node: number }
  | {
      readonly fault: "cut";
      readonly node: number;
      readonly shard: number;
      readonly ms: number;
      readonly way: "both" | "there" | "back";
    }
  | {
      readonly fault: "slow";
      readonly node: number;
      readonly shard: number;
      readonly ms: number;
      readonly by: number;
    }
  | { readonly fault: "drop"; readonly node: number; readonly shard: number }
  | { readonly fault: "kill"; readonly shard: number; readonly downMs: number }
  | { readonly fault: "evict"; readonly shard: number; readonly sockets: boolean }
  | { readonly fault: "supersede"; readonly shard: number; readonly ms: number }
  | { readonly fault: "restore"; readonly shard: number }
  | { readonly fault: "storage"; readonly shard: number; readonly count: number }
  | { readonly fault: "shardClock"; readonly shard: number }
  | { readonly fault: "nodeClock"; readonly node: number; readonly ms: number };

export type Planned = { readonly atMs: number } & (PlannedCall | LockStep | PlannedFault);

/** All of one run: made of its seed alone, before anything happens, so that parts of it can be left out. */
export interface Plan {
  readonly seed: number;
  readonly nodes: readonly PlannedNode[];
  readonly shards: number;
  readonly keys: readonly PlannedKey[];
  readonly locks: readonly PlannedLock[];
  readonly maxStalenessMs: number;
  readonly cacheTtlMs: number;
  readonly link: LinkSettings;
  readonly shard: ShardHostSettings;
  readonly profile: Profile;
  /** Whether a second copy of a call may be sent by a client that does not know the fate of the first, or its fate asked for. */
  readonly repeats: boolean;
  /** What the keys with a quorum want. */
  readonly quorum: { readonly nodes: number; readonly zones: number };
  readonly untilMs: number;
  readonly steps: readonly Planned[];
}

/** What {@link makePlan} may be told. */
export interface PlanOptions {
  readonly nodes?: number | undefined;
  readonly shards?: number | undefined;
}

const classes: readonly KeyClass[] = [
  "eventual",
  "eventual",
  "strong",
  "strong",
  "mixed",
  "sum",
  "strongSum",
  "pair",
  "pair",
  "eventualPair",
  "quorum",
  "ending",
  "strongEnding",
];

const letters: Readonly<Record<KeyClass, string>> = {
  eventual: "e",
  strong: "s",
  mixed: "m",
  sum: "c",
  strongSum: "k",
  pair: "p",
  eventualPair: "g",
  quorum: "q",
  ending: "x",
  strongEnding: "y",
  counter: "l",
  mark: "o",
};

export function makePlan(seed: number, options: PlanOptions = {}): Plan {
  const plan = planWithoutLocks(seed, options);
  // Where a storage is set back, what was granted may be granted again.
  if (plan.profile === "restore") return plan;
  return withLocks(plan, plan.profile === "holders" ? 2 : 1);
}

function planWithoutLocks(seed: number, options: PlanOptions): Plan {
  const random = seeded(Math.imul(seed + 1, 0x9e3779b1));
  const profile = random.pick(profiles);
  const nodes = planNodes(random, options.nodes ?? 2 + random.below(3), profile);
  const shards = options.shards ?? 1 + random.below(2);
  const keys = planKeys(random, profile);
  const untilMs = random.pick([4_000, 8_000, 16_000]);
  const isLong = profile === "absence";
  const base = {
    nodes,
    shards,
    keys,
    locks: [],
    maxStalenessMs: random.pick([40, 200, 1_000]),
    cacheTtlMs: isLong ? 3_600_000 : random.pick([100, 2_000, 60_000]),
    link: {
      minDelayMs: random.pick([0, 1, 5]),
      spreadMs: random.pick([2, 10, 60]),
      breaks: random.pick([0, 0, 0.01, 0.05]),
      twice: random.pick([0, 0.02]),
    },
    shard: {
      flushMinMs: random.pick([0, 1, 5]),
      flushSpreadMs: random.pick([1, 10, 80]),
      logMaxEntries: 100_000,
      logMaxAgeMs: isLong ? 60_000 : 86_400_000,
    },
    repeats: random.below(2) === 0,
    quorum: random.pick([
      { nodes: 1, zones: 0 },
      { nodes: 2, zones: 0 },
      { nodes: 2, zones: 1 },
      { nodes: 2, zones: 2 },
    ]),
  };
  const calls =
    profile === "holders"
      ? planHolding(random, nodes, keys, untilMs)
      : planCalls(random, nodes, keys, untilMs);
  const faults = planFaults(random, nodes.length, shards, untilMs, profile);
  const planned = withLeaseEnds(seed, profile, keys, nodes.length, calls);
  const steps = [...planned, ...faults].sort((a, b) => a.atMs - b.atMs);
  if (!isLong) return { seed, profile, ...base, untilMs, steps };
  return {
    seed,
    profile,
    ...base,
    untilMs: untilMs + absenceMs,
    steps: withAbsence(random, steps, untilMs, shards),
  };
}

function planNodes(random: Seeded, count: number, profile: Profile): PlannedNode[] {
  const home = `z${random.below(2)}`;
  const rpc = profile === "holders" ? random.pick([0, 1, 6]) : 2;
  return Array.from({ length: count }, (_, at) => {
    // Now and then a process has two connections.
    const isSecond = at > 0 && random.below(5) === 0;
    return {
      name: `n${at}`,
      zone: at === 0 || isSecond ? home : `z${random.below(2)}`,
      process: isSecond ? "p0" : `p${at}`,
      transport: random.below(8) >= rpc ? ("socket" as const) : ("rpc" as const),
      clock: { rate: 1 + (random.below(101) - 50) / 10_000, offsetMs: random.below(1_001) - 500 },
      mixedIsStrong: at % 2 === 0,
      maxEntries: random.below(6) === 0 ? 2 : 1_000,
    };
  });
}

/** Longer than the log reaches back, whatever the deployment says: it keeps what op ids need. */
const absenceMs = 500_000;
const profiles: readonly Profile[] = [
  ...Array.from({ length: 8 }, () => "faults" as const),
  ...Array.from({ length: 4 }, () => "holders" as const),
  "restore",
  "absence",
];

/** The second half of the steps comes after a long time in which a node hears nothing, while others write a little. */
function withAbsence(random: Seeded, steps: readonly Planned[], untilMs: number, shards: number): Planned[] {
  const half = untilMs / 2;
  const late = steps.map((one): Planned => (one.atMs < half ? one : { ...one, atMs: one.atMs + absenceMs }));
  const cuts = Array.from(
    { length: shards },
    (_, shard): Planned => ({ atMs: half, fault: "cut", node: 0, shard, ms: absenceMs - 5_000, way: "both" }),
  );
  // Soon after its beginning: what is newer than six minutes is never trimmed.
  const writes = steps.flatMap((one): Planned[] =>
    "do" in one && one.do === "set" && one.by !== 0
      ? [{ ...one, atMs: half + 10 + random.below(20_000) }]
      : [],
  );
  return [...late, ...cuts, ...writes.slice(0, 8)].sort((a, b) => a.atMs - b.atMs);
}

function planKeys(random: Seeded, profile: Profile): PlannedKey[] {
  if (profile === "restore") return ["e0", "e1"].map((key) => ({ key, class: "eventual" }));
  if (profile === "holders") {
    const key = random.pick(["s0", "s0", "q0", "k0", "y0", "m0", "e0", "e0"]);
    const one = classes.find((name) => letters[name] === key[0]);
    return one === undefined ? [] : [{ key, class: one }];
  }
  const taken = new Set<KeyClass>();
  for (let left = 2 + random.below(2); left > 0; left--) taken.add(random.pick(classes));
  return [...taken].flatMap((one): PlannedKey[] => {
    const letter = letters[one];
    if (one === "pair" || one === "eventualPair")
      return ["a", "b", "c"].map((end) => ({ key: `${letter}{${letter}}${end}`, class: one }));
    return Array.from({ length: 1 + random.below(2) }, (_, at) => ({ key: `${letter}${at}`, class: one }));
  });
}

function planCalls(
  random: Seeded,
  nodes: readonly PlannedNode[],
  keys: readonly PlannedKey[],
  untilMs: number,
): Planned[] {
  const count = random.pick([60, 120, 240]);
  const bursts = random.below(2) === 0;
  const steps: Planned[] = [];
  let atMs = 0;
  while (steps.length < count) {
    atMs = bursts && random.below(8) > 0 ? atMs + random.below(8) : random.below(untilMs);
    steps.push({ atMs: atMs % untilMs, ...planCall(random, nodes, keys) });
  }
  return steps;
}

function planCall(random: Seeded, nodes: readonly PlannedNode[], keys: readonly PlannedKey[]): PlannedCall {
  const planned = random.pick(keys);
  const { key } = planned;
  const node = random.below(nodes.length);
  const by: Caller = random.below(8) === 0 ? "door" : node;
  const isSum = planned.class === "sum" || planned.class === "strongSum";
  const ends = planned.class === "ending" || planned.class === "strongEnding";
  const chance = random.below(100);
  if (chance < 50) {
    if (random.below(8) === 0)
      return {
        do: "getMany",
        by: node,
        keys: [...new Set([key, random.pick(keys).key, random.pick(keys).key])],
      };
    return { do: "get", by: node, key, allowStale: random.below(20) === 0 };
  }
  if (chance < 55) {
    const target = random.pick([{ keys: [key] }, { prefix: key.slice(0, 1) }, { tag: "t" }]);
    return { do: "invalidate", by: node, target };
  }
  if (isSum) return { do: "merge", by, key, amount: 1 + random.below(1_000_000) };
  if ((planned.class === "pair" || planned.class === "eventualPair") && chance < 90)
    return planTransaction(
      random,
      node,
      keys.filter((other) => other.class === planned.class),
    );
  if (chance < 62) return { do: "delete", by, key };
  if (chance < 72) return { do: "cas", by: node, key, thinkMs: random.below(30) };
  if (chance < 75) return { do: "swap", by: node, key };
  if (chance < 79) {
    const others = keys.filter((other) => other.class !== "sum" && other.class !== "strongSum");
    return { do: "import", by, keys: [...new Set([key, random.pick(others).key])] };
  }
  return {
    do: "set",
    by,
    key,
    ...(ends && random.below(3) > 0 ? { expiresInMs: 50 + random.below(3_000) } : {}),
    ...(random.below(4) === 0 ? { tag: "t" } : {}),
  };
}

/** Reads without a pause, one every few ms, and a write now and then. */
function planHolding(
  random: Seeded,
  nodes: readonly PlannedNode[],
  keys: readonly PlannedKey[],
  untilMs: number,
): Planned[] {
  const [planned] = keys;
  if (planned === undefined) return [];
  const { key } = planned;
  const steps: Planned[] = [];
  const everyMs = random.pick([8, 20, 40]);
  for (let atMs = 0; atMs < untilMs && steps.length < 1_200; atMs += 1 + random.below(everyMs * 2)) {
    const by = random.below(nodes.length);
    if (random.below(12) > 0) steps.push({ atMs, do: "get", by, key, allowStale: false });
    else steps.push({ atMs, ...planCall(random, nodes, keys) });
  }
  return steps;
}

function planTransaction(random: Seeded, by: number, keys: readonly PlannedKey[]): PlannedCall {
  const group = keys.map((other) => other.key);
  const some = (share: number): string[] => group.filter(() => random.below(100) < share);
  const write = some(60);
  const remove = some(15).filter((one) => !write.includes(one));
  const read = some(40).filter((one) => !write.includes(one) && !remove.includes(one));
  const otherwise = random.pick(["nothing", "read", "write"] as const);
  return { do: "transaction", by, keys: group, compare: some(40), write, remove, read, otherwise };
}

function planFaults(
  random: Seeded,
  nodes: number,
  shards: number,
  untilMs: number,
  profile: Profile,
): Planned[] {
  if (profile === "restore") {
    const atMs = Math.floor(untilMs / 3) + random.below(untilMs / 3);
    return [{ atMs, fault: "restore", shard: random.below(shards) }];
  }
  if (profile === "holders") return planSieges(random, nodes, shards, untilMs);
  const count = random.pick([0, 2, 4, 8]);
  return Array.from({ length: count }, () => ({
    atMs: random.below(untilMs),
    ...planFault(random, random.below(nodes), random.below(shards)),
  }));
}

/** Faults that come together: one node and one shard, one thing after the other. */
function planSieges(random: Seeded, nodes: number, shards: number, untilMs: number): Planned[] {
  const sieges = Array.from({ length: random.pick([1, 2, 4]) }, () => {
    const node = random.below(nodes);
    const shard = random.below(shards);
    let atMs = random.below(untilMs);
    let wasSlow = false;
    return Array.from({ length: 1 + random.below(3) }, (_, place): Planned => {
      if (place > 0) atMs += random.below(2_500);
      // What was on its way slowly when a node is cut off is the last that it hears for a while.
      const isCut = wasSlow && random.below(3) > 0;
      wasSlow = place === 0 && random.below(2) === 0;
      if (isCut) return { atMs, fault: "cut", node, shard, ms: 7_000, way: random.pick(["both", "back"]) };
      if (wasSlow) return { atMs, fault: "slow", node, shard, ms: 4_000, by: random.pick([200, 800]) };
      return { atMs, ...planFault(random, node, shard) };
    });
  });
  return sieges.flat().filter(({ atMs }) => atMs < untilMs);
}

function planFault(random: Seeded, node: number, shard: number): PlannedFault {
  const ms = random.pick([20, 200, 1_000, 6_000]);
  switch (random.below(14)) {
    case 0:
      return { fault: "pause", node, ms };
    case 1:
      return { fault: "restart", node };
    case 2:
    case 3:
      return { fault: "cut", node, shard, ms, way: random.pick(["both", "there", "back"]) };
    case 4:
      return { fault: "slow", node, shard, ms, by: random.pick([50, 500]) };
    case 5:
      return { fault: "drop", node, shard };
    case 6:
    case 7:
      return { fault: "kill", shard, downMs: random.pick([0, 10, 300]) };
    case 8:
      return { fault: "evict", shard, sockets: random.below(2) === 0 };
    case 9:
      return { fault: "storage", shard, count: 1 + random.below(3) };
    case 10:
      return { fault: "shardClock", shard };
    case 11:
    case 12:
      return { fault: "supersede", shard, ms: random.pick([300, 3_000, 12_000]) };
    default:
      return { fault: "nodeClock", node, ms: random.below(1_001) };
  }
}
