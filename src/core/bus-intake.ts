import type { Change } from "../protocol/shard-api.ts";
import type { BusEvent, SyncBus } from "../syncbus/syncbus.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Parts } from "./parts.ts";

/** A bus that can't be listened to is asked again: after 100 ms, then 200 ms, up to 5 s. */
const firstPauseMs = 100;
const longestPauseMs = 5_000;

/**
 * What a node does with what others tell over the bus: copies go, and answers to questions sent before stay out of L1, since nothing says at which
 * position of the storage the change stands. Where an event is an entry of the very log that this node follows, it is applied as one, and does not cost the
 * node what it wrote itself. Events make L1 fresh early; they prove nothing, and a lost one costs no more than the mode's bound.
 */
export class BusIntake {
  readonly #parts: Parts;
  readonly #l1: L1;
  readonly #follower: Follower;
  readonly #bus: SyncBus;
  readonly #outdated: (key: string | undefined, prefix: string | undefined) => void;
  readonly #end = new AbortController();

  constructor(
    parts: Parts,
    l1: L1,
    follower: Follower,
    bus: SyncBus,
    outdated: (key: string | undefined, prefix: string | undefined) => void,
  ) {
    this.#parts = parts;
    this.#l1 = l1;
    this.#follower = follower;
    this.#bus = bus;
    this.#outdated = outdated;
    const off = bus.onError((error) => this.#tell(error));
    let cancel = (): void => {};
    const listen = async (pauseMs: number): Promise<void> => {
      try {
        await bus.subscribe({ prefix: "" }, (events) => this.#take(events), { signal: this.#end.signal });
      } catch (error) {
        if (parts.lifetime.closed) return;
        this.#tell(error);
        cancel = parts.timers.after(pauseMs, () =>
          parts.background.run(listen(Math.min(longestPauseMs, pauseMs * 2))),
        );
      }
    };
    parts.lifetime.onEnd(() => {
      cancel();
      off();
      this.#end.abort();
    });
    parts.background.run(listen(firstPauseMs));
  }

  /** Whoever waits for an acknowledgement gets it when all that these events concern is out of L1. */
  async #take(events: readonly BusEvent[]): Promise<void> {
    const waits: Promise<unknown>[] = [];
    for (const event of events) {
      // A node does not hear itself; a bus that has it otherwise must not cost it what it wrote.
      if (event.node === this.#bus.node || this.#parts.lifetime.closed) continue;
      this.#parts.counters.busEvents++;
      waits.push(this.#drop(event));
    }
    await Promise.all(waits);
  }

  async #drop(event: BusEvent): Promise<void> {
    const { position } = event;
    if (position !== undefined && this.#follower.view(position.shard, position.epoch) !== undefined) {
      await this.#follower.outdate(position.shard, [toChange(event, position.revision)]);
      return;
    }
    const { emitter } = this.#parts;
    let dropped: boolean | number;
    if ("key" in event) {
      this.#outdated(event.key, undefined);
      dropped = await this.#l1.forget(event.key);
    } else if ("prefix" in event) {
      this.#outdated(undefined, event.prefix);
      dropped = await this.#l1.forgetPrefix(event.prefix);
    } else {
      // What is on its way may have the tag.
      this.#outdated(undefined, "");
      dropped = await this.#l1.forgetTags([event.tag]);
    }
    if (dropped === false || dropped === 0 || !emitter.has("invalidate")) return;
    const what =
      "key" in event ? { key: event.key } : "prefix" in event ? { prefix: event.prefix } : { tag: event.tag };
    emitter.emit("invalidate", { ...what, source: "bus" });
  }

  #tell(error: unknown): void {
    const { counters, emitter } = this.#parts;
    counters.errors++;
    emitter.emit("error", { error });
  }
}

function toChange(event: BusEvent, revision: number): Change {
  if ("key" in event) return { revision, kind: "invalidate", key: event.key };
  if ("prefix" in event) return { revision, kind: "invalidatePrefix", key: event.prefix };
  return { revision, kind: "invalidateTag", key: event.tag };
}
