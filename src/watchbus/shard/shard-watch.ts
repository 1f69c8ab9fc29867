import type {
  ShardWatchListener,
  Standing,
  Watching,
  ShardWatch as WatchOfShard,
} from "../../connection/watching.ts";
import { WarpError } from "../../errors.ts";
import type { WatchFilter } from "../../protocol/watch.ts";
import type { WatchStart } from "../../protocol/wire/watch-frames.ts";
import { maxWatchQueueBytes, watchResumeBytes } from "../../runtime/limits.ts";
import { formatWatchCursor, type LogPlace } from "../cursor.ts";
import { newest, toEvent, withCursors } from "../events.ts";
import type { PresenceSeat, Watch, WatchItem } from "../watchbus.ts";
import { bytesOf, type Part, type Told, ToldQueue } from "./told.ts";

/** What a {@link ShardWatch} is made of. */
export interface ShardWatchParts {
  readonly watching: Watching;
  readonly filter: WatchFilter;
  /** The shards that it follows, and where it begins in each. */
  readonly starts: readonly { readonly shard: number; readonly from: WatchStart }[];
  /** Who is there is known to the first of the shards: that of the key, or the home shard. */
  readonly presence?: PresenceSeat | undefined;
  /** It is over; called once. */
  readonly ended: () => void;
  /** How the part at this place of `starts` stands now. */
  readonly stands?: (at: number, standing: Standing) => void;
}

/**
 * One watch of a space: what its shards tell, each in its order. A reader that is slow makes the shards wait: what it has not been told stays in their logs,
 * and if it stays there for too long it is told of the gap.
 */
export class ShardWatch implements Watch {
  /** Settles once every shard tells all that happens. */
  readonly opened: Promise<void>;
  /** Settles once what had happened before it began has been told, though perhaps not taken. Not where it ends before that. */
  readonly current: Promise<void>;
  readonly #parts: readonly Part[];
  readonly #holds: WatchOfShard[] = [];
  readonly #paused = new Set<WatchOfShard>();
  readonly #filter: WatchFilter;
  readonly #ended: () => void;
  readonly #stands: ShardWatchParts["stands"];
  readonly #presence: PresenceSeat | undefined;
  readonly #queue = new ToldQueue();
  readonly #refusals: ((error: WarpError) => void)[] = [];
  #cursor: string | undefined;
  #failure: WarpError | undefined;
  #isOver = false;
  #wake: () => void = () => {};

  constructor({ watching, filter, starts, ended, stands, presence }: ShardWatchParts) {
    let shown: unknown = null;
    presence?.take((data) => {
      shown = data;
      this.#holds[0]?.show(data);
    });
    this.#presence = presence;
    this.#filter = filter;
    this.#ended = ended;
    this.#stands = stands;
    const parts = starts.map(({ shard, from }): Part & { readonly from: WatchStart } => ({
      shard,
      from,
      place: typeof from === "string" ? undefined : from,
      awaitsState: from === "snapshot",
    }));
    this.#parts = parts;
    const live: Promise<void>[] = [];
    const begun = parts.map(
      (part, at) =>
        new Promise<void>((resolve, reject) => {
          this.#refusals.push(reject);
          live.push(
            new Promise((arrived) => {
              const listener = this.#listener(part, at, resolve, reject, arrived);
              this.#holds.push(watching.watch(part.shard, filter, part.from, listener));
            }),
          );
        }),
    );
    if (shown !== null) this.#holds[0]?.show(shown);
    this.current = Promise.all(live).then(() => undefined);
    this.opened = Promise.all(begun).then(() => {
      this.#cursor = this.#here();
    });
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue.clear();
    for (const hold of this.#holds) hold.end();
    this.#presence?.leave();
    this.#ended();
    this.#wake();
    // Whoever still waits for its beginning waits for nothing.
    for (const refuse of this.#refusals) refuse(new WarpError("warp_closed", "the watch has ended"));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly WatchItem[], void, void> {
    try {
      while (!this.#isOver) {
        // Only now what was told last has been taken.
        this.#cursor = this.#here();
        const told = this.#queue.take();
        if (told !== undefined) {
          const items = this.#items(told);
          this.#goOn();
          if (items.length > 0) yield items;
        } else if (this.#failure !== undefined) {
          // Whoever closes the way ends what goes over it, quietly.
          if (this.#failure.code === "warp_closed") return;
          throw this.#failure;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.end();
    }
  }

  #listener(
    part: Part,
    at: number,
    begun: () => void,
    refused: (error: WarpError) => void,
    arrived: () => void,
  ): ShardWatchListener {
    const presence = at === 0 ? this.#presence : undefined;
    return {
      ...(presence === undefined ? {} : { presence: (told) => presence.told(told) }),
      begun: (place) => {
        part.place ??= place;
        begun();
      },
      events: (events, place) =>
        this.#told({ kind: "events", part, place, events, bytes: bytesOf(events) }, at),
      state: (keys, first, place) => {
        this.#told({ kind: "state", part, place, keys, first, bytes: bytesOf(keys) }, at);
        begun();
      },
      gap: (why) => this.#told({ kind: "gap", part, place: undefined, why, bytes: 0 }, at),
      missed: () => this.#told({ kind: "missed", part, place: undefined, bytes: 0 }, at),
      stands: (standing) => {
        if (standing === "live") arrived();
        this.#stands?.(at, standing);
      },
      failed: (error) => {
        this.#failure ??= error;
        refused(error);
        this.#wake();
      },
    };
  }

  #told(told: Told, at: number): void {
    if (this.#isOver) return;
    this.#queue.push(told);
    const hold = this.#holds[at];
    const isMuch = this.#queue.bytes > maxWatchQueueBytes;
    if (isMuch && hold !== undefined && !this.#paused.has(hold) && hold.pause()) this.#paused.add(hold);
    this.#wake();
  }

  /** The reader has come so far that there is room again. */
  #goOn(): void {
    if (this.#paused.size === 0 || this.#queue.bytes > watchResumeBytes) return;
    const paused = [...this.#paused];
    this.#paused.clear();
    for (const hold of paused) hold.resume();
  }

  /** What was told, as it is taken. */
  #items(told: Told): readonly WatchItem[] {
    const { part, place } = told;
    const { shard } = part;
    const { mode } = this.#filter;
    switch (told.kind) {
      case "missed":
        return [{ kind: "missed", cursor: this.#here() }];
      case "gap":
        part.place = undefined;
        part.awaitsState = true;
        return [{ kind: "gap", why: told.why, shard, cursor: undefined }];
      case "state": {
        part.place = place;
        part.awaitsState = place === undefined;
        const entries = told.keys.map(({ key, version, payload }) =>
          mode === "keys" || payload === undefined ? { key, version } : { key, version, payload },
        );
        const done = !this.#parts.some(({ awaitsState }) => awaitsState);
        return [{ kind: "snapshot", entries, first: told.first, done, shard, cursor: this.#here() }];
      }
      case "events": {
        const events = newest(told.events, mode).map((event) => toEvent(event, shard, mode));
        const before = part.place?.epoch === place?.epoch ? (part.place?.revision ?? 0) : 0;
        const items = withCursors(events, before, (revision) =>
          place === undefined ? undefined : this.#cursorAt(part, { epoch: place.epoch, revision }),
        );
        part.place = place;
        return items;
      }
    }
  }

  #here(): string | undefined {
    return formatWatchCursor(this.#parts.map(({ place }) => place));
  }

  #cursorAt(part: Part, place: LogPlace): string | undefined {
    return formatWatchCursor(this.#parts.map((one) => (one === part ? place : one.place)));
  }
}
