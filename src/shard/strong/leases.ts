import type { Clock } from "../../runtime/clock.ts";
import { clockRateMargin, maxLeaseHolders, maxNotedPatterns, nodeLeaseMs } from "../../runtime/limits.ts";
import type { Invalidation, LeaseGrants, MemberEvents, Members } from "../members.ts";
import { type Holders, maxPlaces } from "./holders.ts";
import type { Called, Round } from "./round.ts";
import type { Standing } from "./standing.ts";

/** What is known of a session that has, or had, a node lease. */
interface Session {
  /** End of its lease, the margin for clock rates included. */
  untilMs: number;
  /** Its place among the holders, as long as it may hold anything. */
  place: number | undefined;
  /** The invalidation that it must acknowledge before its lease is renewed, and what it has acknowledged. */
  owed: number;
  acknowledged: number;
  /** What it holds is known to be what {@link Holders} says once it has acknowledged this: `Infinity`: it was not told to drop all. */
  cleanAt: number;
}

/** A number below all that invalidations have. */
const none = -1;

/** What {@link Leases} work on. */
export interface LeasesParts {
  readonly holders: Holders;
  readonly standing: Standing;
  readonly elapsed: Clock;
  /** Commits a log entry that no answer has seen yet, and gives its revision; undefined: the shard belongs to no space. */
  readonly mark: () => Promise<number | undefined>;
}

/**
 * The node leases of a shard, and what its sessions hold under them.
 *
 * What a session holds is followed for as long as its socket is open, also while its lease is over: its node may have the lease renewed and serve again what it has
 * kept. A session that owes an acknowledgement gets no renewal, so that no write waits for it longer than one lease.
 */
export class Leases implements LeaseGrants, MemberEvents {
  readonly #parts: LeasesParts;
  readonly #members: Members;
  readonly #sessions = new Map<string, Session>();
  readonly #places: (string | undefined)[] = new Array<undefined>(Math.min(maxPlaces, maxLeaseHolders)).fill(
    undefined,
  );
  readonly #rounds = new Map<string, Set<Round>>();
  /** Patterns of what is held: no lease is granted unless a successor would know of them. */
  readonly #patterns = new Set<string>();
  /** Not 0: no leases and no permissions now. */
  closed = 0;

  constructor(parts: LeasesParts, members: Members) {
    this.#parts = parts;
    this.#members = members;
    members.listen(this);
  }

  async grant(session: string): Promise<number | undefined> {
    const { standing } = this.#parts;
    for (let tries = 0; tries < 4; tries++) {
      if (standing.holds(this.#patterns, "hold")) return await this.#grant(session);
      if (this.#members.get(session) === undefined) return undefined;
      await standing.establish(this.#patterns, "hold");
    }
    return undefined;
  }

  giveBack(session: string): void {
    const state = this.#sessions.get(session);
    if (state === undefined) return;
    state.untilMs = Number.NEGATIVE_INFINITY;
    this.#release(state);
    for (const round of this.#rounds.get(session) ?? []) round.gaveBack(session);
  }

  leaseUntilMs(session: string): number {
    return this.#sessions.get(session)?.untilMs ?? Number.NEGATIVE_INFINITY;
  }

  joined(session: string): void {
    this.#sessions.set(session, newSession(none));
  }

  acknowledged(session: string, n: number): void {
    const state = this.#state(session);
    state.acknowledged = Math.max(state.acknowledged, n);
    for (const round of this.#rounds.get(session) ?? []) round.acknowledged(session, n);
  }

  left(session: string): void {
    this.#forgetEnded();
    for (const round of this.#rounds.get(session) ?? []) round.left(session);
  }

  /** Notes that `session` may hold `key` from now on; false: it may not. */
  permit(session: string, key: string, pattern: string, tags: readonly string[] | undefined): boolean {
    const { holders } = this.#parts;
    const state = this.#sessions.get(session);
    if (state?.place === undefined || !this.#isLive(state) || this.closed > 0) return false;
    if (holders.isFull && !holders.has(key)) this.#releaseIdle();
    if (!holders.add(key, state.place, tags)) return false;
    this.#patterns.add(pattern);
    if (this.#patterns.size > maxNotedPatterns) {
      this.#patterns.clear();
      this.#patterns.add("*");
    }
    return true;
  }

  /**
   * Takes all permissions for `keys` back and tells those who had one, and with `everyone` every other member too. They are to be waited for in a
   * {@link Round}, which is to be {@link follow}ed in the same stretch.
   */
  call(invalidation: Invalidation, keys: Iterable<string>, everyone: boolean, writer?: string): Called[] {
    const held = new Set<string>();
    for (const key of keys) {
      for (const place of this.#parts.holders.take(key)) {
        const session = this.#places[place];
        if (session !== undefined) held.add(session);
      }
    }
    return this.#tell(invalidation, held, everyone, writer);
  }

  /** Takes all permissions back, those included that a write has taken whose holders have not acknowledged yet. As for {@link call}. */
  callAll(invalidation: Invalidation): Called[] {
    const { holders } = this.#parts;
    for (const key of [...holders.keys()]) holders.take(key);
    const held = this.#places.filter((session) => session !== undefined);
    return this.#tell(invalidation, new Set(held), false, undefined);
  }

  /** Whether any session may hold anything. */
  get isAnyHolder(): boolean {
    return this.#places.some((session) => session !== undefined);
  }

  #tell(
    invalidation: Invalidation,
    held: ReadonlySet<string>,
    everyone: boolean,
    writer: string | undefined,
  ): Called[] {
    const sessions = new Set(held);
    if (everyone) for (const { session } of this.#members.all()) sessions.add(session);
    return [...sessions].map((session) => {
      const member = this.#members.get(session);
      const n = member === undefined ? undefined : this.#members.send(session, invalidation);
      const state = this.#state(session);
      if (n !== undefined && held.has(session)) state.owed = n;
      const untilMs = held.has(session) ? state.untilMs : Number.NEGATIVE_INFINITY;
      const isVoter = member !== undefined && n !== undefined && member.node !== writer;
      return { session, n, untilMs, voter: isVoter ? member : undefined };
    });
  }

  /** Tells `round` what those do whom it waits for, until it has settled. */
  async follow(round: Round, called: readonly Called[]): Promise<void> {
    for (const { session } of called) {
      const rounds = this.#rounds.get(session);
      if (rounds === undefined) this.#rounds.set(session, new Set([round]));
      else rounds.add(round);
      // It may have acknowledged within the very sending.
      round.acknowledged(session, this.#state(session).acknowledged);
    }
    await round.settled;
    for (const { session } of called) {
      const rounds = this.#rounds.get(session);
      rounds?.delete(round);
      if (rounds?.size === 0) this.#rounds.delete(session);
    }
  }

  /** Whether no lease is running. */
  get isQuiet(): boolean {
    for (const state of this.#sessions.values()) if (this.#isLive(state)) return false;
    return true;
  }

  /** The patterns of what is held need not be known any more where nothing is. */
  forgetPatterns(): void {
    if (this.#parts.holders.isEmpty) this.#patterns.clear();
  }

  async #grant(session: string): Promise<number | undefined> {
    if (this.#members.get(session) === undefined || this.closed > 0) return undefined;
    const state = this.#state(session);
    if (state.owed > state.acknowledged) return undefined;
    if (state.cleanAt === Number.POSITIVE_INFINITY) return await this.#dropAll(session, state);
    if (state.cleanAt > state.acknowledged) return undefined;
    state.place ??= this.#takePlace(session);
    if (state.place === undefined) return undefined;
    state.untilMs = this.#parts.elapsed.now() + nodeLeaseMs * (1 + clockRateMargin);
    return nodeLeaseMs;
  }

  /** Nobody knows what this session has kept: it is to drop all before it gets a lease. */
  async #dropAll(session: string, state: Session): Promise<undefined> {
    const revision = await this.#parts.mark();
    if (revision === undefined || state.cleanAt !== Number.POSITIVE_INFINITY) return undefined;
    const n = this.#members.send(session, { revision, keys: [], prefixes: [""], tags: [] });
    if (n !== undefined) state.cleanAt = n;
    return undefined;
  }

  /** A session that is not known was there before this instance. */
  #state(session: string): Session {
    const known = this.#sessions.get(session);
    if (known !== undefined) return known;
    const state = newSession(Number.POSITIVE_INFINITY);
    this.#sessions.set(session, state);
    return state;
  }

  #takePlace(session: string): number | undefined {
    this.#forgetEnded();
    if (!this.#places.includes(undefined)) this.#releaseIdle();
    const place = this.#places.indexOf(undefined);
    if (place < 0) return undefined;
    this.#places[place] = session;
    return place;
  }

  /** Forgets sessions that can't serve anything any more: no socket and no lease. */
  #forgetEnded(): void {
    for (const [session, state] of this.#sessions) {
      if (this.#isLive(state) || this.#members.get(session) !== undefined) continue;
      this.#release(state);
      this.#sessions.delete(session);
    }
  }

  /** Makes room: sessions without a lease lose what they hold, and must drop it before they get one again. */
  #releaseIdle(): void {
    for (const state of this.#sessions.values()) if (!this.#isLive(state)) this.#release(state);
  }

  #release(state: Session): void {
    if (state.place === undefined) return;
    this.#parts.holders.free(state.place);
    this.#places[state.place] = undefined;
    state.place = undefined;
    state.cleanAt = Number.POSITIVE_INFINITY;
  }

  #isLive({ untilMs }: Session): boolean {
    return this.#parts.elapsed.now() < untilMs;
  }
}

function newSession(cleanAt: number): Session {
  return {
    untilMs: Number.NEGATIVE_INFINITY,
    place: undefined,
    owed: none,
    acknowledged: none,
    cleanAt,
  };
}
