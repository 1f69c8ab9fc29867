import type { LockGrant, LockStore } from "../../src/locking/lock-store.ts";
import { LockTable } from "../../src/locking/lock-table.ts";
import type { LockCommand, LockVerdict } from "../../src/protocol/lock.ts";
import { checkLockCommand } from "../../src/protocol/lock-rules.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { type Expected, LockModel, type ModelGrant } from "./lock-model.ts";

const owners = ["a", "b", "c", "d", "e"] as const;
const sessions = ["s1", "s2", undefined] as const;
const startMs = 1_790_000_000_000;

/** A table and the model of it, which take the same steps. */
class Pair {
  readonly store: LockStore;
  readonly #moveTo: (nowMs: number) => void;
  readonly model = new LockModel();
  readonly table: LockTable;
  readonly random: Seeded;
  readonly names: readonly string[];
  highest = 0;
  readonly given = new Set<number>();
  readonly gone = new Set<number>();
  readonly log: string[] = [];
  nowMs = startMs;

  constructor(seed: number, { store, moveTo }: ModelStore) {
    this.random = seeded(seed);
    this.store = store;
    this.#moveTo = moveTo;
    this.names = ["m", "r", "rw", "s", "e"].slice(0, 1 + this.random.below(5));
    this.table = new LockTable({
      store: this.store,
      isAwaited: (ticket) => this.model.awaited.has(ticket),
    });
  }

  step(): void {
    const { random } = this;
    const chance = random.below(100);
    // Mostly small steps; sometimes just to a deadline, sometimes far.
    if (chance < 40) this.nowMs += random.below(200);
    else if (chance < 55) this.nowMs += random.below(6_000);
    else if (chance < 60) this.nowMs += random.below(80_000);
    else if (chance < 75) this.nowMs = Math.max(this.nowMs, this.table.nextDueMs() ?? 0);
    this.#moveTo(this.nowMs);
    while (this.table.expire(this.nowMs));
    this.model.tick(this.nowMs);
    this.check("time");
    const what = random.below(100);
    if (what < 66) this.command();
    else if (what < 90) this.poll();
    else if (what < 96) this.giveUp();
    else this.leave();
    this.check("step");
  }

  command(): void {
    const command = this.make();
    const session = this.random.pick(sessions);
    const wrong = checkLockCommand(command, this.nowMs);
    must(wrong === undefined, `${wrong?.message}`);
    const tied = command.kind === "acquire" && command.endsWithSession === true;
    const by = tied ? (session ?? "s1") : session;
    this.log.push(`${this.nowMs - startMs} ${by} ${JSON.stringify({ ...command, opId: undefined })}`);
    const model = this.model.of(command.name);
    const queued = model.queue.length;
    const before = new Set(model.live);
    const verdict = this.table.run(command, this.nowMs, by);
    const expected = this.model.run(command, this.nowMs, by);
    if (verdict.outcome === "ok" && verdict.state === "waiting" && model.queue.length > queued) {
      const place = model.queue.at(-1);
      if (place !== undefined) place.ticket = verdict.ticket;
      this.model.endOf.set(verdict.ticket, place?.waitUntilMs ?? 0);
    }
    for (const grant of model.live) {
      if (!before.has(grant) && command.kind === "acquire") this.model.permitsOf.set(grant, command.permits);
    }
    same(told(verdict), expected, "verdict");
  }

  poll(): void {
    const places = [...this.model.names].flatMap(([name, { queue }]) =>
      queue.map(({ ticket, command }) => ({ name, ticket, owner: command.owner })),
    );
    const known = this.random.below(10) === 0 ? this.anyTicket() : undefined;
    const place = known ?? (places.length > 0 ? this.random.pick(places) : undefined);
    if (place === undefined) return;
    const waitMs = this.random.pick([0, 1_000, 25_000]);
    const session = this.random.pick(sessions);
    this.log.push(`${this.nowMs - startMs} ${session} poll ${JSON.stringify(place)} ${waitMs}`);
    // It is open while it is asked: then it is live whatever the rows say.
    const opens = this.random.below(3) > 0;
    const verdict = this.table.poll(place, waitMs, this.nowMs, session);
    same(told(verdict), this.model.poll(place, waitMs, this.nowMs, session), "verdict");
    if (opens && waitMs > 0 && verdict.outcome === "ok" && verdict.state === "waiting") {
      this.model.awaited.add(place.ticket);
    }
  }

  giveUp(): void {
    const open = [...this.model.awaited];
    if (open.length === 0) return;
    const ticket = this.random.pick(open);
    this.log.push(`${this.nowMs - startMs} poll of ${ticket} ends`);
    this.model.awaited.delete(ticket);
    while (this.table.expire(this.nowMs));
    this.model.tick(this.nowMs);
  }

  leave(): void {
    const session = this.random.pick(["s1", "s2"]);
    this.log.push(`${this.nowMs - startMs} ${session} leaves`);
    for (const { queue } of this.model.names.values()) {
      for (const place of queue) if (place.session === session) this.model.awaited.delete(place.ticket);
    }
    this.table.left([session], this.nowMs);
    this.model.left(session, this.nowMs);
  }

  make(): LockCommand {
    const { random } = this;
    const name = random.pick(this.names);
    const owner = random.pick(owners);
    const opId = `${this.opId()}:t`;
    const known = random.below(100);
    const grants = [
      ...this.model.of(name).live,
      ...this.model.over.filter((grant) => grant.name === name).slice(-3),
    ];
    if (grants.length > 0 && known < 40) {
      const grant = random.pick(grants);
      const mine = random.below(10) > 0;
      const of = {
        opId,
        name,
        owner: mine ? grant.owner : owner,
        fence: grant.fence + (random.below(20) === 0 ? 1 : 0),
      };
      const what = random.below(10);
      if (what < 5) return { kind: "release", ...of };
      if (what < 7) return { kind: "renew", ...of, ...(what === 6 && { ttlMs: 100 + random.below(20_000) }) };
      if (what < 8) return { kind: "confirm", ...of };
      if (what < 9) return { kind: "proclaim", ...of, value: { bytes: random.bytes(2), contentType: "x/y" } };
      const all = { kind: "force", opId, name, by: "admin" } as const;
      return random.below(2) === 0 ? all : { ...all, fence: grant.fence };
    }
    const place = known < 65 ? this.anyTicket() : undefined;
    if (place !== undefined) return { kind: random.below(3) === 0 ? "cancel" : "claim", opId, ...place };
    return this.acquire(name, owner, opId);
  }

  acquire(name: string, owner: string, opId: string): LockCommand {
    const { random } = this;
    const usual = {
      m: "mutex",
      r: "reentrant",
      rw: random.pick(["read", "read", "write"] as const),
      s: "semaphore",
      e: "election",
    } as const;
    const strange = random.below(30) === 0;
    const as = strange
      ? random.pick(["mutex", "read", "semaphore"] as const)
      : usual[name as keyof typeof usual];
    return {
      kind: "acquire",
      opId,
      name,
      owner,
      as,
      ttlMs: 100 + random.below(15_000),
      ...(as === "semaphore" && { permits: random.below(20) === 0 ? 3 : 4, take: 1 + random.below(3) }),
      ...(random.below(4) > 0 && { waitMs: 1 + random.below(random.below(5) === 0 ? 3_000 : 200_000) }),
      ...(random.below(as === "mutex" ? 6 : 3) === 0 && { delayMs: random.below(4_000) }),
      ...(random.below(6) === 0 && { endsWithSession: true as const }),
    };
  }

  /** A place that there is, or was; sometimes under another's name. */
  anyTicket(): { name: string; owner: string; ticket: string } | undefined {
    const { random } = this;
    const all = [...this.model.names].flatMap(([name, { queue, live }]) => [
      ...queue.map((place) => ({ name, place })),
      ...live.flatMap(({ place }) => (place === undefined ? [] : [{ name, place }])),
      ...this.model.over
        .slice(-5)
        .flatMap((grant) =>
          grant.name === name && grant.place !== undefined ? [{ name, place: grant.place }] : [],
        ),
    ]);
    if (all.length === 0) return undefined;
    const { name, place } = random.pick(all);
    const other = random.below(15) === 0;
    return {
      name: random.below(30) === 0 ? random.pick(this.names) : name,
      owner: other ? random.pick(owners) : place.command.owner,
      ticket: place.ticket,
    };
  }

  opId(): string {
    const hex = this.nowMs.toString(16).padStart(12, "0");
    return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
  }

  check(when: string): void {
    const { tickets, ended } = this.table.takeHints();
    // Whoever waits and is hinted at has its answer.
    for (const ticket of tickets) this.model.awaited.delete(ticket);
    for (const { fence } of ended) this.gone.add(fence);
    for (const name of this.names) this.checkName(name, when);
    this.highest = Math.max(this.highest, ...this.given);
    this.given.clear();
  }

  checkName(name: string, when: string): void {
    const { model, store, nowMs } = this;
    const state = model.of(name);
    const live = store.live(name, 1_000);
    const queue = store.queue(name, 0, 1_000);
    // The rules, on the rows alone.
    const taken = live.reduce((sum, { take }) => sum + take, 0);
    const alone = live.some(({ kind }) => kind !== "read" && kind !== "semaphore");
    must(!alone || live.length === 1, "LK1 one holder");
    if (live[0]?.kind === "semaphore") must(taken <= live[0].permits, "LK1 permits");
    for (const { fence, ended, deadlineMs } of live) {
      must(ended === undefined && !this.gone.has(fence), "LK5 an end is for good");
      must(deadlineMs > nowMs, "LK6 what is due has ended");
    }
    // The model agrees on who has what, and who waits.
    same(live.map(shape), state.live.map(shape), "live grants");
    same(
      queue.map(({ ticket }) => ticket),
      state.queue.map(({ ticket }) => ticket),
      "queue",
    );
    for (const [i, grant] of state.live.entries()) {
      const row = live[i];
      if (grant.fence === 0 && row !== undefined) {
        must(row.fence > this.highest && !this.given.has(row.fence), "LK2 a new fence is the highest");
        grant.fence = row.fence;
        this.given.add(row.fence);
      }
      must(row?.fence === grant.fence, "LK2 a grant keeps its fence");
      must(this.table.isHeld(name, grant.fence) === !grant.offered, "LK14 held and not merely offered");
    }
    for (const { fence } of model.over.slice(-20)) must(!this.table.isHeld(name, fence), "LK5 not held");
    // LK9: nothing lies free while a live waiter stands first whom it fits.
    const [first] = model.wanting(state, nowMs);
    if (first !== undefined && state.closedUntilMs === 0) {
      must(!model.fits(state, first.command), `LK9 a wake-up was lost ${when}`);
    }
    same(store.delayOf(name) ?? 0, state.closedUntilMs, "closed until");
    const steps = this.table.steps(name, 0).events;
    same(
      steps.map(({ kind, owner, reason }) => [kind, reason, owner].filter(Boolean).join(" ")),
      state.steps.slice(-256),
      "LK15 steps",
    );
    must(
      steps.every(({ revision }, i) => revision > (steps[i - 1]?.revision ?? 0)),
      "LK15 in order",
    );
  }
}

function shape(grant: LockGrant | ModelGrant): unknown {
  return [grant.owner, grant.kind, grant.offered, grant.count, grant.deadlineMs];
}

/** Many thousands of times as fast as `expect`. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function same(actual: unknown, expected: unknown, what: string): void {
  const [is, ought] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== ought) throw new Error(`${what}: is ${is}, ought to be ${ought}`);
}

/** What the model has an opinion about. */
function told(verdict: LockVerdict): Expected {
  if (verdict.outcome === "fail") {
    const { code, details } = verdict.error;
    return code === "lock_lost" ? { code, reason: `${details?.reason}` } : { code };
  }
  switch (verdict.state) {
    case "held": {
      const { state, ttlMs, remainingMs, count } = verdict;
      return { state, ttlMs, remainingMs, count };
    }
    case "waiting":
      return { state: verdict.state, position: verdict.position };
    case "offered":
      return { state: verdict.state, claimWithinMs: verdict.claimWithinMs };
    case "ended":
      return { state: verdict.state, count: verdict.count };
  }
}

/** A store for a run, and what sets the clocks that it has. */
export interface ModelStore {
  readonly store: LockStore;
  moveTo(nowMs: number): void;
}

/** Takes `steps` steps with the table over a store and with the model; throws with the last ones where they differ, or where a rule is broken. */
export function runModel(seed: number, steps: number, store: ModelStore): void {
  const pair = new Pair(seed, store);
  try {
    for (let i = 0; i < steps; i++) pair.step();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${words}\n${pair.log.slice(-25).join("\n")}`, { cause: error });
  }
}
