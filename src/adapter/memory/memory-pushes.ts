import type { PushedChanges, Pushes, PushListener } from "../adapter.ts";
import type { MemoryFeed } from "./memory-feed.ts";

/**
 * Pushes within a process. Listeners hear of a change in the turn of its commit, before the writer has its answer and before anybody can
 * read: so a copy of a strong key is gone by then, and permission to hold one never runs out. It ends where a listener fails, or where the
 * log was too short to tell all.
 */
export class MemoryPushes implements Pushes {
  readonly #feed: MemoryFeed;
  readonly #listeners = new Map<PushListener, () => void>();
  #tenure = 1;

  constructor(feed: MemoryFeed) {
    this.#feed = feed;
  }

  /** Under which answers may be held now. */
  get tenure(): number {
    return this.#tenure;
  }

  listen(listener: PushListener): () => void {
    const deaf = this.#feed.listen((pushed, isWhole) => this.#tell(listener, pushed, isWhole));
    this.#listeners.set(listener, deaf);
    return () => {
      this.#listeners.delete(listener);
      deaf();
    };
  }

  servesUntilMs(_shard: number, tenure: number): number {
    return tenure === this.#tenure ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }

  close(): void {
    this.#tenure++;
    for (const deaf of this.#listeners.values()) deaf();
    this.#listeners.clear();
  }

  #tell(listener: PushListener, pushed: PushedChanges, isWhole: boolean): void {
    const { shard, epoch, to } = pushed;
    try {
      if (isWhole) {
        listener.changes(pushed);
        return;
      }
      this.#tenure++;
      listener.gap({ shard, epoch, revision: to });
    } catch {
      // The listener told of it. What it could not drop must not be served.
      this.#tenure++;
      listener.lost(shard);
    }
  }
}
