import { isWarpError, WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import type { Payload } from "../../protocol/payload.ts";
import {
  defaultQueueBytes,
  defaultQueueOperations,
  queueBatchBytes,
  queueBatchOperations,
} from "../../runtime/limits.ts";
import type { LiveCalls } from "./calls.ts";
import type { LiveLinks } from "./links.ts";
import { Listeners } from "./listeners.ts";
import type { ClientOptions, ClientQueue, Queued, Settled } from "./types.ts";
import type { Draft, Ended, LiveWrites } from "./writes.ts";

interface Waiting {
  readonly queued: string;
  readonly draft: Draft;
  readonly bytes: number;
}

/**
 * Changes that wait for a connection. They are sent in their order; one whose answer was lost is sent again under its op id, so that it has its effect once. A change is
 * dropped only with a word about it.
 */
export class LiveQueue implements ClientQueue {
  readonly #links: LiveLinks;
  readonly #calls: LiveCalls;
  readonly #writes: LiveWrites;
  readonly #maxOperations: number;
  readonly #maxBytes: number;
  readonly #settled = new Listeners<Settled>();
  #waiting: Waiting[] = [];
  #bytes = 0;
  #flushing: Promise<void> | undefined;
  #isDraining = false;
  #isClosed = false;

  constructor(links: LiveLinks, calls: LiveCalls, writes: LiveWrites, bounds: ClientOptions["queue"]) {
    this.#links = links;
    this.#calls = calls;
    this.#writes = writes;
    this.#maxOperations = bounds?.maxOperations ?? defaultQueueOperations;
    this.#maxBytes = bounds?.maxBytes ?? defaultQueueBytes;
  }

  get size(): number {
    return this.#waiting.length;
  }

  settled(listener: (settled: Settled) => void): () => void {
    return this.#settled.listen(listener);
  }

  /** Throws `overloaded` where there is no room, `unavailable` where nothing is queued at all. */
  add(draft: Draft): Queued {
    const bytes = bytesOf(draft);
    if (this.#waiting.length >= this.#maxOperations || this.#bytes + bytes > this.#maxBytes) {
      throw new WarpError(
        this.#maxOperations > 0 ? "overloaded" : "unavailable",
        "the deployment can't be reached, and the queue has no room",
        { details: { maxOperations: this.#maxOperations, maxBytes: this.#maxBytes } },
      );
    }
    const queued = draft.opId;
    this.#waiting.push({ queued, draft, bytes });
    this.#bytes += bytes;
    void this.#drain();
    return { queued };
  }

  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  clear(): number {
    const dropped = this.#waiting.filter(({ draft }) => draft.sends === 0);
    for (const waiting of dropped) {
      // Nobody's: what is under way without having been sent stops there.
      waiting.draft.subject = "";
      this.#settle(waiting, { error: new WarpError("aborted", "it was dropped before it was sent") });
    }
    return dropped.length;
  }

  close(): void {
    this.#isClosed = true;
    for (const waiting of [...this.#waiting]) {
      const outcome = waiting.draft.sends > 0 ? "unknown" : "fail";
      this.#settle(waiting, { error: new WarpError("warp_closed", "the client was closed", { outcome }) });
    }
  }

  /** One at a time tries until nothing waits. */
  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    while (this.#waiting.length > 0) {
      await this.#links.again();
      await this.flush();
    }
    this.#isDraining = false;
  }

  async #flush(): Promise<void> {
    let most = queueBatchOperations;
    while (this.#waiting.length > 0) {
      const batch = this.#next(most);
      // Before it has been sent nobody knows it: only then it may have grown too old, and only then it may have another.
      for (const { draft } of batch)
        if (draft.sends === 0 && draft.options.opId === undefined) draft.opId = this.#links.newId();
      const before = batch.map(({ draft }) => draft.sends);
      let ends: readonly Ended[];
      try {
        ends = await this.#writes.send(
          batch.map(({ draft }) => draft),
          {},
        );
      } catch (thrown) {
        const error = WarpError.from(thrown, "internal", "it could not be sent");
        if (this.#isClosed || mayPass(error)) return;
        // It was refused before any op id was looked up: those that had been sent before may have been carried out then.
        batch.forEach(({ draft }, at) => {
          draft.sends = before[at] ?? 0;
        });
        if (batch.length > 1) {
          // One of them befalls all: each is to have its own.
          most = 1;
          continue;
        }
        ends = [{ error: before[0] ? WarpError.fromData({ ...error.toData(), outcome: "unknown" }) : error }];
      }
      batch.forEach((waiting, at) => {
        this.#settle(waiting, ends[at] as Ended);
      });
    }
  }

  /** The next that lie in one shard. */
  #next(most: number): readonly Waiting[] {
    const shards = this.#calls.knownShards;
    const [first] = this.#waiting;
    if (first === undefined || shards === undefined) return this.#waiting.slice(0, 1);
    const shard = shardOf(first.draft.change.key, shards);
    let bytes = 0;
    const end = this.#waiting.findIndex((waiting, at) => {
      bytes += waiting.bytes;
      return (
        at > 0 &&
        (at >= most || bytes > queueBatchBytes || shardOf(waiting.draft.change.key, shards) !== shard)
      );
    });
    return this.#waiting.slice(0, end < 0 ? undefined : end);
  }

  #settle(waiting: Waiting, ended: Ended): void {
    const at = this.#waiting.indexOf(waiting);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    this.#bytes -= waiting.bytes;
    const { queued, draft } = waiting;
    const named = { queued, key: draft.change.key };
    if ("done" in ended) this.#settled.tell({ ...named, outcome: "ok", done: ended.done });
    else {
      // An op id that is too old was refused now, and may have been carried out before.
      const isUnknown = isWarpError(ended.error, "op_id_expired") && draft.sends > 1;
      this.#settled.tell({
        ...named,
        outcome: isUnknown ? "unknown" : ended.error.outcome,
        error: ended.error,
      });
    }
  }
}

/** Whether the same may go well later: a newer token may be allowed what this one is not. */
function mayPass({ outcome, retryable, code }: WarpError): boolean {
  return outcome === "unknown" || retryable || code.startsWith("token_");
}

/** About how much memory it takes. */
function bytesOf({ change }: Draft): number {
  const { payload, operand } = change as { readonly payload?: Payload; readonly operand?: Payload };
  return change.key.length + ((payload ?? operand)?.bytes.length ?? 0);
}
