import { describe, type Operation } from "./check/history.ts";
import { describeLock, type LockCall } from "./check/lock-history.ts";
import type { Run } from "./run.ts";

/** Calls of both kinds, in the order in which they were made. */
function told(operations: readonly Operation[], locks: readonly LockCall[] = []): readonly string[] {
  return [
    ...operations.map((op) => ({ call: op.call, line: `  ${describe(op)}` })),
    ...locks.map((call) => ({ call: call.call, line: `  ${describeLock(call)}` })),
  ]
    .sort((a, b) => a.call - b.call)
    .map(({ line }) => line);
}

/** All of one run, line by line. */
export function tellHistory(run: Run): string {
  const faults = run.plan.steps.filter((step) => "fault" in step).map((step) => `  ${JSON.stringify(step)}`);
  return [
    `seed ${run.plan.seed}, history ${run.hash}: ${run.plan.nodes.length} nodes, ${run.plan.shards} shards, ${run.plan.profile}`,
    ...faults,
    ...told(run.history, run.locks),
  ].join("\n");
}

/** What is wrong with a run, and what is left of it when all is left out that does not matter. */
export function report(run: Run, shrunk: Run, shape?: string): string {
  const { plan, violations, hash } = run;
  const lines = [`\nseed ${plan.seed}, history ${hash}: ${violations.length} broken promises`];
  for (const { rule, what, operations, locks } of violations.slice(0, 5)) {
    lines.push(
      `  ${rule}: ${what}`,
      ...told(operations, locks)
        .slice(-20)
        .map((line) => `    ${line}`),
    );
  }
  lines.push(`  shrunk to ${shrunk.plan.steps.length} of ${plan.steps.length} steps:`);
  for (const step of shrunk.plan.steps) lines.push(`      ${JSON.stringify(step)}`);
  const [first] = shrunk.violations;
  if (first !== undefined) {
    lines.push(
      `  ${first.rule}: ${first.what}`,
      ...told(first.operations, first.locks)
        .slice(-20)
        .map((line) => `    ${line}`),
    );
  }
  const kind = shape === undefined ? "" : ` --shape "${shape}"`;
  lines.push(`  replay: npm run sim -- --seed ${plan.seed}${kind} --verbose`);
  return lines.join("\n");
}
