import type { Fallback, PlacedProposal, StreamPlace } from "../../fallback/fallback.ts";
import { comparePlaces, laterPlace } from "../../fallback/place.ts";
import { type BreakerState, CircuitBreaker, type Trial } from "../../runtime/circuit-breaker.ts";
import type { Clock } from "../../runtime/clock.ts";
import {
  awayFailures,
  awayMs,
  maxOverlayKeys,
  maxStreamPages,
  maxStreamPollMs,
  minStreamPollMs,
  streamPatienceMs,
} from "../../runtime/failover-limits.ts";
import { maxProposals } from "../../runtime/fallback-limits.ts";
import type { FailoverOptions } from "./failover-options.ts";
import { type Change, Overlay, type OverlayRoom } from "./overlay.ts";

/** What tells of a change in the stream how it is to be taken. */
export interface StreamReading {
  /** The life of the space whose proposals count. */
  readonly spaceId: string;
  /** Whether the shard will merge it into the value that it has then. */
  isOperand(change: Change): boolean;
}

/** A look into the stream that is under way. */
interface Look {
  readonly promise: Promise<void>;
  readonly begunAtMs: number;
}

/** One shard as a node sees it from outside: whether it can be reached, and what waits for it in its stream. */
export class AwayShard {
  readonly overlay: Overlay;
  readonly #index: number;
  readonly #options: FailoverOptions;
  readonly #elapsed: Clock;
  readonly #breaker: CircuitBreaker;
  /** Op ids that wait, by place: bounded like the overlay. */
  readonly #opIds = new Map<string, StreamPlace>();
  #seen: StreamPlace | undefined;
  #drain: StreamPlace | undefined;
  #drained: StreamPlace | undefined;
  #drainedAtMs = Number.NEGATIVE_INFINITY;
  #look: Look | undefined;
  #nextLookMs = Number.NEGATIVE_INFINITY;
  #intervalMs = minStreamPollMs;

  constructor(index: number, options: FailoverOptions, room: OverlayRoom) {
    const { clock, elapsed = clock, threshold = awayFailures, openMs = awayMs } = options;
    this.#index = index;
    this.#options = options;
    this.#elapsed = elapsed;
    this.#breaker = new CircuitBreaker({ clock: elapsed, threshold, openMs });
    this.overlay = new Overlay(clock, room);
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  /** Whether what the shard says, if it says anything, may lack what waits in its stream. */
  get isTaken(): boolean {
    return this.state !== "closed" || this.#drain !== undefined;
  }

  /** See `Detour.barrierAtMs`: as long as something waits, no time is late enough. */
  get barrierAtMs(): number {
    return this.#drain === undefined ? this.#drainedAtMs : Number.POSITIVE_INFINITY;
  }

  /** Up to where the shard must have applied its stream before what it says counts. */
  get drain(): StreamPlace | undefined {
    return this.#drain;
  }

  /** Lets a call in. Throws `unavailable` where none is. */
  enter(): Trial {
    return this.#breaker.enter();
  }

  /** An answer does not come, or the shard could not even be asked. */
  failed(): void {
    if (this.state !== "closed") return;
    this.#breaker.enter().failed();
  }

  /** Whether an operation waits, as far as is known. */
  awaits(opId: string): boolean {
    return this.#opIds.has(opId);
  }

  /** A change waits at `place`: it was proposed here, or found there. */
  take(place: StreamPlace, change: Change, reading: StreamReading, atMs: number): void {
    this.#drain = laterPlace(this.#drain, place);
    this.#opIds.set(change.opId, place);
    if (this.#opIds.size > maxOverlayKeys)
      for (const oldest of this.#opIds.keys()) {
        this.#opIds.delete(oldest);
        break;
      }
    this.overlay.take(place, change, reading.isOperand(change), atMs);
  }

  /** The shard has applied all up to `place`, and said something after that. */
  drained(place: StreamPlace): void {
    this.#drained = laterPlace(this.#drained, place);
    this.#drainedAtMs = this.#options.clock.now();
    this.overlay.drained(place);
    for (const [opId, at] of this.#opIds) if (comparePlaces(at, place) <= 0) this.#opIds.delete(opId);
    if (this.#drain !== undefined && comparePlaces(this.#drain, place) <= 0) this.#drain = undefined;
  }

  /** Nothing that waits is meant for the space any more. */
  forget(): void {
    this.overlay.clear();
    this.#opIds.clear();
    this.#drain = undefined;
    this.#drained = undefined;
    this.#seen = undefined;
  }

  /**
   * Looks into the stream, unless it has done so a moment ago: one look for all who read, waited for a little at most. A look that fails is tried again by the next reader: what is known
   * is given meanwhile.
   */
  async follow(fallback: Fallback, reading: StreamReading): Promise<void> {
    if (this.#elapsed.now() < this.#nextLookMs) return;
    await this.#wait(this.look(fallback, reading)).catch(() => undefined);
  }

  /** Looks into the stream now. Throws what the stream throws. `mayJoin`: a look that has just begun will do, though it may never land, since the request that began it may have ended. */
  look(fallback: Fallback, reading: StreamReading, mayJoin = true): Promise<void> {
    const nowMs = this.#elapsed.now();
    if (mayJoin && this.#look !== undefined && nowMs - this.#look.begunAtMs < streamPatienceMs)
      return this.#look.promise;
    const promise = this.#read(fallback, reading);
    const look = { promise, begunAtMs: nowMs };
    this.#look = look;
    const ended = (): void => {
      if (this.#look === look) this.#look = undefined;
    };
    this.#options.background.run(promise.then(ended, ended));
    return promise;
  }

  async #read(fallback: Fallback, reading: StreamReading): Promise<void> {
    let isNews = false;
    try {
      for (let pages = 0; pages < maxStreamPages; pages++) {
        const after = this.#seen;
        const page = await fallback.read(this.#index, after, maxProposals, { timeoutMs: maxStreamPollMs });
        // Its places begin anew: what was read stays true of the shard, or is read again.
        if (page.lost === true && this.#seen === after) this.#seen = undefined;
        const { proposals } = page;
        // What the shard has applied may have been changed there since.
        const done = laterPlace(page.applied, this.#drained);
        const isDone = ({ place }: PlacedProposal) => done !== undefined && comparePlaces(place, done) <= 0;
        for (const proposal of proposals) if (!isDone(proposal)) this.#found(proposal, reading);
        const last = proposals.at(-1)?.place;
        if (last === undefined) break;
        isNews = true;
        this.#seen = page.lost === true ? last : laterPlace(this.#seen, last);
        if (page.head !== undefined && comparePlaces(page.head, last) <= 0) break;
      }
    } finally {
      this.#intervalMs = isNews ? minStreamPollMs : Math.min(this.#intervalMs * 2, maxStreamPollMs);
      this.#nextLookMs = this.#elapsed.now() + this.#intervalMs;
    }
  }

  #found({ place, mutation, spaceId, atMs }: PlacedProposal, reading: StreamReading): void {
    if (spaceId !== reading.spaceId) return;
    const { kind } = mutation;
    if (kind === "set" || kind === "merge" || kind === "delete") this.take(place, mutation, reading, atMs);
  }

  #wait(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#options.timers.after(streamPatienceMs, resolve, { awaited: true });
      work.finally(cancel).then(resolve, reject);
    });
  }
}
