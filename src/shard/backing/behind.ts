import { defaultThroughTimeoutMs } from "../../runtime/backing-limits.ts";
import type { Behind, OpenBehind } from "../behind.ts";
import { clearStorage } from "./clearing.ts";
import { OutboxCount } from "./outbox-count.ts";
import { Sender } from "./sender.ts";
import { type StorageParts, storageParts } from "./storage-parts.ts";
import { StorageWaits } from "./storage-waits.ts";
import { Values } from "./values.ts";

export { brokenBacking } from "./broken-backing.ts";

/** What a shard of a space with a storage works with, beside what every shard has. */
export const openBehind: OpenBehind = (parts, space, backing) =>
  new StorageBehind(storageParts(parts, space, backing));

class StorageBehind implements Behind {
  readonly #parts: StorageParts;
  readonly #count: OutboxCount;
  readonly #waits: StorageWaits;
  readonly #sender: Sender;
  readonly #values: Values;
  readonly #unlisten: () => void;
  #isEnded = false;

  constructor(parts: StorageParts) {
    this.#parts = parts;
    const count = new OutboxCount(parts.table, parts.bounds);
    const waits = new StorageWaits(parts.table, parts.timers);
    this.#count = count;
    this.#waits = waits;
    this.#sender = new Sender(parts, count, waits, () => this.#values.confirmed());
    this.#values = new Values(parts);
    this.#unlisten = parts.published.listen({
      grown: () => this.#sender.wake(),
      ended: () => this.end(),
    });
    this.#sender.wake();
  }

  get due() {
    return this.#sender.due;
  }

  begin() {
    this.#sender.nudge();
    return this.#values.begin();
  }

  stored(prefix: string, cursor: string, limit: number): ReturnType<Behind["stored"]> {
    return this.#values.stored(prefix, cursor, limit);
  }

  full() {
    return this.#count.full(this.#head);
  }

  async mutated(reply: Parameters<Behind["mutated"]>[0]): ReturnType<Behind["mutated"]> {
    const isPending = await this.#through(
      reply.verdicts.map((verdict) => (verdict.outcome === "ok" ? verdict.revision : 0)),
    );
    if (isPending === undefined) return reply;
    const verdicts = reply.verdicts.map((verdict) =>
      verdict.outcome === "ok" && isPending(verdict.revision)
        ? { ...verdict, storage: "pending" as const }
        : verdict,
    );
    return { ...reply, verdicts };
  }

  async transacted(reply: Parameters<Behind["transacted"]>[0]): ReturnType<Behind["transacted"]> {
    const { verdict } = reply;
    if (verdict.outcome !== "ok") return reply;
    const isPending = await this.#through([verdict.revision]);
    if (!isPending?.(verdict.revision)) return reply;
    return { ...reply, verdict: { ...verdict, storage: "pending" } };
  }

  usage() {
    this.#sender.nudge();
    const { clock, table } = this.#parts;
    const { entries, bytes } = this.#count.totals(this.#head);
    const first = table.first();
    const { error } = this.#sender;
    const { lost } = this.#values;
    const { losses } = this.#sender.binding;
    return {
      entries,
      bytes,
      lagMs: first === undefined ? 0 : Math.max(0, Math.floor(clock.now() - first.atMs)),
      ...(lost > 0 && { lost }),
      ...(losses > 0 && { losses }),
      ...(error && { error: error.toData() }),
    };
  }

  idle(): Promise<void> {
    return this.#sender.idle();
  }

  async clear(): Promise<void> {
    await this.#sender.idle();
    await clearStorage(this.#parts);
  }

  end(): void {
    this.#isEnded = true;
    this.#unlisten();
    this.#sender.end();
    this.#waits.end();
    this.#values.end();
    this.#parts.backing.close();
  }

  /** Waits for the newest of these revisions; gives which of them are pending after it, undefined where none is. */
  async #through(revisions: readonly number[]): Promise<((revision: number) => boolean) | undefined> {
    const { write, throughTimeoutMs = defaultThroughTimeoutMs } = this.#parts.space.storage;
    if (write !== "through") return undefined;
    const pending = revisions.filter((revision) => revision > 0 && this.#waits.isPending(revision));
    if (pending.length === 0) return undefined;
    // Nothing to wait for: it takes someone to set it right.
    if (this.#sender.error?.retryable !== false) {
      await this.#waits.settled(Math.max(...pending), throughTimeoutMs);
    }
    return (revision) => this.#isEnded || this.#waits.isPending(revision);
  }

  get #head(): number {
    return this.#parts.residence.open()?.log.head ?? 0;
  }
}
