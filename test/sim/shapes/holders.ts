import type { Plan, PlannedCall, PlannedFault } from "../world/plan.ts";
import { base, faults, gets, inOrder, often, randomOf, sets } from "./parts.ts";

/** Nodes that hold the same strong keys and read them all the time, while all write them, with sockets and nodes that come and go. */
export function holders(seed: number): Plan {
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
export function transactions(seed: number, isStrong: boolean): Plan {
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

/** Writes under a quorum of two nodes in two zones; some nodes share a name, stand still, or have a zone to themselves. */
export function quorum(seed: number): Plan {
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
export function invalidations(seed: number): Plan {
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
