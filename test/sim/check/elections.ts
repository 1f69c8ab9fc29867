import type { ElectionEvent } from "../../../src/protocol/lock.ts";
import type { LockCall } from "./lock-history.ts";
import type { LockStep } from "./lock-steps.ts";
import type { Violation } from "./violation.ts";

/** Rule LK15: who follows an election is told of every step in order, and of nothing that did not happen. */
export function checkElections(steps: readonly LockStep[], calls: readonly LockCall[]): readonly Violation[] {
  const violations: Violation[] = [];
  const say = (what: string, locks: readonly LockCall[]): void =>
    void violations.push({ rule: "LK15", what, operations: [], locks });
  const looks = calls.filter(({ kind, outcome }) => kind === "observe" && outcome === "ok");
  // All that anybody was told of a name, by revision.
  const known = new Map<string, Map<number, ElectionEvent>>();
  for (const look of looks) {
    const events = known.get(look.name) ?? new Map<number, ElectionEvent>();
    known.set(look.name, events);
    let last = look.after ?? 0;
    for (const event of look.events ?? []) {
      const isFirst = look.after === undefined || look.gap === true;
      if (!isFirst && event.revision <= last)
        say(`${look.name}: the step ${event.revision} was told after ${last}`, [look]);
      last = Math.max(last, event.revision);
      const other = events.get(event.revision);
      if (other !== undefined && JSON.stringify(other) !== JSON.stringify(event))
        say(`${look.name}: the step ${event.revision} was told in two ways`, [look]);
      events.set(event.revision, event);
      const isGiven = steps.some(
        (step) => step.name === look.name && step.given.some(({ fence }) => fence === event.fence),
      );
      if (!isGiven) say(`${look.name}: the step ${event.revision} is of a grant that never was`, [look]);
    }
  }
  for (const look of looks) {
    const { after, to, gap, events = [] } = look;
    if (after === undefined || to === undefined || gap === true) continue;
    const told = new Set(events.map(({ revision }) => revision));
    for (const revision of known.get(look.name)?.keys() ?? [])
      if (revision > after && revision <= to && !told.has(revision))
        say(`${look.name}: the step ${revision} was left out between ${after} and ${to}`, [look]);
  }
  return violations;
}
