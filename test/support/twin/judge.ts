import { endings } from "../../sim/check/endings.ts";
import { checkEventual, greatestLag } from "../../sim/check/eventual.ts";
import { type Operation, describe as say } from "../../sim/check/history.ts";
import { checkStrong } from "../../sim/check/strong.ts";
import type { Violation } from "../../sim/check/violation.ts";

/** Nodes read clocks of whole milliseconds, each its own. */
const tolerance = { rate: 0.01, stepMs: 5 };

/** Steps of the search for one group of keys: a right history takes about as many as it has operations. */
const maxSteps = 300_000;

/** What the judges of the simulation say about a history. */
export interface Judged {
  /** Violations in words, with the operations that show them. */
  readonly violations: readonly string[];
  /** Operations that the linearizability of strong keys was judged by. */
  readonly judged: number;
  /** Groups of keys whose search was given up. */
  readonly undecided: number;
  /** How long before its call a change was answered that an eventual read did not see, at most, in ms. */
  readonly greatestLagMs: number;
}

/** Judges a history: rules ST1, TX1, ME1 over all its keys, SB3 and CO4 over those that are written whole. */
export function judge(history: readonly Operation[]): Judged {
  const told = ({ rule, what, operations }: Violation): string => {
    // The last one is what could not be: what else happened to its keys, refused calls included.
    const key = operations.at(-1)?.keys[0] ?? "";
    const shown = operations.slice(0, 60).map((op) => `  ${say(op)}`);
    return `${rule}: ${what}\n${shown.join("\n")}\nAll of ${key}:\n${storyOf(history, key)}`;
  };
  const whole = [...history, ...endings(history)];
  const strong = checkStrong(whole, maxSteps);
  const eventual = checkEventual(whole, tolerance);
  const violations = [...strong.violations, ...eventual].map(told);
  const { judged, undecided } = strong;
  return { violations, judged, undecided, greatestLagMs: greatestLag(withVersions(history)) };
}

/** A look into L1 tells no version; but values are written once, and others told the version of theirs. */
function withVersions(history: readonly Operation[]): readonly Operation[] {
  const versions = new Map<string, number>();
  const readBy = ({ keys, action }: Operation): string => {
    const [first] = action?.success ?? [];
    return first?.do === "read" ? `${keys[0]} ${first.value}` : "";
  };
  for (const op of history) {
    if (op.kind === "get" && op.version !== undefined && op.version > 0) versions.set(readBy(op), op.version);
  }
  return history.map((op) => {
    const version = op.kind === "get" && op.version === undefined ? versions.get(readBy(op)) : undefined;
    return version === undefined ? op : { ...op, version };
  });
}

/** All that happened to the keys of a group, in order: for a closer look. */
export function storyOf(history: readonly Operation[], key: string): string {
  return history
    .filter(({ keys }) => keys.includes(key))
    .map((op) => `  ${say(op)}`)
    .join("\n");
}
