import type { LockKind } from "../../../src/protocol/lock.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";
import type { Plan, Planned, PlannedKey, PlannedNode } from "./plan.ts";

/** What a holder does while it holds. `add`: adds one to the lock's counter under its fence; `mark`: writes a key of another lock's under it; `wrong`: pretends to be another. */
export type LockAct = "renew" | "confirm" | "add" | "mark" | "proclaim" | "wrong";

/** From the wish for a lock to its end, as one client lives through it. */
export interface Tenure {
  readonly do: "lock";
  readonly by: number;
  readonly name: string;
  readonly as: LockKind;
  readonly ttlMs: number;
  readonly permits?: number;
  readonly take?: number;
  readonly delayMs?: number;
  readonly endsWithSession?: true;
  /** All tenures of its node that say so have one owner. */
  readonly isShared?: true;
  /** Absent: it does not wait. */
  readonly waitMs?: number;
  /** The length of its polls. */
  readonly pollMs: number;
  /** Gives up the wait after so long, in the midst of a poll. */
  readonly patienceMs?: number;
  /** Lets so much time go by before it claims what it was offered. */
  readonly dawdleMs: number;
  readonly holdMs: number;
  readonly everyMs: number;
  readonly acts: readonly LockAct[];
  /** `leave`: it says nothing, and the time to live runs out. `twice`: it releases under two op ids. */
  readonly ends: "release" | "leave" | "twice";
  /** Writes once more under its fence when it is over. */
  readonly isLate: boolean;
  /** The first command is sent in two copies. */
  readonly isDoubled: boolean;
}

export type LockStep =
  | Tenure
  /** An admin ends all grants of a name. */
  | { readonly do: "force"; readonly name: string }
  /** Follows an election for so long. */
  | { readonly do: "observe"; readonly by: number; readonly name: string; readonly forMs: number };

/** A name that is locked in a run. */
export interface PlannedLock {
  readonly name: string;
  readonly kind: LockKind;
  readonly permits: number;
  /** The counter that is only written under it. */
  readonly counter: string;
  /** A key that is written under it, maybe in another shard. */
  readonly mark: string;
}

/** Hash tags of locks: over two shards one lies in each. */
const tags = ["a", "b"] as const;
const kinds: readonly LockKind[] = ["mutex", "mutex", "mutex", "read", "semaphore", "reentrant", "election"];

/** The plan with locks: names, their keys, and what clients do with them. Draws on chance of its own, so that all else stays as it is. */
export function withLocks(plan: Plan, every = 1): Plan {
  const random = seeded(Math.imul(plan.seed + 1, 0x2545f491));
  const locks = planLocks(random);
  const untilMs = Math.min(plan.untilMs, 16_000);
  const steps: Planned[] = [];
  const count = Math.ceil(random.pick([8, 16, 32]) / every);
  const crowd = random.below(3) === 0 ? 300 : untilMs;
  const beginMs = random.below(Math.max(1, untilMs - crowd));
  for (let left = count; left > 0; left--) {
    const atMs = beginMs + random.below(crowd);
    steps.push({ atMs, ...planStep(random, plan.nodes, locks) });
  }
  const inOrder = [...plan.steps, ...steps].sort((a, b) => a.atMs - b.atMs);
  return { ...plan, locks, keys: [...plan.keys, ...keysOf(locks)], steps: inOrder };
}

export function planLocks(random: Seeded): readonly PlannedLock[] {
  return tags.slice(0, 1 + random.below(2)).map((tag, at) => ({
    name: `lock{${tag}}`,
    kind: random.pick(kinds),
    permits: random.pick([2, 3]),
    counter: `l{${tag}}`,
    mark: `o{${tags[(at + random.below(2)) % 2]}}${tag}`,
  }));
}

/** The keys that are written under locks. */
export function keysOf(locks: readonly PlannedLock[]): readonly PlannedKey[] {
  return locks.flatMap(({ counter, mark }): PlannedKey[] => [
    { key: counter, class: "counter" },
    { key: mark, class: "mark" },
  ]);
}

function planStep(
  random: Seeded,
  nodes: readonly PlannedNode[],
  locks: readonly PlannedLock[],
): Planned extends infer One ? (One extends { atMs: number } ? Omit<One, "atMs"> : never) : never;
function planStep(random: Seeded, nodes: readonly PlannedNode[], locks: readonly PlannedLock[]): object {
  const lock = random.pick(locks);
  const chance = random.below(40);
  if (chance === 0) return { do: "force", name: lock.name };
  const by = random.below(nodes.length);
  if (chance < 6 && lock.kind === "election")
    return { do: "observe", by, name: lock.name, forMs: 500 + random.below(6_000) };
  if (chance < 9) return { do: "get", by, key: random.pick([lock.counter, lock.mark]), allowStale: false };
  return planTenure(random, lock, by, nodes[by]?.transport === "socket");
}

/** One tenure by chance. `hasSession`: its node's calls go over a socket. */
export function planTenure(random: Seeded, lock: PlannedLock, by: number, hasSession: boolean): Tenure {
  const isWrongKind = random.below(25) === 0;
  const as = isWrongKind
    ? random.pick(kinds)
    : lock.kind === "read"
      ? random.pick(["read", "read", "write"] as const)
      : lock.kind;
  const ttlMs = random.pick([150, 600, 1_500, 4_000]);
  const acts: readonly LockAct[] = ["renew", "confirm", "add", "add", "add", "mark", "wrong", "proclaim"];
  return {
    do: "lock",
    by,
    name: lock.name,
    as,
    ttlMs,
    ...(as === "semaphore" ? { permits: lock.permits, take: 1 + random.below(2) } : {}),
    ...(random.below(8) === 0 ? { delayMs: random.pick([50, 1_000]) } : {}),
    ...(hasSession && random.below(4) === 0 ? { endsWithSession: true } : {}),
    ...(as === "reentrant" && random.below(2) === 0 ? { isShared: true } : {}),
    ...(random.below(4) > 0 ? { waitMs: random.pick([300, 3_000, 20_000]) } : {}),
    pollMs: random.pick([0, 100, 1_000, 5_000]),
    ...(random.below(6) === 0 ? { patienceMs: random.below(2_000) } : {}),
    dawdleMs: random.below(12) === 0 ? random.pick([500, 4_000]) : 0,
    holdMs: random.pick([0, 30, 200, 1_000, 5_000]),
    everyMs: random.pick([5, 40, 200]),
    acts: Array.from({ length: 1 + random.below(3) }, () => random.pick(acts)),
    ends: random.pick(["release", "release", "release", "release", "leave", "twice"]),
    isLate: random.below(4) === 0,
    isDoubled: random.below(10) === 0,
  };
}
