import type { PushedChanges, PushedInvalidation, Pushes, PushListener } from "../../src/adapter/adapter.ts";
import type { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";

/** The unasked part of a storage in the hands of a test. */
export class ScriptedPushes implements Pushes {
  readonly listeners = new Set<PushListener>();
  /** Until when the present tenure serves. */
  untilMs = Number.NEGATIVE_INFINITY;
  /** The present session. */
  tenure = 1;
  readonly #storage: MemoryStorage;

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  servesUntilMs(_shard: number, tenure: number): number {
    return tenure === this.tenure ? this.untilMs : Number.NEGATIVE_INFINITY;
  }

  /** Pushes the log of the storage after `after`, up to `to` or its head. */
  push(after: number, to = this.#storage.position.revision, of: Partial<PushedChanges> = {}): void {
    const { epoch } = this.#storage.position;
    const { changes } = this.#storage.changes({ ...this.#storage.position, revision: after }, to - after);
    for (const listener of this.listeners) listener.changes({ shard: 0, epoch, after, to, changes, ...of });
  }

  /** Tells of an intent; gives what the listeners want waited for. */
  invalidate(of: Partial<PushedInvalidation>): (void | Promise<void>)[] {
    const { epoch, revision } = this.#storage.position;
    const none = { keys: [], prefixes: [], tags: [] };
    return [...this.listeners].map((listener) =>
      listener.invalidate({ shard: 0, epoch, revision, ...none, ...of }),
    );
  }

  gap(revision = this.#storage.position.revision, epoch = this.#storage.position.epoch): void {
    for (const listener of this.listeners) listener.gap({ shard: 0, epoch, revision });
  }

  /** The session ends, and another begins. */
  renew(): void {
    this.tenure++;
    for (const listener of this.listeners) listener.lost(0);
  }
}
