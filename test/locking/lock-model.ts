import type { LockCommand, LockEnd, LockKind } from "../../src/protocol/lock.ts";
import {
  clockStepMs,
  lockClaimMs,
  lockForgetMs,
  lockGraceMs,
} from "../../src/runtime/coordination-limits.ts";

/** A grant as the model has it; `fence` is told to it by the table. */
export interface ModelGrant {
  fence: number;
  readonly name: string;
  readonly owner: string;
  readonly kind: LockKind;
  readonly take: number;
  readonly delayMs: number;
  ttlMs: number;
  deadlineMs: number;
  count: number;
  offered: boolean;
  session: string | undefined;
  readonly tied: boolean;
  readonly place: ModelPlace | undefined;
  ended: LockEnd | undefined;
}

export interface ModelPlace {
  ticket: string;
  readonly command: Acquire;
  session: string | undefined;
  readonly waitUntilMs: number;
  liveUntilMs: number;
}

type Acquire = Extract<LockCommand, { kind: "acquire" }>;
type Of<K extends LockCommand["kind"]> = Extract<LockCommand, { kind: K }>;

/** What is to come out of a step. */
export type Expected = Record<string, string | number | undefined>;

interface Name {
  live: ModelGrant[];
  queue: ModelPlace[];
  closedUntilMs: number;
  readonly steps: string[];
}

/**
 * The rules of locks in one plain piece: lists, loops, no indexes, no bounds. It shares only numbers with the table, and is told by it nothing but fences and
 * tickets.
 */
export class LockModel {
  readonly names = new Map<string, Name>();
  readonly over: ModelGrant[] = [];
  readonly awaited = new Set<string>();

  of(name: string): Name {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    const made: Name = { live: [], queue: [], closedUntilMs: 0, steps: [] };
    this.names.set(name, made);
    return made;
  }

  /** What time does by itself; everything that is due happens at once. */
  tick(nowMs: number): void {
    for (const name of this.names.values()) {
      if (name.closedUntilMs <= nowMs) name.closedUntilMs = 0;
      for (const grant of name.live.filter(({ deadlineMs }) => deadlineMs <= nowMs)) {
        this.#end(name, grant, grant.offered ? "unclaimed" : "expired", nowMs);
        const { place, offered } = grant;
        if (offered && place !== undefined) this.#silence(place, nowMs);
      }
      name.queue = name.queue.filter((place) => {
        const awaited = this.awaited.has(place.ticket);
        if (awaited && place.liveUntilMs <= nowMs) place.liveUntilMs = nowMs + lockGraceMs;
        return nowMs < place.waitUntilMs && (awaited || nowMs < place.liveUntilMs + lockForgetMs);
      });
      this.#handOver(name, nowMs);
    }
  }

  run(command: LockCommand, nowMs: number, session: string | undefined): Expected {
    const name = this.of(command.name);
    switch (command.kind) {
      case "acquire":
        return this.#acquire(name, command, nowMs, session);
      case "claim":
        return this.#claim(name, command, nowMs, session);
      case "cancel":
        return this.#cancel(name, command, nowMs);
      case "force": {
        const { fence } = command;
        const hit = name.live.filter((grant) => fence === undefined || grant.fence === fence);
        for (const grant of hit) {
          this.#end(name, grant, "forced", nowMs);
          if (grant.offered) name.queue = name.queue.filter((place) => place !== grant.place);
        }
        this.#handOver(name, nowMs);
        return { state: "ended", count: hit.length };
      }
      default:
        return this.#ofOwner(name, command, nowMs, session);
    }
  }

  poll(
    at: { name: string; owner: string; ticket: string },
    waitMs: number,
    nowMs: number,
    session?: string,
  ): Expected {
    const name = this.of(at.name);
    const found = this.#find(name, at);
    if (found.refused !== undefined) return found.refused;
    const { place, grant } = found;
    if (grant !== undefined && grant.ended === undefined) return shown(grant, nowMs);
    if (place === undefined)
      return grant === undefined ? { code: this.#gone(at.ticket, nowMs) } : lost(grant);
    place.liveUntilMs = nowMs + waitMs + lockGraceMs;
    place.session = session ?? place.session;
    this.#handOver(name, nowMs);
    const offer = name.live.find((one) => one.place === place);
    return offer === undefined ? this.#waiting(name, place) : shown(offer, nowMs);
  }

  left(session: string, nowMs: number): void {
    for (const name of this.names.values()) {
      for (const grant of name.live.filter((one) => one.session === session && one.tied)) {
        this.#end(name, grant, "session", nowMs);
      }
      for (const place of name.queue) if (place.session === session) this.#silence(place, nowMs);
      this.#handOver(name, nowMs);
    }
  }

  isLive(place: ModelPlace, nowMs: number): boolean {
    return nowMs < place.waitUntilMs && (this.awaited.has(place.ticket) || nowMs < place.liveUntilMs);
  }

  fits({ live }: Name, { as, permits = 1, take = 1 }: Acquire): boolean {
    if (as === "semaphore") return live.reduce((sum, grant) => sum + grant.take, take) <= permits;
    return as === "read" ? live.every(({ kind }) => kind === "read") : live.length === 0;
  }

  /** Live waiters that nothing was offered to, in order. */
  wanting(name: Name, nowMs: number): ModelPlace[] {
    return name.queue.filter(
      (place) => this.isLive(place, nowMs) && !name.live.some((grant) => grant.place === place),
    );
  }

  #acquire(name: Name, command: Acquire, nowMs: number, session: string | undefined): Expected {
    const { owner, as, ttlMs, waitMs, permits } = command;
    const there = [...name.live.map(({ kind }) => kind), ...name.queue.map((place) => place.command.as)];
    const shared = (kind: LockKind): string => (kind === "read" || kind === "write" ? "rw" : kind);
    if (there.some((kind) => shared(kind) !== shared(as))) return { code: "wrong_kind" };
    const counted = [...this.#permits(name)];
    if (as === "semaphore" && counted.some((one) => one !== permits)) return { code: "wrong_kind" };
    const own = name.live.find((grant) => grant.owner === owner && !grant.offered);
    if (as === "reentrant" && own !== undefined) {
      own.count++;
      own.ttlMs = Math.max(own.ttlMs, ttlMs);
      own.deadlineMs = Math.max(own.deadlineMs, nowMs + own.ttlMs);
      own.session = session ?? own.session;
      return shown(own, nowMs);
    }
    const closed = name.closedUntilMs > 0;
    if (!closed && this.fits(name, command) && this.wanting(name, nowMs).length === 0) {
      const grant = this.#grant(command, nowMs, session, undefined);
      name.live.push(grant);
      this.#step(name, grant, "elected");
      return shown(grant, nowMs);
    }
    if (waitMs === undefined) return { code: "lock_held" };
    const place = {
      ticket: "",
      command,
      session,
      waitUntilMs: nowMs + waitMs,
      liveUntilMs: nowMs + lockGraceMs,
    };
    name.queue.push(place);
    return this.#waiting(name, place);
  }

  #claim(name: Name, command: Of<"claim">, nowMs: number, session: string | undefined): Expected {
    const found = this.#find(name, command);
    if (found.refused !== undefined) return found.refused;
    const { place, grant } = found;
    if (grant === undefined) {
      return { code: place === undefined ? this.#gone(command.ticket, nowMs) : "lock_waiting" };
    }
    if (grant.ended !== undefined) return lost(grant);
    grant.deadlineMs = grant.offered ? nowMs + grant.ttlMs : Math.max(grant.deadlineMs, nowMs + grant.ttlMs);
    grant.session = session ?? grant.session;
    if (grant.offered) {
      grant.offered = false;
      name.queue = name.queue.filter((one) => one !== place);
      this.#step(name, grant, "elected");
    }
    return shown(grant, nowMs);
  }

  #cancel(name: Name, command: Of<"cancel">, nowMs: number): Expected {
    const found = this.#find(name, command);
    if (found.refused !== undefined) return found.refused;
    const { place, grant } = found;
    name.queue = name.queue.filter((one) => one !== place);
    if (grant !== undefined && grant.ended === undefined) return this.#letGo(name, grant, "cancelled", nowMs);
    if (place === undefined) return grant === undefined ? { code: "ticket_not_found" } : lost(grant);
    this.#handOver(name, nowMs);
    return { state: "ended", count: 0 };
  }

  #ofOwner(
    name: Name,
    command: Of<"renew" | "release" | "confirm" | "proclaim">,
    nowMs: number,
    session: string | undefined,
  ): Expected {
    const all = [...name.live, ...this.over.filter((grant) => grant.name === command.name)];
    const grant = all.find(({ fence }) => fence === command.fence);
    if (grant === undefined)
      return name.live.length > 0 ? { code: "not_owner" } : { code: "lock_lost", reason: "ended" };
    if (grant.owner !== command.owner) return { code: "not_owner" };
    if (grant.ended !== undefined) return lost(grant);
    if (grant.offered) return { code: "lock_waiting" };
    if (command.kind === "release") return this.#letGo(name, grant, "released", nowMs);
    if (command.kind === "proclaim" && grant.kind !== "election") return { code: "wrong_kind" };
    if (command.kind === "proclaim") this.#step(name, grant, "proclaimed");
    if (command.kind === "renew") {
      grant.ttlMs = command.ttlMs ?? grant.ttlMs;
      grant.deadlineMs = Math.max(grant.deadlineMs, nowMs + grant.ttlMs);
      grant.session = session ?? grant.session;
    }
    return shown(grant, nowMs);
  }

  #letGo(name: Name, grant: ModelGrant, reason: LockEnd, nowMs: number): Expected {
    grant.count--;
    if (grant.count > 0) return { state: "ended", count: grant.count };
    this.#end(name, grant, reason, nowMs);
    this.#handOver(name, nowMs);
    return { state: "ended", count: 0 };
  }

  #handOver(name: Name, nowMs: number): void {
    if (name.closedUntilMs > 0) return;
    for (const place of this.wanting(name, nowMs)) {
      if (!this.fits(name, place.command)) return;
      name.live.push(this.#grant(place.command, nowMs, place.session, place));
    }
  }

  #grant(
    command: Acquire,
    nowMs: number,
    session: string | undefined,
    place: ModelPlace | undefined,
  ): ModelGrant {
    const { name, owner, as: kind, ttlMs, take = 1, delayMs = 0, endsWithSession: tied = false } = command;
    const offered = place !== undefined;
    const deadlineMs = nowMs + (offered ? lockClaimMs : ttlMs);
    const rest = { count: 1, offered, place, ended: undefined };
    return { fence: 0, name, owner, kind, take, delayMs, ttlMs, deadlineMs, session, tied, ...rest };
  }

  #end(name: Name, grant: ModelGrant, reason: LockEnd, nowMs: number): void {
    name.live = name.live.filter((one) => one !== grant);
    grant.ended = reason;
    this.over.push(grant);
    if (!grant.offered) this.#step(name, grant, `ended ${reason}`);
    const byOwner = reason === "released" || reason === "cancelled";
    if (grant.offered || byOwner || grant.delayMs === 0) return;
    name.closedUntilMs = Math.max(name.closedUntilMs, nowMs + grant.delayMs);
  }

  #silence(place: ModelPlace, nowMs: number): void {
    place.liveUntilMs = Math.min(place.liveUntilMs, nowMs - clockStepMs);
    place.session = undefined;
  }

  #step(name: Name, grant: ModelGrant, what: string): void {
    if (grant.kind === "election") name.steps.push(`${what} ${grant.owner}`);
  }

  *#permits(name: Name): Generator<number | undefined> {
    for (const grant of name.live) yield grant.place?.command.permits ?? this.permitsOf.get(grant);
    for (const place of name.queue) yield place.command.permits;
  }

  /** Of grants that were never waited for. */
  readonly permitsOf = new Map<ModelGrant, number | undefined>();

  #find(
    name: Name,
    { owner, ticket }: { owner: string; ticket: string },
  ): { place?: ModelPlace | undefined; grant?: ModelGrant | undefined; refused?: Expected } {
    const place = name.queue.find((one) => one.ticket === ticket);
    const known = [...this.over, ...name.live].filter((one) => one.place?.ticket === ticket);
    // Only of this name: tickets of another are not known here.
    const grant = known.filter((one) => this.of(one.name) === name).at(-1);
    const of = place?.command.owner ?? grant?.owner;
    if (of !== undefined && of !== owner) return { refused: { code: "not_owner" } };
    return { place, grant };
  }

  #gone(ticket: string, nowMs: number): string {
    const endMs = this.endOf.get(ticket);
    return endMs !== undefined && endMs <= nowMs ? "lock_held" : "ticket_not_found";
  }

  /** Ends of all waits that there ever were. */
  readonly endOf = new Map<string, number>();

  #waiting(name: Name, place: ModelPlace): Expected {
    return { state: "waiting", position: name.queue.indexOf(place) + 1 };
  }
}

function shown(grant: ModelGrant, nowMs: number): Expected {
  const leftMs = grant.deadlineMs - nowMs;
  if (grant.offered) return { state: "offered", claimWithinMs: leftMs };
  return { state: "held", ttlMs: grant.ttlMs, remainingMs: leftMs, count: grant.count };
}

function lost(grant: ModelGrant): Expected {
  return { code: "lock_lost", reason: grant.ended };
}
