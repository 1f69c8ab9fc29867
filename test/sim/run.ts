import { endings } from "./check/endings.ts";
import { checkEventual, greatestLag } from "./check/eventual.ts";
import type { Operation } from "./check/history.ts";
import { checkInvalidations } from "./check/invalidations.ts";
import type { LockCall } from "./check/lock-history.ts";
import { checkLocks } from "./check/locks.ts";
import { checkQuorum } from "./check/quorum.ts";
import { checkStrong } from "./check/strong.ts";
import type { Violation } from "./check/violation.ts";
import { checkCalm } from "./world/calm.ts";
import type { Plan } from "./world/plan.ts";
import { World } from "./world/world.ts";

/** What one run left. */
export interface Run {
  readonly plan: Plan;
  readonly history: readonly Operation[];
  readonly locks: readonly LockCall[];
  readonly hash: string;
  readonly violations: readonly Violation[];
  readonly faults: ReadonlyMap<string, number>;
  readonly undecided: number;
  readonly judged: number;
  readonly greatestLagMs: number;
  readonly instances: number;
  readonly events: number;
  readonly copies: number;
  /** What happened inside, counted: to see that the faults had something to strike. */
  readonly seen: ReadonlyMap<string, number>;
}

/** What clocks may add to a bound: their rates and, where a node's wall clock was set back, by how much at most. */
function toleranceOf(world: World) {
  const stepMs = world.faults.has("node clock set") ? 1_002 : 1;
  return { rate: 0.01, stepMs, apart: world.hosts.flatMap(({ spans }) => spans) };
}

/** Carries out a plan and judges what happened. */
export async function runPlan(plan: Plan): Promise<Run> {
  const world = new World(plan);
  try {
    await world.run();
    const calm = await checkCalm(world, plan);
    const { history } = world.recorder;
    const all = [...history, ...endings(history)];
    // Where a storage was set back there is no one order of all changes.
    const strong = checkStrong(plan.profile === "restore" ? [] : all);
    return {
      plan,
      history,
      locks: world.recorder.locks,
      hash: world.recorder.hash,
      violations: [
        ...strong.violations,
        ...checkEventual(all, toleranceOf(world)),
        ...(plan.profile === "restore" ? [] : checkInvalidations(history)),
        ...checkQuorum(history, {
          ...plan.quorum,
          dropped: world.hosts.flatMap(({ watch }) => watch.confirmations),
          wants: (key) => plan.keys.some((one) => one.key === key && one.class === "quorum"),
          committed: (key, version) => world.committed(key, version),
          writer: (op) => world.nodeOf(op),
        }),
        ...checkLocks(world),
        ...calm.violations,
        ...world.troubles,
      ],
      faults: world.faults,
      undecided: strong.undecided,
      judged: strong.judged,
      greatestLagMs: plan.profile === "restore" ? 0 : greatestLag(all),
      instances: world.hosts.reduce((sum, host) => sum + host.instances, 0),
      events: world.kernel.steps,
      copies: calm.copies,
      seen: world.seen(),
    };
  } finally {
    await world.close();
  }
}
