/**
 * Whether a history is linearizable: the search of Wing and Gong with Lowe's memory of configurations that were tried, as in Horn and
 * Kroening's "Faster linearizability checking via P-compositionality".
 */

import type { Action, Operation, Value } from "./history.ts";

/** One operation for the search. `ret` infinite: it may also never happen. */
export interface Candidate {
  readonly action: Action;
  readonly call: number;
  readonly ret: number;
}

/** `undecided`: the search gave up after `maxSteps`. */
export type Judgement = "linearizable" | "violation" | "undecided";

/** Values of the keys of one component, in the order of `keys`. */
export type State = readonly Value[];

/** The state after `action`, or undefined where its answer can't have been given in `state`. */
export function step(state: State, action: Action, places: ReadonlyMap<string, number>): State | undefined {
  const at = (key: string): number => places.get(key) ?? -1;
  const holds = action.when.every(({ key, is }) => state[at(key)] === is);
  if (action.took !== undefined && action.took !== holds) return undefined;
  let next: Value[] | undefined;
  for (const one of holds ? action.success : action.failure) {
    const place = at(one.key);
    const present = (next ?? state)[place] ?? null;
    if (one.do === "read") {
      if (present !== one.value) return undefined;
      continue;
    }
    if (one.do === "write" && one.existed !== undefined && one.existed !== (present !== null))
      return undefined;
    next ??= [...state];
    next[place] = one.do === "write" ? one.value : (present ?? 0) + one.amount;
  }
  return next ?? state;
}

interface Event {
  readonly place: number;
  readonly action: Action | undefined;
  prev: Event | undefined;
  next: Event | undefined;
  /** Of a call: its return; undefined where there is none. */
  match: Event | undefined;
}

/** Judges the operations of one component over `keys`, all absent at the beginning. */
export function linearizable(
  candidates: readonly Candidate[],
  keys: readonly string[],
  maxSteps = 2_000_000,
): Judgement {
  const places = new Map(keys.map((key, at) => [key, at]));
  const head = toList(candidates);
  let open = candidates.filter(({ ret }) => Number.isFinite(ret)).length;
  const done = new Uint16Array((candidates.length + 15) >> 4);
  const seen = new Set<string>();
  const stack: { readonly call: Event; readonly state: State }[] = [];
  let state: State = keys.map(() => null);
  let event = head.next;
  for (let steps = 0; open > 0; steps++) {
    if (steps >= maxSteps) return "undecided";
    if (event === undefined) return "violation";
    if (event.action !== undefined) {
      const next = step(state, event.action, places);
      if (next !== undefined) {
        flip(done, event.place);
        const name = `${String.fromCharCode(...done)}${next.join()}`;
        if (!seen.has(name)) {
          seen.add(name);
          stack.push({ call: event, state });
          state = next;
          if (event.match !== undefined) open--;
          lift(event);
          event = head.next;
          continue;
        }
        flip(done, event.place);
      }
      event = event.next;
      continue;
    }
    // A return is reached before its call was placed: one of the choices was wrong.
    const last = stack.pop();
    if (last === undefined) return "violation";
    state = last.state;
    flip(done, last.call.place);
    if (last.call.match !== undefined) open++;
    unlift(last.call);
    event = last.call.next;
  }
  return "linearizable";
}

function flip(bits: Uint16Array, place: number): void {
  const word = place >> 4;
  bits[word] = (bits[word] ?? 0) ^ (1 << (place & 15));
}

function toList(candidates: readonly Candidate[]): Event {
  const marks: { readonly at: number; readonly event: Event }[] = [];
  for (const [place, { action, call, ret }] of candidates.entries()) {
    const called: Event = { place, action, prev: undefined, next: undefined, match: undefined };
    marks.push({ at: call, event: called });
    if (!Number.isFinite(ret)) continue;
    called.match = { place, action: undefined, prev: undefined, next: undefined, match: undefined };
    marks.push({ at: ret, event: called.match });
  }
  marks.sort((a, b) => a.at - b.at);
  const head: Event = { place: -1, action: undefined, prev: undefined, next: undefined, match: undefined };
  let last = head;
  for (const { event } of marks) {
    last.next = event;
    event.prev = last;
    last = event;
  }
  return head;
}

function lift(call: Event): void {
  for (const event of call.match === undefined ? [call] : [call, call.match]) {
    if (event.prev !== undefined) event.prev.next = event.next;
    if (event.next !== undefined) event.next.prev = event.prev;
  }
}

function unlift(call: Event): void {
  for (const event of call.match === undefined ? [call] : [call.match, call]) {
    if (event.prev !== undefined) event.prev.next = event;
    if (event.next !== undefined) event.next.prev = event;
  }
}

/** What did not happen, or nobody can tell that it did, does not take part. */
export function candidatesOf(operations: readonly Operation[]): { op: Operation; candidate: Candidate }[] {
  return operations.flatMap((op) => {
    const { action, outcome } = op;
    if (action === undefined) return [];
    // A refusal takes part only where it tells something: that its comparison did not hold.
    if (outcome === "fail" && action.took !== false) return [];
    const changes = [...action.success, ...action.failure].some((one) => one.do !== "read");
    if (outcome === "unknown" && !changes) return [];
    const ret = outcome === "unknown" ? Number.POSITIVE_INFINITY : op.ret;
    return [{ op, candidate: { action, call: op.call, ret } }];
  });
}
