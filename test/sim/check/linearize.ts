/**
 * Whether a history is linearizable: the search of Wing and Gong with Lowe's memory of configurations that were tried, as in Horn and
 * Kroening's "Faster linearizability checking via P-compositionality".
 */

import type { Action, Operation, Step, Value } from "./history.ts";

/** One operation for the search. `ret` infinite: it may also never happen. */
export interface Candidate {
  readonly action: Action;
  readonly call: number;
  readonly ret: number;
  /** Where it probably stands among the others: makes the search quick, never wrong. */
  readonly hint?: number;
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
  /** Of a call; undefined: this is a return. */
  readonly candidate: Candidate | undefined;
  prev: Event | undefined;
  next: Event | undefined;
  /** Of a call: its return; undefined where there is none. */
  match: Event | undefined;
}

/** A choice of what happens next, and what there was to choose from. */
interface Choice {
  readonly state: State;
  readonly options: readonly Event[];
  at: number;
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
  const stack: Choice[] = [];
  let state: State = keys.map(() => null);
  let choice: Choice = { state, options: optionsOf(head, state, places), at: 0 };
  for (let steps = 0; open > 0; steps++) {
    if (steps >= maxSteps) return "undecided";
    const event = choice.options[choice.at];
    if (event === undefined) {
      // None of them can be next: the choice before was wrong.
      const last = stack.pop();
      if (last === undefined) return "violation";
      const wrong = last.options[last.at] as Event;
      flip(done, wrong.place);
      unlift(wrong);
      if (wrong.match !== undefined) open++;
      last.at++;
      choice = last;
      state = last.state;
      continue;
    }
    const next = event.candidate && step(state, event.candidate.action, places);
    if (next !== undefined) {
      flip(done, event.place);
      const name = `${String.fromCharCode(...done)}${next.join()}`;
      if (!seen.has(name)) {
        seen.add(name);
        lift(event);
        if (event.match !== undefined) open--;
        stack.push(choice);
        state = next;
        choice = { state, options: optionsOf(head, state, places), at: 0 };
        continue;
      }
      flip(done, event.place);
    }
    choice.at++;
  }
  return "linearizable";
}

/**
 * What may happen next: calls before the first return, the likeliest first. What only reads, and fits the present state, may as well happen now:
 * whatever can follow without it can follow after it.
 */
function optionsOf(head: Event, state: State, places: ReadonlyMap<string, number>): readonly Event[] {
  const options: Event[] = [];
  for (let event = head.next; event?.candidate !== undefined; event = event.next) {
    const { action } = event.candidate;
    if (onlyReads(action) && step(state, action, places) !== undefined) return [event];
    options.push(event);
  }
  return options.sort((a, b) => hintOf(a) - hintOf(b));
}

function onlyReads({ success, failure, when, took }: Action): boolean {
  // To delete what is not there changes nothing, either.
  const isRead = (one: Step): boolean =>
    one.do === "read" || (one.do === "write" && one.value === null && one.existed === false);
  if (when.length === 0 || took === true) return success.every(isRead);
  return failure.every(isRead) && (took === false || success.every(isRead));
}

function hintOf({ candidate }: Event): number {
  return candidate?.hint ?? (candidate?.ret === Number.POSITIVE_INFINITY ? Number.MAX_VALUE : 0);
}

function flip(bits: Uint16Array, place: number): void {
  const word = place >> 4;
  bits[word] = (bits[word] ?? 0) ^ (1 << (place & 15));
}

function toList(candidates: readonly Candidate[]): Event {
  const marks: { readonly at: number; readonly event: Event }[] = [];
  const none = { prev: undefined, next: undefined, match: undefined };
  for (const [place, candidate] of candidates.entries()) {
    const called: Event = { place, candidate, ...none };
    marks.push({ at: candidate.call, event: called });
    if (!Number.isFinite(candidate.ret)) continue;
    called.match = { place, candidate: undefined, ...none };
    marks.push({ at: candidate.ret, event: called.match });
  }
  marks.sort((a, b) => a.at - b.at);
  const head: Event = { place: -1, candidate: undefined, ...none };
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
export function candidatesOf(
  operations: readonly Operation[],
): { readonly op: Operation; readonly candidate: Candidate }[] {
  const versions = versionsOf(operations);
  return operations.flatMap((op) => {
    const { action, outcome } = op;
    if (action === undefined) return [];
    // A refusal takes part only where it tells something: that its comparison did not hold.
    if (outcome === "fail" && action.took !== false) return [];
    const changes = [...action.success, ...action.failure].some((one) => one.do !== "read");
    if (outcome === "unknown" && !changes) return [];
    const ret = outcome === "unknown" ? Number.POSITIVE_INFINITY : op.ret;
    const hint = hintFor(op, action, versions);
    return [{ op, candidate: { action, call: op.call, ret, ...(hint === undefined ? {} : { hint }) } }];
  });
}

/** The versions under which values were seen, also those of changes whose own answers were lost. */
function versionsOf(operations: readonly Operation[]): ReadonlyMap<string, number> {
  const versions = new Map<string, number>();
  for (const { action, version } of operations) {
    if (version === undefined || version === 0) continue;
    for (const one of action?.success ?? [])
      if (one.do !== "add") versions.set(`${one.key} ${one.value}`, version);
  }
  return versions;
}

/** Changes stand at their version, gets just after what they saw. */
function hintFor(op: Operation, action: Action, versions: ReadonlyMap<string, number>): number | undefined {
  if (op.version !== undefined && op.version > 0) return op.kind === "get" ? op.version + 0.5 : op.version;
  for (const one of action.success) {
    const version = one.do === "write" ? versions.get(`${one.key} ${one.value}`) : undefined;
    if (version !== undefined) return version;
  }
  if (op.asOf !== undefined) return op.kind === "get" ? op.asOf + 0.5 : op.asOf;
  const [expected] = action.when;
  const seen = expected === undefined ? undefined : versions.get(`${expected.key} ${expected.is}`);
  return seen === undefined ? undefined : seen + 0.6;
}
