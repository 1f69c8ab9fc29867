import type { Operation, Step, Value } from "./history.ts";
import type { Violation } from "./violation.ts";

/** One change of one key: what it left, and when it may have happened. */
interface Change {
  readonly op: Operation;
  readonly value: Value;
  readonly version: number | undefined;
  /** Of an end: the value whose life it was. */
  readonly ends?: Value | undefined;
  /** Its branch may not have been the one that was taken. */
  readonly isPossible: boolean;
}

/** What is allowed beyond a bound, for clocks: rule A1, and steps of wall clocks. */
export interface Tolerance {
  /** Share by which a node's clock may run slow. */
  readonly rate: number;
  readonly stepMs: number;
  /** When superseded instances went on that may answer eventual reads, since they can't know. */
  readonly apart?: readonly { readonly fromMs: number; readonly toMs: number }[];
}

/**
 * Rules SB3 and CO4 over keys that are written whole (no merges): a get that was begun more than its bound after the answer to a change never
 * gives what was there before, on any node; and never after its own node's change, whatever the bound.
 *
 * A get is judged by what surely came later: a change whose version is higher or, where versions are not known, that was begun when the value
 * that was read had been written and answered.
 */
export function checkEventual(history: readonly Operation[], tolerance: Tolerance): readonly Violation[] {
  const violations: Violation[] = [];
  for (const [key, { changes, gets }] of byKey(history)) {
    const restore = changes.find(({ op }) => op.kind === "restore" && op.outcome === "ok")?.op;
    // A refusal that came after the storage was set back says nothing of the time before: what had been done then may be among what was lost.
    const isRefused = ({ op }: Change): boolean =>
      op.outcome === "fail" && !(restore !== undefined && op.call < restore.ret && op.ret > restore.call);
    const wholes = changes.filter((change) => !isRefused(change));
    const answered = wholes.filter(({ op, isPossible }) => op.outcome === "ok" && !isPossible);
    for (const get of gets) {
      if (get.outcome !== "ok" || get.stale === true) continue;
      const value = readValue(get, key);
      // While a storage is set back nothing is promised; afterwards what was lost no longer counts.
      if (value === undefined || (restore !== undefined && get.call < restore.ret && get.ret > restore.call))
        continue;
      const isAfter = restore !== undefined && get.call > restore.ret;
      const from = isAfter ? restore.call : 0;
      const sources = sourcesOf(
        value,
        get,
        isAfter ? wholes.filter(({ op }) => op.outcome !== "fail") : wholes,
      );
      if (sources.length === 0) {
        violations.push({ rule: "OU1", what: `${key} = ${value}: nobody wrote that`, operations: [get] });
        continue;
      }
      const boundMs = (get.strong ? 0 : (get.boundMs ?? 0)) * (1 + tolerance.rate) + tolerance.stepMs;
      const missed = answered.find((change) => {
        const { op, value: later } = change;
        if (op.call < from || (later === value && value !== null)) return false;
        const due = get.strong ? op.ret < get.call : op.retMs < get.callMs - boundMs;
        const own = op.node === get.node && op.ret < get.call;
        if (!own && !get.strong && isApart(get, boundMs, tolerance)) return false;
        return (due || own) && sources.every((source) => isLater(change, source, get, restore?.call));
      });
      if (missed === undefined) continue;
      const own = missed.op.node === get.node;
      const lateMs = get.callMs - missed.op.retMs;
      violations.push({
        rule: own && lateMs <= boundMs ? "CO4" : get.strong ? "ST1" : "SB3",
        what: `${key}: a get begun ${lateMs.toFixed(0)} ms after the answer to #${missed.op.id} gave what was there before it (bound ${boundMs.toFixed(0)} ms)`,
        operations: [
          ...sources.flatMap((source) => (source === "initial" ? [] : [source.op])),
          missed.op,
          get,
        ],
      });
    }
  }
  return violations;
}

/** Whether a superseded instance may have a part in what this get answers. */
function isApart(get: Operation, boundMs: number, { apart = [] }: Tolerance): boolean {
  return apart.some(({ fromMs, toMs }) => fromMs <= get.retMs && toMs >= get.callMs - boundMs);
}

/** The greatest lag that any get of an eventual key showed, in ms: how long before its call a change was answered that it did not see. */
export function greatestLag(history: readonly Operation[]): number {
  let greatest = 0;
  for (const [key, { changes, gets }] of byKey(history)) {
    const answered = changes.filter(({ op, version }) => op.outcome === "ok" && version !== undefined);
    for (const get of gets) {
      if (get.strong || get.stale === true || get.outcome !== "ok" || (get.version ?? 0) === 0) continue;
      const value = readValue(get, key);
      if (value === undefined) continue;
      for (const { op, version } of answered) {
        if ((version ?? 0) > (get.version ?? 0) && op.retMs < get.callMs)
          greatest = Math.max(greatest, get.callMs - op.retMs);
      }
    }
  }
  return greatest;
}

type Source = Change | "initial";

/** What may have left the value that `get` gave. */
function sourcesOf(value: Value, get: Operation, changes: readonly Change[]): readonly Source[] {
  const possible = changes.filter((change) => change.value === value && change.op.call < get.ret);
  return value === null ? ["initial", ...possible] : possible;
}

/** Whether `change` surely happened after `source`. */
function isLater(change: Change, source: Source, get: Operation, restored: number | undefined): boolean {
  // Only of its own value an end is known to come after.
  if (change.op.kind === "end") return source !== "initial" && change.ends === source.value;
  if (source === "initial") return true;
  if (source.op === change.op) return false;
  // The same versions are given again by a storage that was set back.
  if (restored !== undefined && source.op.call < restored !== change.op.call < restored)
    return source.op.ret < change.op.call;
  // The answer itself says which version it gave.
  const version = source.value === null ? undefined : get.version;
  if (version !== undefined && version > 0 && change.version !== undefined && change.version > 0)
    return change.version > version;
  return source.op.ret < change.op.call;
}

function readValue(get: Operation, key: string): Value | undefined {
  const [read] = (get.action?.success ?? []).filter((one) => one.key === key);
  return read?.do === "read" ? read.value : undefined;
}

function byKey(history: readonly Operation[]) {
  const keys = new Map<string, { changes: Change[]; gets: Operation[]; merged: boolean }>();
  const of = (key: string) => {
    const found = keys.get(key) ?? { changes: [], gets: [], merged: false };
    keys.set(key, found);
    return found;
  };
  for (const op of history) {
    if (op.kind === "get") {
      for (const key of op.keys) of(key).gets.push(op);
      continue;
    }
    if (op.action === undefined) continue;
    for (const one of stepsOf(op)) {
      if (one.do === "write")
        of(one.key).changes.push({
          op,
          value: one.value,
          version: op.version,
          ends: op.action.when[0]?.is,
          isPossible: op.kind === "transaction" && op.action.when.length > 0 && op.action.took === undefined,
        });
      else if (one.do === "add") of(one.key).merged = true;
    }
  }
  return [...keys].filter(([, { merged }]) => !merged);
}

/** What an operation did: of a branch that was not taken, nothing. */
function stepsOf(op: Operation): readonly Step[] {
  const { action } = op;
  if (action === undefined) return [];
  if (action.when.length === 0) return action.success;
  if (action.took === undefined) return [...action.success, ...action.failure];
  return action.took ? action.success : action.failure;
}
