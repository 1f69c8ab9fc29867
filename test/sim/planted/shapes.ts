import { type Seeded, seeded } from "../../support/seeded.ts";
import {
  type Caller,
  makePlan,
  type Plan,
  type Planned,
  type PlannedCall,
  type PlannedFault,
  type PlannedNode,
} from "../world/plan.ts";

/** Plans of one kind, in which something that is rare elsewhere happens often. Without a bug none of them breaks a promise. */
export type ShapeName = keyof typeof shapes;

/** The plan of a shape. */
export function planOf(seed: number, shape: ShapeName): Plan {
  return shapes[shape](seed);
}

function randomOf(seed: number): Seeded {
  return seeded(Math.imul(seed + 1, 0x85ebca6b));
}

/** What most shapes share: all sockets, quick links and disks, copies that last. */
function base(
  seed: number,
  random: Seeded,
  zones: readonly string[],
): Omit<Plan, "keys" | "untilMs" | "steps"> {
  return {
    seed,
    profile: "faults",
    nodes: zones.map((zone, at) => node(random, at, zone)),
    shards: 1,
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
function often<T>(
  random: Seeded,
  [fromMs, toMs]: readonly [number, number],
  everyMs: number,
  make: () => T,
): (T & { readonly atMs: number })[] {
  const count = Math.round((toMs - fromMs) / everyMs);
  return Array.from({ length: count }, () => ({ ...make(), atMs: fromMs + random.below(toMs - fromMs) }));
}

function gets(
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

function sets(
  random: Seeded,
  span: readonly [number, number],
  everyMs: number,
  by: readonly Caller[],
  keys: readonly string[],
): Planned[] {
  const set = (): PlannedCall => ({ do: "set", by: random.pick(by), key: random.pick(keys) });
  return often(random, span, everyMs, set);
}

function faults(
  random: Seeded,
  span: readonly [number, number],
  everyMs: number,
  make: () => PlannedFault,
): Planned[] {
  return often(random, span, everyMs, make);
}

function inOrder(...lists: readonly (readonly Planned[])[]): Planned[] {
  return lists.flat().sort((a, b) => a.atMs - b.atMs);
}

/** Nodes that hold the same strong keys and read them all the time, while all write them, with sockets and nodes that come and go. */
function holders(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1"];
  const span = [0, 8_000] as const;
  const trouble = (): PlannedFault => {
    const which = random.below(3);
    const ms = random.pick([30, 200, 1_000]);
    switch (random.below(5)) {
      case 0:
        return { fault: "pause", node: which, ms };
      case 1:
        return { fault: "slow", node: which, shard: 0, ms: 1_000, by: random.pick([20, 100]) };
      case 2:
        return { fault: "cut", node: which, shard: 0, ms, way: random.pick(["both", "there", "back"]) };
      default:
        return { fault: "drop", node: which, shard: 0 };
    }
  };
  return {
    ...base(seed, random, ["z0", "z0", "z1"]),
    keys: keys.map((key) => ({ key, class: "strong" })),
    untilMs: 8_000,
    steps: inOrder(
      gets(random, span, 12, [0, 1, 2], keys),
      sets(random, span, 220, [0, 1, 2, "door"], keys),
      faults(random, span, random.pick([700, 2_000, 8_000]), trouble),
    ),
  };
}

/** The same of keys that transactions join, strong or eventual. */
function transactions(seed: number, isStrong: boolean): Plan {
  const random = randomOf(seed);
  const letter = isStrong ? "p" : "e";
  const keys = ["a", "b", "c"].map((end) => `${letter}{t}${end}`);
  const span = [0, 6_000] as const;
  const transaction = (): PlannedCall => {
    const some = (share: number): string[] => keys.filter(() => random.below(100) < share);
    const write = some(80);
    const remove = some(30).filter((one) => !write.includes(one));
    const read = some(40).filter((one) => !write.includes(one) && !remove.includes(one));
    return {
      do: "transaction",
      by: random.below(3),
      keys,
      compare: random.below(2) === 0 ? some(60) : [],
      write,
      remove,
      read,
      otherwise: random.pick(["nothing", "read", "write"]),
    };
  };
  const cut = (): PlannedFault =>
    random.below(3) === 0
      ? { fault: "drop", node: random.below(3), shard: 0 }
      : { fault: "cut", node: random.below(3), shard: 0, ms: random.pick([100, 600]), way: "both" };
  const plan = base(seed, random, ["z0", "z0", "z1"]);
  const transport = random.below(2) === 0 ? "rpc" : "socket";
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) => (at === 2 ? { ...one, transport } : one)),
    repeats: random.below(2) === 0,
    maxStalenessMs: random.pick([60, 300]),
    link: { ...plan.link, breaks: random.pick([0, 0.03]) },
    keys: keys.map((key) => ({ key, class: isStrong ? "pair" : "eventual" })),
    untilMs: 6_000,
    steps: inOrder(
      gets(random, span, 12, [0, 1, 2], keys),
      often(random, span, 60, transaction),
      faults(random, span, 1_500, cut),
    ),
  };
}

/**
 * A node with a slow clock that stands still until about the end of its lease, while somebody writes what it holds: what it was asked before, it answers
 * before it reads its messages.
 */
function leaseEnd(seed: number): Plan {
  const random = randomOf(seed);
  // The last ping of the node leaves about two beats after its first get.
  const stillMs = 2_500;
  const ms = 3_500 + random.below(120);
  const plan = standstill(seed, random, [{ atMs: stillMs, ms }], 8_000);
  return {
    ...plan,
    link: { minDelayMs: 0, spreadMs: 1, breaks: 0, twice: 0 },
    shard: { ...plan.shard, flushSpreadMs: 1 },
  };
}

/** The same some times, where the answer to the node's ping was long on its way. */
function slowLease(seed: number): Plan {
  const random = randomOf(seed);
  const stills = [2_500, 10_000, 17_500].map((fromMs) => ({
    atMs: fromMs + random.below(1_000),
    ms: 3_000 + random.below(1_500),
  }));
  const plan = standstill(seed, random, stills, 24_000);
  const slow: Planned = { atMs: 0, fault: "slow", node: 0, shard: 0, ms: 24_000, by: 700 };
  return { ...plan, steps: inOrder([slow], plan.steps) };
}

function standstill(
  seed: number,
  random: Seeded,
  stills: readonly { readonly atMs: number; readonly ms: number }[],
  untilMs: number,
): Plan {
  const plan = base(seed, random, ["z0", "z0"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) => (at === 0 ? { ...one, clock: { rate: 0.995, offsetMs: 0 } } : one)),
    keys: [{ key: "s0", class: "strong" }],
    untilMs,
    steps: inOrder(
      sets(random, [0, 20], 10, ["door"], ["s0"]),
      gets(random, [20, untilMs], 40, [0], ["s0"]),
      ...stills.flatMap(({ atMs, ms }): Planned[][] => [
        gets(random, [atMs - 200, atMs + 8], 8, [0], ["s0"]),
        [{ atMs, fault: "pause", node: 0, ms }],
        // A client waits 2.5 s: some of these are answered when the lease is over.
        sets(random, [atMs + 15, atMs + ms], 150, ["door"], ["s0"]),
        gets(random, [atMs + ms - 200, atMs + ms + 50], 20, [1], ["s0"]),
      ]),
    ),
  };
}

/** A node whose socket breaks, and that comes to its copies again when the lease of before is over. */
function reconnect(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1", "s2", "s3", "s4", "s5"];
  return {
    ...base(seed, random, ["z0", "z0"]),
    keys: [...keys, "s9"].map((key) => ({ key, class: "strong" })),
    untilMs: 9_000,
    steps: inOrder(
      sets(random, [0, 100], 5, ["door"], [...keys, "s9"]),
      gets(random, [200, 900], 10, [0], keys),
      [{ atMs: 1_000, fault: "drop", node: 0, shard: 0 }],
      gets(random, [1_000, 6_000], 100, [0], ["s9"]),
      [{ atMs: 5_500, fault: "slow", node: 0, shard: 0, ms: 3_500, by: 300 }],
      sets(random, [6_000, 8_500], 200, ["door"], keys),
      gets(random, [6_000, 8_500], 5, [0], keys),
    ),
  };
}

/** An instance that goes on after another took its place, or ends at once, while a node holds keys of it and others write at the new one. */
function succession(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1"];
  const atMs = 1_500 + random.below(1_500);
  const plan = base(seed, random, ["z0", "z0"]);
  const goesOn = random.below(4) > 0;
  const end: PlannedFault = goesOn
    ? { fault: "supersede", shard: 0, ms: 14_000 }
    : { fault: "kill", shard: 0, downMs: 0 };
  return {
    ...plan,
    // The second one calls the new instance, the first one stays with the old.
    nodes: plan.nodes.map((one, at) => (at === 1 ? { ...one, transport: "rpc" } : one)),
    keys: keys.map((key) => ({ key, class: "strong" })),
    untilMs: 14_000,
    steps: inOrder(
      sets(random, [0, 40], 10, ["door"], keys),
      gets(random, [20, atMs - 20], 30, [0], keys),
      gets(random, [atMs - 20, atMs + 100], 1, [0], keys),
      gets(random, [atMs + 100, 12_000], 25, [0], keys),
      gets(random, [atMs, 12_000], 200, [1], keys),
      [{ atMs, ...end }],
      sets(random, [atMs, atMs + 60], 8, ["door"], keys),
      sets(random, [atMs + 60, 12_000], 350, ["door"], keys),
    ),
  };
}

/** An object that falls asleep between two uses, its sockets open, and what nodes hold with it. */
function sleep(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1"];
  const span = [0, 18_000] as const;
  const evict = (): PlannedFault => ({ fault: "evict", shard: 0, sockets: true });
  return {
    ...base(seed, random, ["z0", "z0"]),
    keys: keys.map((key) => ({ key, class: "strong" })),
    untilMs: 18_000,
    steps: inOrder(
      sets(random, [0, 40], 10, ["door"], keys),
      gets(random, span, 15, [0, 1], keys),
      faults(random, [1_500, 9_000], 100, evict),
      sets(random, [1_500, 18_000], 900, ["door"], keys),
    ),
  };
}

/** Writes under a quorum of two nodes in two zones; some nodes share a name, stand still, or have a zone to themselves. */
function quorum(seed: number): Plan {
  const random = randomOf(seed);
  const zones = random.below(2) === 0 ? ["z0", "z0", "z0", "z1"] : ["z0", "z1", "z1", "z0"];
  const plan = base(seed, random, zones);
  const isDouble = random.below(2) === 0;
  const span = [300, 9_000] as const;
  const still = (): PlannedFault => {
    const which = random.pick([2, 3, 3]);
    const ms = random.pick([400, 2_000, 5_000]);
    if (random.below(4) === 0) return { fault: "cut", node: which, shard: 0, ms: 900, way: "back" };
    return { fault: "pause", node: which, ms };
  };
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) =>
      isDouble && (at === 1 || at === 2) ? { ...one, process: "twin" } : one,
    ),
    quorum: { nodes: 2, zones: isDouble ? 1 : 2 },
    keys: [{ key: "q0", class: "quorum" }],
    untilMs: 10_000,
    steps: inOrder(
      gets(random, [0, 200], 10, [0, 1, 2, 3], ["q0"]),
      gets(random, span, 120, [0, 1, 2, 3], ["q0"]),
      sets(random, span, 120, [0, 0, 1, "door"], ["q0"]),
      faults(random, span, 1_800, still),
    ),
  };
}

/** Strong keys that are held, and that are invalidated by prefix and by tag. */
function invalidations(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1"];
  const span = [0, 6_000] as const;
  const set = (): PlannedCall => ({ do: "set", by: "door", key: random.pick(keys), tag: "t" });
  const invalidate = (): PlannedCall => ({
    do: "invalidate",
    by: random.below(3),
    target: random.pick([{ prefix: "s" }, { tag: "t" }]),
  });
  return {
    ...base(seed, random, ["z0", "z0", "z1"]),
    keys: keys.map((key) => ({ key, class: "strong" })),
    untilMs: 6_000,
    steps: inOrder(
      gets(random, span, 8, [0, 1, 2], keys),
      often(random, span, 1_000, set),
      often(random, span, 150, invalidate),
      faults(random, span, 1_000, () => ({
        fault: "slow",
        node: random.below(3),
        shard: 0,
        ms: 600,
        by: 100,
      })),
    ),
  };
}

/** Eventual keys, a short bound, and links on which pushes, or answers, come late. */
function late(seed: number, transport: "rpc" | "socket"): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "e1"];
  const span = [0, 6_000] as const;
  const trouble = (): PlannedFault =>
    random.below(3) === 0
      ? { fault: "cut", node: random.below(2), shard: 0, ms: 500, way: "back" }
      : { fault: "slow", node: random.below(2), shard: 0, ms: 1_500, by: 600 };
  const plan = base(seed, random, ["z0", "z0", "z1"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one) => ({ ...one, transport })),
    maxStalenessMs: random.pick([40, 150]),
    keys: keys.map((key) => ({ key, class: "eventual" })),
    untilMs: 6_000,
    steps: inOrder(
      gets(random, span, 12, [0, 1, 2], keys),
      sets(random, span, 50, [0, 1, 2, "door"], keys),
      faults(random, span, 900, trouble),
    ),
  };
}

/** Answers that overtake each other: nodes that call, and read and write the same few keys all the time. */
function overtaking(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "s0"];
  const span = [0, 4_000] as const;
  const remove = (): PlannedCall => ({ do: "delete", by: random.below(3), key: random.pick(keys) });
  const plan = base(seed, random, ["z0", "z0", "z1"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) => ({ ...one, transport: at === 2 ? "socket" : "rpc" })),
    link: { minDelayMs: 0, spreadMs: random.pick([40, 120]), breaks: 0, twice: 0 },
    maxStalenessMs: random.pick([30, 200, 1_000]),
    keys: [
      { key: "e0", class: "eventual" },
      { key: "s0", class: "strong" },
    ],
    untilMs: 4_000,
    steps: inOrder(
      gets(random, span, 6, [0, 1, 2], keys),
      sets(random, span, 60, [0, 1, 2, "door"], keys),
      often(random, span, 300, remove),
    ),
  };
}

/** A node that nobody uses for so long that it leaves, and that comes back while others write. */
function idle(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "e1", "e2", "e3", "e4", "e5"];
  const backMs = 75_000 + random.below(200);
  return {
    ...base(seed, random, ["z0", "z0"]),
    maxStalenessMs: 40,
    keys: keys.map((key) => ({ key, class: "eventual" })),
    untilMs: backMs + 2_000,
    steps: inOrder(
      sets(random, [0, 500], 20, ["door"], keys),
      gets(random, [500, 1_500], 10, [0], keys),
      sets(random, [20_000, 74_000], 4_000, ["door"], keys),
      sets(random, [backMs - 200, backMs + 1_500], 8, [1, "door"], keys),
      gets(random, [backMs, backMs + 1_500], 8, [0], keys),
    ),
  };
}

/** Calls that are seconds on their way, whose callers ask what became of them and settle that. */
function overdue(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "s0"];
  const plan = base(seed, random, ["z0", "z0"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one) => ({ ...one, transport: "rpc" })),
    repeats: true,
    keys: [
      { key: "e0", class: "eventual" },
      { key: "s0", class: "strong" },
    ],
    untilMs: 20_000,
    steps: inOrder(
      gets(random, [0, 800], 50, [0], keys),
      [{ atMs: 1_000, fault: "slow", node: 0, shard: 0, ms: 20_000, by: 5_000 }],
      sets(random, [1_000, 8_000], 60, [0], keys),
      gets(random, [0, 20_000], 60, [1], keys),
    ),
  };
}

/** Plans of `makePlan` of which `isWanted` is true: of about this seed, but the same one for the same seed. */
function picked(seed: number, isWanted: (plan: Plan) => boolean): Plan {
  for (let turn = 0; turn < 10_000; turn++) {
    const plan = makePlan(seed * 10_007 + turn);
    if (isWanted(plan)) return { ...plan, seed };
  }
  throw new Error(`no plan of this shape at seed ${seed}`);
}

const shapes = {
  holders,
  "strong transactions": (seed: number) => transactions(seed, true),
  "eventual transactions": (seed: number) => transactions(seed, false),
  "lease end": leaseEnd,
  "lease over a slow link": slowLease,
  reconnect,
  succession,
  sleep,
  quorum,
  invalidations,
  late: (seed: number) => late(seed, "socket"),
  exchanges: (seed: number) => late(seed, "rpc"),
  overtaking,
  idle,
  overdue,
  absence: (seed: number) =>
    picked(seed, ({ profile, nodes }) => profile === "absence" && nodes[0]?.transport === "socket"),
  endings: (seed: number) =>
    picked(seed, ({ keys }) => keys.some((one) => one.class === "ending" || one.class === "strongEnding")),
  restore: (seed: number) => picked(seed, ({ profile }) => profile === "restore"),
  sums: (seed: number) =>
    picked(seed, ({ keys }) => keys.some((one) => one.class === "sum" || one.class === "strongSum")),
} as const;

export const shapeNames = Object.keys(shapes) as readonly ShapeName[];
