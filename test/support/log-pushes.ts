import type { SpaceClient } from "../../src/connection/space-client.ts";
import type { Pushes, PushListener } from "../../src/protocol/pushes.ts";
import type { Change } from "../../src/protocol/shard-api.ts";

/** Pushes of real shards' logs, without a wire: a test says when what is new leaves, what is lost and what comes twice. */
export class LogPushes implements Pushes {
  readonly #client: SpaceClient;
  readonly #listeners = new Set<PushListener>();
  readonly #heads = new Map<number, { readonly epoch: string; readonly revision: number }>();
  /** Pushes are lost until the next {@link pump} that follows a `false`. */
  isCut = false;
  #last: (() => void) | undefined;

  constructor(client: SpaceClient) {
    this.#client = client;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  listen(listener: PushListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  servesUntilMs(): number {
    return Number.NEGATIVE_INFINITY;
  }

  /** What a listener is told of a shard, unasked. */
  tell(work: (listener: PushListener) => void): void {
    for (const listener of [...this.#listeners]) work(listener);
  }

  /** Pushes what every shard's log has that was not pushed yet. */
  async pump(): Promise<void> {
    await this.#client.space();
    for (let shard = 0; shard < this.#client.shards; shard++) {
      const before = this.#heads.get(shard) ?? { epoch: "0".repeat(16), revision: 0 };
      const { to: head, changes, gap } = await this.#client.changes({ shard, ...before });
      const { epoch, revision: to } = head;
      this.#heads.set(shard, { epoch, revision: to });
      if (this.isCut || to === before.revision) continue;
      this.push(shard, epoch, gap === undefined ? before.revision : to, to, changes);
    }
  }

  push(shard: number, epoch: string, after: number, to: number, changes: readonly Change[]): void {
    this.#last = () => this.tell((listener) => listener.changes({ shard, epoch, after, to, changes }));
    this.#last();
  }

  /** The last push comes once more. */
  again(): void {
    this.#last?.();
  }
}
