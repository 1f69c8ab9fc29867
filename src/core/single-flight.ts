import type { Background } from "../runtime/background.ts";
import type { Clock } from "../runtime/clock.ts";
import type { HeldErrors } from "./held-errors.ts";
import type { Moment } from "./moment.ts";

interface Flight<T> {
  readonly promise: Promise<T>;
  readonly begunAtMs: number;
}

/** What a {@link SingleFlight} is made of. */
export interface SingleFlightOptions<K> {
  readonly clock: Clock;
  readonly background: Background;
  /** From this age on, in ms, a flight counts as lost: nobody joins it any more. */
  readonly lostAfterMs: number;
  readonly errors: HeldErrors<K>;
  /** Which errors are held; default none. */
  readonly holds?: (error: unknown) => boolean;
}

/**
 * One load per key at a time (rule CO2); its result or error belongs to all who wait. Every flight is held by the background,
 * since the request that began it may end before the others have their answer.
 */
export class SingleFlight<T, K = string> {
  readonly #options: SingleFlightOptions<K>;
  readonly #running = new Map<K, Flight<T>>();
  readonly #next = new Map<K, Promise<T>>();

  constructor(options: SingleFlightOptions<K>) {
    this.#options = options;
  }

  /**
   * The flight to wait for, or undefined where the caller is to begin one. A running flight may be joined if it was begun at
   * `notBeforeMs` or later; else the caller waits for the one next flight, which `start` begins when the running one has ended.
   * Throws the held error of a key that keeps failing.
   */
  join(key: K, notBeforeMs: number, start: () => Promise<T>): Promise<T> | undefined {
    this.#options.errors.check(key, this.#options.clock.now());
    const running = this.#flying(key);
    if (running === undefined) return undefined;
    if (running.begunAtMs >= notBeforeMs) return running.promise;
    let next = this.#next.get(key);
    if (next === undefined) {
      const follow = async (): Promise<T> => {
        await running.promise.catch(() => undefined);
        if (this.#next.get(key) === next) this.#next.delete(key);
        // Whoever came first after the landing has begun a flight that is late enough for all who wait here.
        const other = this.#running.get(key);
        return other === undefined || other === running ? start() : other.promise;
      };
      next = follow();
      this.#next.set(key, next);
      this.#options.background.run(next.catch(() => undefined));
    }
    return next;
  }

  /** The running flight, if it was begun at `notBeforeMs` or later. */
  joinRunning(key: K, notBeforeMs: number): Promise<T> | undefined {
    const running = this.#flying(key);
    return running !== undefined && running.begunAtMs >= notBeforeMs ? running.promise : undefined;
  }

  /** Flights that are kept: those under way, and few that are lost. */
  get size(): number {
    return this.#running.size;
  }

  #flying(key: K): Flight<T> | undefined {
    const running = this.#running.get(key);
    return running !== undefined && this.#isLost(running) ? undefined : running;
  }

  #isLost({ begunAtMs }: Flight<T>): boolean {
    return this.#options.clock.now() - begunAtMs >= this.#options.lostAfterMs;
  }

  /** A flight whose request died with its host never lands: without this it would be kept for ever. */
  #forgetLost(): void {
    for (const [key, flight] of this.#running) {
      // In order of their beginning.
      if (!this.#isLost(flight)) return;
      this.#running.delete(key);
    }
  }

  /** Makes `promise`, begun at `begun`, the running flight of `key`. */
  begin(key: K, begun: Moment, promise: Promise<T>): Promise<T> {
    const flight: Flight<T> = { promise, begunAtMs: begun.atMs };
    this.#forgetLost();
    this.#running.delete(key);
    this.#running.set(key, flight);
    this.#next.delete(key);
    const { background, errors, clock, holds } = this.#options;
    const land = (): void => {
      if (this.#running.get(key) === flight) this.#running.delete(key);
    };
    background.run(
      promise.then(
        () => {
          land();
          errors.release(key);
        },
        (error: unknown) => {
          land();
          if (holds?.(error) === true) errors.hold(key, error, clock.now());
        },
      ),
    );
    return promise;
  }

  /** Later readers no longer join the running flight of `key`; those who wait for it keep it. */
  detach(key: K): void {
    this.#running.delete(key);
    this.#next.delete(key);
    this.#options.errors.release(key);
  }

  /** {@link detach} for all keys that pass. */
  detachWhere(test: (key: K) => boolean): void {
    for (const key of [...this.#running.keys()]) if (test(key)) this.detach(key);
  }
}
