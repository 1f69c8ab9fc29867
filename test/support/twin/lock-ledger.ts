import { arrivalOf } from "./lock-calls.ts";

/** A grant that was acknowledged to a client. All times are of one clock, in ms. */
export interface HeldLock {
  readonly name: string;
  readonly shard: number;
  readonly client: string;
  readonly fence: number;
  /** Of its place in the queue. */
  readonly ticket?: string | undefined;
  /** It had no place, as far as it knows: a call over HTTP may have waited without a word. */
  readonly isMute: boolean;
  readonly places: number;
  /** While it waited nobody heard of it for so long that it may have been passed over. */
  readonly wasAway: boolean;
  readonly askedMs: number;
  readonly heldMs: number;
  /** Its holder counts on it until then: moved by renewals, and brought forward by the release when that is sent. */
  endMs: number;
  /** What part of the name it takes, and how much there is of it: 1 of 1 for a mutex. */
  readonly take: number;
  readonly capacity: number;
}

/** A guarded write of a counter that was acknowledged. */
export interface GuardedWrite {
  readonly name: string;
  readonly fence: number;
  readonly value: number;
  readonly version: number;
}

/** Two processes read the clock around a message: none of them may be off by more. */
const clockGrainMs = 1;

/** What clients of locks were told, and what is wrong with it. */
export class LockLedger {
  readonly held: HeldLock[] = [];
  readonly writes: GuardedWrite[] = [];
  /** What clients saw that must not be, in words. */
  readonly seen: string[] = [];
  /** Writes whose fate was never told, by name. */
  readonly unknown = new Map<string, number>();
  readonly counts = new Map<string, number>();

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  doubt(name: string): void {
    this.unknown.set(name, (this.unknown.get(name) ?? 0) + 1);
  }

  /** Violations of LK1, LK2, LK5, LK8 and of the guarded counters, whose last values are `counters`. */
  judge(counters: ReadonlyMap<string, number>): readonly string[] {
    const byName = Map.groupBy(this.held, ({ name }) => name);
    return [
      ...this.seen,
      ...[...byName.values()].flatMap((held) => [...doubleGrants(held), ...outOfOrder(held)]),
      ...regressions(this.held),
      ...lostPlaces(this.held),
      ...this.#miscounted(counters),
    ];
  }

  /** Waiters that were served from the queue, and those of them that were away. */
  get queued(): { readonly served: number; readonly away: number } {
    const served = this.held.filter(({ ticket }) => ticket !== undefined);
    return { served: served.length, away: served.filter(({ wasAway }) => wasAway).length };
  }

  /** Every acknowledged increment counts once, in the order of the fences; what is not known may. */
  #miscounted(counters: ReadonlyMap<string, number>): string[] {
    const wrong: string[] = [];
    for (const [name, writes] of Map.groupBy(this.writes, (write) => write.name)) {
      const doubt = this.unknown.get(name) ?? 0;
      const last = counters.get(name) ?? 0;
      if (last < writes.length || last > writes.length + doubt) {
        wrong.push(
          `counter: ${name} is ${last} after ${writes.length} acknowledged increments, ${doubt} unknown`,
        );
      }
      const sorted = writes.toSorted((one, other) => one.fence - other.fence || one.value - other.value);
      for (const [at, write] of sorted.entries()) {
        const before = sorted[at - 1];
        if (write.version <= write.fence) wrong.push(`counter: a write older than its fence: ${say(write)}`);
        if (before !== undefined && (before.value >= write.value || before.version >= write.version)) {
          wrong.push(`counter: two writes under one state of ${name}: ${say(before)}, ${say(write)}`);
        }
      }
    }
    return wrong;
  }
}

/** LK1: at no moment do clients count on more of a name than there is. */
function doubleGrants(held: readonly HeldLock[]): string[] {
  const wrong: string[] = [];
  const sorted = held.toSorted((one, other) => one.heldMs - other.heldMs);
  let live: HeldLock[] = [];
  for (const one of sorted) {
    live = live.filter(({ endMs }) => endMs > one.heldMs + clockGrainMs);
    if (one.endMs <= one.heldMs) continue;
    live.push(one);
    const taken = live.reduce((sum, { take }) => sum + take, 0);
    if (taken > one.capacity) wrong.push(`double grant: ${live.map(say).join(", ")}`);
  }
  return wrong;
}

/** LK8: nobody who came later is served first, unless the earlier one was away. */
function outOfOrder(held: readonly HeldLock[]): string[] {
  const wrong: string[] = [];
  let latest: HeldLock | undefined;
  const told = held.filter(({ isMute }) => !isMute);
  for (const one of told.toSorted((left, right) => left.fence - right.fence)) {
    if (latest !== undefined && arrived(one) < arrived(latest) && !one.wasAway) {
      wrong.push(`order: ${say(one)} came before ${say(latest)}, which was served first`);
    }
    if (latest === undefined || arrived(one) > arrived(latest)) latest = one;
  }
  return wrong;
}

/** LK2: what is granted after an answer has a higher fence than that answer told, in the whole shard. */
function regressions(held: readonly HeldLock[]): string[] {
  const wrong: string[] = [];
  for (const ofShard of Map.groupBy(held, ({ shard }) => shard).values()) {
    const byAsked = ofShard.toSorted((one, other) => one.askedMs - other.askedMs);
    const byHeld = ofShard.toSorted((one, other) => one.heldMs - other.heldMs);
    let told = 0;
    let highest: HeldLock | undefined;
    for (const one of byAsked) {
      for (let next = byHeld[told]; next !== undefined && next.heldMs < one.askedMs; next = byHeld[++told]) {
        if (highest === undefined || next.fence > highest.fence) highest = next;
      }
      if (highest !== undefined && one.fence <= highest.fence) {
        wrong.push(`fence: ${say(one)} was asked for after ${say(highest)} had been told`);
      }
    }
  }
  return wrong;
}

/** LK8: the queue is durable. */
function lostPlaces(held: readonly HeldLock[]): string[] {
  return held.filter((one) => one.places > 1 && !one.wasAway).map((one) => `place lost: ${say(one)}`);
}

function arrived({ ticket, fence }: HeldLock): number {
  return ticket === undefined ? fence : arrivalOf(ticket);
}

function say(what: HeldLock | GuardedWrite): string {
  return JSON.stringify(what);
}
