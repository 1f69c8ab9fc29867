/**
 * What a run leaves behind for its judges: every call that a client made, when it was made, when it was answered and how. Times are true
 * ones, by the world's own clock; `call` and `ret` also give the order of events that happen at the same millisecond.
 */

/** A value as clients write it: a number that no other write of the run uses, or a counter's sum. Null: absent. */
export type Value = number | null;

/** One step of an operation on one key. */
export type Step =
  | { readonly do: "read"; readonly key: string; readonly value: Value }
  /** `existed`: what the answer said about the key before; undefined: it said nothing. */
  | {
      readonly do: "write";
      readonly key: string;
      readonly value: Value;
      readonly existed?: boolean | undefined;
    }
  | { readonly do: "add"; readonly key: string; readonly amount: number };

/**
 * One atomic operation: if all of `when` hold, `success`, else `failure`. Reads, writes, compare-and-sets, merges and transactions are all of this
 * form. `took` tells which branch the answer named; undefined: it named none.
 */
export interface Action {
  readonly when: readonly { readonly key: string; readonly is: Value }[];
  readonly success: readonly Step[];
  readonly failure: readonly Step[];
  readonly took: boolean | undefined;
}

/** `unknown`: it may take effect at any time after its call, or never. `fail`: it has no effect, now or later. */
export type Outcome = "ok" | "fail" | "unknown";

/** What kind of client call it was. */
export type OperationKind =
  | "get"
  | "set"
  | "delete"
  | "cas"
  | "merge"
  | "transaction"
  | "invalidate"
  | "leaseEnd"
  | "end"
  | "restore";

/** One call of one client. */
export interface Operation {
  readonly id: number;
  readonly kind: OperationKind;
  /** The node it was made at; `rpc` and `import`: callers without a session. */
  readonly node: string;
  /** A get: whether the answer has to be linearizable. Changes always are. */
  readonly strong: boolean;
  readonly keys: readonly string[];
  /** The order of its call among all events, and the time. */
  readonly call: number;
  readonly callMs: number;
  /** Infinite while it has not been answered. */
  ret: number;
  retMs: number;
  outcome: Outcome;
  /** What it did or, where its fate is not known, would do. Undefined: nothing that matters to values. */
  action: Action | undefined;
  /** A get: the key's version (0: absent). A change: the version that it gave. */
  version?: number;
  /** The log position at which the answer was true. An invalidation: that of the log when it was called. */
  asOf?: number;
  /** An invalidation: the keys of which every copy from before goes, as far as that is known. */
  invalidates?: readonly string[];
  /** A get: its answer was marked stale. */
  stale?: boolean;
  cache?: string;
  /** Code of the error that it ended with. */
  error?: string;
  /** Eventual get: how old its answer may be, in ms of the node's clock. */
  boundMs?: number;
  /** A change: its op id, as shards keep it. */
  opId?: string;
  /** A set: the life of the value. */
  expiresInMs?: number;
}

/** One sentence about an operation, for reports. */
export function describe(op: Operation): string {
  const at = `${op.callMs.toFixed(0)}..${Number.isFinite(op.retMs) ? op.retMs.toFixed(0) : "?"}`;
  const end = op.outcome === "ok" ? "" : ` ${op.outcome}${op.error === undefined ? "" : ` (${op.error})`}`;
  const version = op.version === undefined ? "" : ` v${op.version}`;
  const marks = `${op.stale === true ? " stale" : ""}${op.cache === undefined ? "" : ` ${op.cache}`}`;
  const mode = op.kind === "get" ? (op.strong ? " strong" : " eventual") : "";
  return `#${op.id} [${at}] ${op.node} ${op.kind}${mode} ${say(op.action) || op.keys.join(",")}${version}${marks}${end}`;
}

function say(action: Action | undefined): string {
  if (action === undefined) return "";
  const steps = (list: readonly Step[]): string =>
    list
      .map((step) =>
        step.do === "read"
          ? `${step.key} = ${step.value}`
          : step.do === "write"
            ? `${step.key} := ${step.value}${step.existed === undefined ? "" : step.existed ? " (was there)" : " (was absent)"}`
            : `${step.key} += ${step.amount}`,
      )
      .join(", ");
  if (action.when.length === 0) return steps(action.success);
  const took = action.took === undefined ? "?" : action.took ? "then" : "else";
  return `if ${action.when.map(({ key, is }) => `${key} == ${is}`).join(" && ")} {${steps(action.success)}} else {${steps(action.failure)}} -> ${took}`;
}
