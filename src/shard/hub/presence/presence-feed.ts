import type { Clock, Timers } from "../../../runtime/clock.ts";
import { maxNamedMembers, presenceCountMs } from "../../../runtime/limits.ts";
import { Pacer } from "../pacer.ts";
import type { Session } from "../session.ts";
import { SharedFrame } from "../session-codec.ts";
import type { PresenceBoard } from "./presence-board.ts";

/** What a {@link PresenceFeed} is made of. */
export interface PresenceFeedOptions {
  readonly board: PresenceBoard;
  /** Told that a session has not taken in enough to get more. */
  readonly slow: (session: Session) => void;
  readonly clock: Clock;
  readonly elapsed: Clock;
  readonly timers: Timers;
  /** Takes what failed where nobody waits. */
  readonly report: (error: unknown) => void;
}

/** A subscription that wants to know who is there. */
interface Hearer {
  readonly target: string;
  readonly session: Session;
  readonly id: number;
}

/** A target that somebody wants to know of. */
interface Heard {
  readonly hearers: Map<string, Hearer>;
  /** What has changed since the last time. */
  readonly changes: Map<string, unknown>;
  /** There are too many to be named. */
  isCounted: boolean;
  countedAtMs: number;
}

/**
 * Tells who is there: all of them first, then what changes, the newest of each member, gathered for 16 ms. Where there are more than 256 only their number, once a second. Who takes
 * in too little is left out, and is told all anew when there is room: nothing waits for anybody.
 */
export class PresenceFeed {
  readonly #options: PresenceFeedOptions;
  readonly #pacer: Pacer;
  readonly #heard = new Map<string, Heard>();
  /** Targets at which something has changed. */
  readonly #changed = new Set<string>();
  /** Those that were left out, by session: they are told all when there is room. */
  readonly #behind = new Map<Session, Set<Hearer>>();
  #isCounting = false;

  constructor(options: PresenceFeedOptions) {
    const { board, elapsed, timers, report } = options;
    this.#options = options;
    this.#pacer = new Pacer({ push: () => this.#push(), elapsed, timers, report });
    board.listen(({ target, member, data }) => {
      const heard = this.#heard.get(target);
      if (heard === undefined) return;
      heard.changes.set(member, data);
      this.#changed.add(target);
      this.#pacer.grown();
    });
  }

  /** Somebody wants to know. `isNew`: and knows nothing yet; else what an instance before has told it. */
  add(target: string, session: Session, id: number, isNew: boolean): void {
    const known = this.#heard.get(target);
    const heard = known ?? {
      hearers: new Map(),
      changes: new Map(),
      isCounted: this.#options.board.count(target) > maxNamedMembers,
      countedAtMs: Number.NEGATIVE_INFINITY,
    };
    if (known === undefined) this.#heard.set(target, heard);
    const hearer = { target, session, id };
    heard.hearers.set(nameOf(session, id), hearer);
    if (isNew) this.#send(hearer, this.#all(target, heard));
    else if (session.isOutdated) this.#leaveOut(hearer);
  }

  remove(target: string, session: Session, id: number): void {
    const heard = this.#heard.get(target);
    if (heard === undefined) return;
    const name = nameOf(session, id);
    const hearer = heard.hearers.get(name);
    heard.hearers.delete(name);
    if (heard.hearers.size === 0) this.#heard.delete(target);
    const behind = this.#behind.get(session);
    if (hearer !== undefined && behind?.delete(hearer) && behind.size === 0) this.#behind.delete(session);
  }

  /** A session has room again. */
  resume(session: Session): void {
    const behind = this.#behind.get(session);
    if (behind === undefined) return;
    this.#behind.delete(session);
    session.keep({ isOutdated: false }, this.#options.clock.now());
    for (const hearer of behind) {
      const heard = this.#heard.get(hearer.target);
      if (heard !== undefined) this.#send(hearer, this.#all(hearer.target, heard));
    }
  }

  #push(): boolean {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const target of changed) {
      const heard = this.#heard.get(target);
      if (heard !== undefined) this.#tell(target, heard);
    }
    return changed.length > 0;
  }

  #tell(target: string, heard: Heard): void {
    const { board, elapsed } = this.#options;
    const count = board.count(target);
    const wasCounted = heard.isCounted;
    // Not to and fro between the two at each that comes and goes.
    heard.isCounted = count > (wasCounted ? maxNamedMembers * 0.75 : maxNamedMembers);
    if (heard.isCounted && wasCounted) {
      const leftMs = heard.countedAtMs + presenceCountMs - elapsed.now();
      if (leftMs > 0) {
        this.#changed.add(target);
        this.#countLater(leftMs);
        return;
      }
    }
    const frames =
      heard.isCounted || wasCounted ? this.#all(target, heard) : new Frames({ es: [...heard.changes] });
    heard.changes.clear();
    if (heard.isCounted) heard.countedAtMs = elapsed.now();
    for (const hearer of heard.hearers.values()) this.#send(hearer, frames);
  }

  #all(target: string, { isCounted }: Heard): Frames {
    const { board } = this.#options;
    return new Frames(
      isCounted
        ? { all: true, es: [], n: board.count(target) }
        : { all: true, es: [...board.members(target)] },
    );
  }

  #send(hearer: Hearer, frames: Frames): void {
    const { session, id } = hearer;
    if (!session.isOpen) return;
    if (session.isSlow && session.slowSinceMs === undefined) this.#options.slow(session);
    if (session.slowSinceMs === undefined) {
      session.push(frames.of(id));
      return;
    }
    this.#leaveOut(hearer);
  }

  #leaveOut(hearer: Hearer): void {
    const { session } = hearer;
    const behind = this.#behind.get(session) ?? new Set<Hearer>();
    behind.add(hearer);
    if (behind.size > 1) return;
    this.#behind.set(session, behind);
    const { clock, timers } = this.#options;
    // Those who are left out by this instance are told when they take in what they have; those of one before by nothing but this.
    if (session.isOutdated) timers.after(0, () => this.resume(session));
    else session.keep({ isOutdated: true }, clock.now());
  }

  #countLater(waitMs: number): void {
    if (this.#isCounting) return;
    this.#isCounting = true;
    this.#options.timers.after(waitMs, () => {
      this.#isCounting = false;
      this.#pacer.grown();
    });
  }
}

/** One frame for many subscriptions, most of which have the same number. */
class Frames {
  readonly #rest: string;
  readonly #known = new Map<number, SharedFrame>();

  constructor(content: object) {
    this.#rest = JSON.stringify(content).slice(1);
  }

  of(id: number): SharedFrame {
    const known = this.#known.get(id) ?? new SharedFrame(`{"t":"pres","id":${id},${this.#rest}`);
    this.#known.set(id, known);
    return known;
  }
}

function nameOf(session: Session, id: number): string {
  return `${session.id} ${id}`;
}
