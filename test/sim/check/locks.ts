import { shardOf } from "../../../src/protocol/key.ts";
import type { World } from "../world/world.ts";
import { checkElections } from "./elections.ts";
import { checkLockCalls } from "./lock-calls.ts";
import { checkLockOrder } from "./lock-order.ts";
import { type LockStep, lockSteps } from "./lock-steps.ts";
import type { Violation } from "./violation.ts";

/** All that is asked about locks, of what callers were told and of what the shards have stored. */
export function checkLocks(world: World): readonly Violation[] {
  const { plan, recorder, hosts } = world;
  if (plan.locks.length === 0) return [];
  const violations: Violation[] = [...checkLockCalls(recorder.locks, (key) => shardOf(key, plan.shards))];
  for (const host of hosts) {
    const names = plan.locks
      .map(({ name }) => name)
      .filter((name) => shardOf(name, plan.shards) === host.index);
    if (names.length === 0) continue;
    const steps = lockSteps(host.disk, host.index, names);
    const calls = recorder.locks.filter(({ shard }) => shard === host.index);
    const { polls, fences } = host.lockWatch;
    const isLogged = (revision: number): boolean => host.disk.marks.has(revision);
    const closedMs = (session: string): number | undefined => host.lockWatch.sessions.get(session)?.closedMs;
    const { instances } = host;
    const endMs = world.kernel.nowMs;
    violations.push(...checkLockOrder({ steps, polls, calls, isLogged, closedMs, endMs, instances }));
    violations.push(...checkElections(steps, calls));
    violations.push(...checkDurable(steps, fences));
    violations.push(...checkGuardOrder(steps, calls, host.disk.marks, plan.shards));
  }
  return violations;
}

/** Nothing leaves a shard that names a fence before it is stored (rule LK3). */
function checkDurable(
  steps: readonly LockStep[],
  said: readonly { readonly fence: number; readonly durable: number; readonly ms: number }[],
): readonly Violation[] {
  const places = new Map<number, number>();
  for (const { given, place } of steps) for (const { fence } of given) places.set(fence, place);
  return said.flatMap(({ fence, durable, ms }) => {
    const place = places.get(fence);
    if (place !== undefined && place < durable) return [];
    const what = `the fence ${fence} was spoken of at ${ms.toFixed(0)} ms, before its grant was durable`;
    return [{ rule: "LK3", what, operations: [] }];
  });
}

/** A guarded write in the lock's own shard becomes durable while its fence is live there (rule LK14). */
function checkGuardOrder(
  steps: readonly LockStep[],
  calls: World["recorder"]["locks"],
  marks: ReadonlyMap<number, number>,
  shards: number,
): readonly Violation[] {
  return calls.flatMap((call) => {
    const { kind, outcome, version, key = "", fence, name, shard } = call;
    if (kind !== "guard" || outcome !== "ok" || version === undefined || shardOf(key, shards) !== shard)
      return [];
    const mark = marks.get(version);
    if (mark === undefined) return [];
    const isOf = (step: LockStep): boolean => step.name === name;
    const began = steps.find((step) => isOf(step) && step.given.some((grant) => grant.fence === fence));
    const ended = steps.find((step) => isOf(step) && step.ended.some((grant) => grant.fence === fence));
    if (began !== undefined && began.at.mark <= mark && (ended === undefined || ended.at.mark >= mark))
      return [];
    const what = `${key} v${version} was written under the fence ${fence} of ${name}, which was not live then`;
    return [{ rule: "LK14", what, operations: [], locks: [call] }];
  });
}
