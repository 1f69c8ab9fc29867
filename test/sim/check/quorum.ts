import type { Operation } from "./history.ts";
import type { Violation } from "./violation.ts";

/** A node that has dropped keys, between two marks of the world. */
export interface Dropped {
  readonly node: string;
  readonly zone: string | undefined;
  readonly keys: readonly string[];
  /** Marks: when it was told, and when it had confirmed. */
  readonly told: number;
  readonly acknowledged: number | undefined;
}

/** What a quorum is judged by. */
export interface QuorumFacts {
  readonly nodes: number;
  readonly zones: number;
  readonly dropped: readonly Dropped[];
  /** Whether a key has the quorum. */
  readonly wants: (key: string) => boolean;
  /** When a version of a key was stored; undefined: that is not known. */
  readonly committed: (key: string, version: number) => number | undefined;
  /** The node that an operation was made at, as it is named to shards; undefined: none. */
  readonly writer: (op: Operation) => string | undefined;
}

/** Rule ST7: what was answered as written under a quorum had been dropped by so many nodes other than the writer's, in so many zones, before. */
export function checkQuorum(history: readonly Operation[], facts: QuorumFacts): readonly Violation[] {
  const violations: Violation[] = [];
  for (const op of history) {
    const { action, outcome, kind } = op;
    if (outcome !== "ok" || action === undefined || action.took === false) continue;
    if (kind === "get" || kind === "end" || kind === "restore") continue;
    // To delete what is absent changes nothing, and asks nobody.
    const changed = action.success.filter(
      (step) => step.do !== "read" && !(step.do === "write" && step.value === null && step.existed !== true),
    );
    for (const { key } of changed.filter((step) => facts.wants(step.key))) {
      const writer = facts.writer(op);
      const { version = 0 } = op;
      const before = Math.min(op.ret, (version > 0 ? facts.committed(key, version) : undefined) ?? op.ret);
      const counted = facts.dropped.filter(
        ({ node, keys, told, acknowledged }) =>
          node !== writer &&
          keys.includes(key) &&
          told > op.call &&
          acknowledged !== undefined &&
          acknowledged < before,
      );
      const nodes = new Set(counted.map(({ node }) => node)).size;
      const zones = new Set(counted.map(({ zone }) => zone)).size;
      if (nodes >= facts.nodes && zones >= facts.zones) continue;
      violations.push({
        rule: "ST7",
        what: `${key} was written under a quorum of ${facts.nodes} nodes in ${facts.zones} zones, and ${nodes} in ${zones} had dropped it`,
        operations: [op],
      });
    }
  }
  return violations;
}
