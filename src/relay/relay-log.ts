import type { Payload } from "../protocol/payload.ts";
import type { RelayBatch, RelayEntry, RelayStateReply, RelayStateRequest } from "../protocol/relay.ts";
import type { WatchTarget } from "../protocol/watch.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxRelayPages, relayPageMs } from "../runtime/relay-limits.ts";
import type { EntryHead } from "../shard/entry-reader.ts";
import type { LogPosition } from "../shard/published-log.ts";
import { unwrittenEpoch } from "../shard/unwritten.ts";
import type { EntryPage, StatePage, WatchSizes, WatchSource } from "../shard/watch-source.ts";
import { Questions, type QuestionsOptions } from "./questions.ts";
import { pageOf, type Replica } from "./replica.ts";

/** What a {@link RelayLog} is made of. */
export interface RelayLogOptions extends QuestionsOptions {
  readonly replica: Replica;
  readonly sizes: WatchSizes;
  /** Asks the shard for a piece of its log. */
  readonly pull: (after: number) => Promise<RelayBatch>;
  /** Asks the shard for some keys. */
  readonly state: (request: RelayStateRequest) => Promise<RelayStateReply>;
  readonly elapsed: Clock;
}

/** Something that was asked for, and when it came. */
interface Kept<T> {
  readonly value: T;
  readonly atMs: number;
}

/**
 * The log and the keys of a shard as the watchers of a relay are told them: the newest entries are here, older ones and keys are asked for. What was asked for is
 * kept for a moment, since others come along that want the same, after a reconnection above all.
 */
export class RelayLog implements WatchSource {
  readonly #options: RelayLogOptions;
  readonly #questions: Questions;
  readonly #older = new Map<string, Kept<RelayBatch>>();
  readonly #states = new Map<string, Kept<RelayStateReply>>();
  /** The shard's log can't tell what was before, in this epoch. */
  #gone: LogPosition | undefined;

  constructor(options: RelayLogOptions) {
    this.#options = options;
    this.#questions = new Questions(options, maxRelayPages);
  }

  get sizes(): WatchSizes {
    return this.#options.sizes;
  }

  get position(): LogPosition | undefined {
    return this.#options.replica.position;
  }

  /** Only what is durable comes here. */
  get written(): LogPosition {
    return this.position ?? { epoch: unwrittenEpoch, revision: 0 };
  }

  page(after: number, upTo: number): EntryPage | "later" | undefined {
    const { replica, sizes } = this.#options;
    if (after >= replica.floor) return replica.page(after, upTo, sizes.entries);
    const { epoch } = this.written;
    if (this.#gone?.epoch === epoch && after < this.#gone.revision) return undefined;
    for (const { value } of this.#fresh(this.#older)) {
      if (value.epoch === epoch && value.after <= after && after < value.to) {
        return pageOf(value.entries, after, Math.min(upTo, value.to), sizes.entries);
      }
    }
    this.#questions.ask(`${after}`, () => this.#askOlder(after, epoch));
    return "later";
  }

  payload(head: EntryHead): Payload | undefined {
    return (head as RelayEntry).payload;
  }

  state(
    target: WatchTarget,
    told: string | undefined,
    values: boolean,
    from: LogPosition,
  ): StatePage | "later" {
    const name = JSON.stringify([target, told, values]);
    const { epoch, revision } = this.written;
    this.#fresh(this.#states);
    const known = this.#states.get(name)?.value;
    if (known?.at.epoch === epoch && from.revision <= known.at.revision && known.at.revision <= revision) {
      return known;
    }
    const request = { target, values, ...(told === undefined ? {} : { told }) };
    this.#questions.ask(name, () => this.#askState(name, request));
    return "later";
  }

  reach(cursor: LogPosition): Promise<void> | undefined {
    return this.#covers(cursor) ? undefined : this.#reach(cursor);
  }

  #covers({ epoch, revision }: LogPosition): boolean {
    const { written } = this;
    return epoch === written.epoch ? revision <= written.revision : epoch === unwrittenEpoch;
  }

  /** Takes in what the shard has beyond the end here, until it is there or there is nothing more. */
  async #reach(cursor: LogPosition): Promise<void> {
    const { replica, pull, answered } = this.#options;
    const before = this.position;
    replica.apply(await pull(before?.revision ?? 0), before?.epoch);
    answered();
    // A feed may have come further than the answer meanwhile.
    if (this.position !== before) await this.reach(cursor);
  }

  async #askOlder(after: number, epoch: string): Promise<void> {
    const batch = await this.#options.pull(after);
    if (batch.epoch !== epoch) this.#options.replica.apply(batch, epoch);
    else if (batch.after !== after) this.#gone = { epoch, revision: Math.max(batch.floor, after + 1) };
    else if (batch.to === after) throw new Error("the shard knows less");
    else this.#keep(this.#older, `${after}`, batch);
  }

  async #askState(name: string, request: Omit<RelayStateRequest, "after">): Promise<void> {
    const { replica, state } = this.#options;
    const { epoch, revision } = this.written;
    const reply = await state({ ...request, after: revision });
    replica.apply(reply.batch, epoch);
    this.#keep(this.#states, name, reply);
    // The keys are of a later moment than the entries that came with them.
    await this.reach(reply.at);
  }

  #keep<T>(kept: Map<string, Kept<T>>, name: string, value: T): void {
    kept.delete(name);
    kept.set(name, { value, atMs: this.#options.elapsed.now() });
    for (const oldest of kept.keys()) {
      if (kept.size <= 2 * maxRelayPages) break;
      kept.delete(oldest);
    }
  }

  /** What is kept, without what has been kept for too long. */
  #fresh<T>(kept: Map<string, Kept<T>>): Iterable<Kept<T>> {
    const sinceMs = this.#options.elapsed.now() - relayPageMs;
    for (const [name, { atMs }] of kept) if (atMs < sinceMs) kept.delete(name);
    return kept.values();
  }
}
