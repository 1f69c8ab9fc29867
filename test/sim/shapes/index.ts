import { makePlan, type Plan } from "../world/plan.ts";
import { holders, invalidations, quorum, transactions } from "./holders.ts";
import { leaseEnds } from "./lease-ends.ts";
import { leaseEnd, reconnect, sleep, slowLease, succession } from "./lives.ts";
import {
  lockClock,
  lockCrowd,
  lockDelays,
  lockGuards,
  lockRepeats,
  lockSessions,
  lockSilence,
  lockStorage,
  lockSuccession,
} from "./locks.ts";
import { idle, late, overdue, overtaking } from "./traffic.ts";

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
  "ends of leases": leaseEnds,
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
  "lock crowd": (seed: number) => lockCrowd(seed),
  "lock readers": (seed: number) => lockCrowd(seed, "read"),
  "lock permits": (seed: number) => lockCrowd(seed, "semaphore"),
  "lock elections": (seed: number) => lockCrowd(seed, "election"),
  "lock silence": lockSilence,
  "lock delays": lockDelays,
  "lock succession": lockSuccession,
  "lock sessions": lockSessions,
  "lock guards": lockGuards,
  "lock storage": lockStorage,
  "lock clock": lockClock,
  "lock repeats": lockRepeats,
  restore: (seed: number) => picked(seed, ({ profile }) => profile === "restore"),
  sums: (seed: number) =>
    picked(seed, ({ keys }) => keys.some((one) => one.class === "sum" || one.class === "strongSum")),
} as const;

export const shapeNames = Object.keys(shapes) as readonly ShapeName[];

/** Plans of one kind, in which something that is rare elsewhere happens often. Without a bug none of them breaks a promise. */
export type ShapeName = keyof typeof shapes;

/** The plan of a shape. */
export function planOf(seed: number, shape: ShapeName): Plan {
  return shapes[shape](seed);
}
