import type { PushedChanges, PushedInvalidation, PushListener } from "../adapter/adapter.ts";
import type { Position } from "../protocol/position.ts";
import type { Change } from "../protocol/shard-api.ts";
import { type Follower, newer } from "./follower.ts";
import type { Parts } from "./parts.ts";

/**
 * What a node does with pushes. They raise floors, drop copies and move the followed position, so that L1 is fresh early; they prove nothing
 * about time, since what is missing makes no sound: freshness is proven by exchanges alone (rule SB3). What a listener's caller is thrown was told
 * as an error of the node already.
 *
 * A push has no question whose sending would date it. So one of another life of its shard than the followed one says only that something is
 * wrong: all of the shard goes, and an exchange tells which life is the newer one.
 */
export class PushIntake implements PushListener {
  readonly #parts: Parts;
  readonly #follower: Follower;

  constructor(parts: Parts, follower: Follower) {
    this.#parts = parts;
    this.#follower = follower;
  }

  changes({ shard, epoch, after, to, changes }: PushedChanges): void {
    if (this.#parts.lifetime.closed) return;
    const view = this.#follower.meet({ shard, epoch, revision: after });
    if (view === undefined) {
      this.#background(this.#unknown(shard, changes));
      return;
    }
    // What is applied already is so by whatever way it came (rule SB1). Beyond a hole it is known apart, until an exchange fills that.
    const outdating = this.#try(() => this.#follower.outdate(shard, newer(changes, view.revision)));
    if (outdating === undefined) view.appliedThrough(after, to);
    else this.#background(outdating.then(() => view.appliedThrough(after, to)));
  }

  /**
   * A strong write waits for this: when it is over, no copy of these can be served, and no answer from before can become one. Where the
   * cache drops at once, all is done when it returns.
   */
  invalidate({ shard, epoch, revision, keys, prefixes, tags }: PushedInvalidation): void | Promise<void> {
    if (this.#parts.lifetime.closed) return;
    const view = this.#follower.meet({ shard, epoch, revision });
    const work = this.#try(() =>
      view === undefined
        ? this.#unknown(shard, [])
        : this.#follower.outdate(shard, [
            ...keys.map((key): Change => ({ revision, kind: "intent", key })),
            ...prefixes.map((key): Change => ({ revision, kind: "invalidatePrefix", key })),
            ...tags.map((key): Change => ({ revision, kind: "invalidateTag", key })),
          ]),
    );
    return work?.then(() => undefined);
  }

  /** Pushes were left out. The log still knows, or says that it does not: until it was asked, what L1 holds is not proven. */
  gap({ shard, epoch, revision }: Position): void {
    if (this.#parts.lifetime.closed) return;
    const view = this.#follower.meet({ shard, epoch, revision });
    if (view === undefined) this.#background(this.#unknown(shard, []));
    else if (view.revision < revision) this.#follower.doubt(shard);
  }

  /** Nothing was proven by the connection, so nothing is lost with it; that its tenure ended is asked for at each serving of a strong key. */
  lost(_shard: number): void {}

  #unknown(shard: number, changes: readonly Change[]): Promise<unknown> | undefined {
    const registrations = changes.filter(({ kind }) => kind === "register");
    const forgotten = this.#follower.forget(shard);
    if (registrations.length > 0) this.#follower.outdate(shard, registrations);
    this.#follower.doubt(shard);
    return forgotten;
  }

  #background(work: Promise<unknown> | undefined): void {
    if (work === undefined) return;
    this.#parts.background.run(work.catch((error: unknown) => this.#trouble(error)));
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#trouble(error);
      throw error;
    }
  }

  #trouble(error: unknown): void {
    const { counters, emitter } = this.#parts;
    counters.errors++;
    emitter.emit("error", { error });
  }
}
