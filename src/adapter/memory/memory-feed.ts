import type { Position } from "../../protocol/position.ts";
import type { PushedChanges } from "../adapter.ts";
import type { MemoryLog } from "./memory-log.ts";

/** What the log has gained. `isWhole` is false where it was more at once than the log keeps. */
type FeedListener = (pushed: PushedChanges, isWhole: boolean) => void;

/** Tells in the very turn of a commit what the log has gained. */
export class MemoryFeed {
  readonly #log: MemoryLog;
  readonly #position: () => Position;
  readonly #listeners = new Set<FeedListener>();
  #told = 0;

  constructor(log: MemoryLog, position: () => Position) {
    this.#log = log;
    this.#position = position;
  }

  /** Listens from now on; the answer ends it. A listener must not throw. */
  listen(listener: FeedListener): () => void {
    const entry: FeedListener = (pushed, isWhole) => listener(pushed, isWhole);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** Called when a stretch is over: whoever hears of a change, and looks, finds the state that it led to. */
  tell(): void {
    const told = this.#told;
    const { shard, epoch, revision: to } = this.#position();
    if (to === told) return;
    this.#told = to;
    if (this.#listeners.size === 0) return;
    const after = Math.max(told, this.#log.floor);
    const pushed = { shard, epoch, after, to, changes: this.#log.since(after, Number.POSITIVE_INFINITY) };
    for (const listener of [...this.#listeners]) listener(pushed, after === told);
  }
}
