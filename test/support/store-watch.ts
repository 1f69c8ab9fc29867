import type { WarpError } from "../../src/errors.ts";
import type { StoreWatch } from "../../src/store/store-client.ts";
import type { WatchedItem } from "../../src/watchbus/watched-item.ts";
import { type StoreSpace, toldLength } from "./store-space.ts";

interface Part {
  place: { epoch: string; revision: number } | undefined;
  /** While the state is told: the last key that was told, and where. */
  state: { after: string; told: Set<string>; at: number; epoch: string } | undefined;
}

/** A watch of a {@link StoreSpace} in the mode `latest`, told in steps. */
export class SpaceWatch implements StoreWatch<unknown> {
  status: StoreWatch<unknown>["status"] = "connecting";
  cursor: string | undefined;
  readonly prefix: string;
  readonly #space: StoreSpace;
  readonly #parts: Part[];
  readonly #listeners = new Set<() => void>();
  readonly #queue: WatchedItem[] = [];
  #failure: WarpError | undefined;
  #isOver = false;
  #wake: () => void = () => {};
  /** Keys in a page of the state. */
  pageKeys = 3;

  constructor(space: StoreSpace, prefix: string, from: "snapshot" | { readonly cursor: string }) {
    this.#space = space;
    this.prefix = prefix;
    const places = from === "snapshot" ? [] : from.cursor.split("~").map((place) => place.split("."));
    this.#parts = space.shards.map((_, at) => {
      const [epoch, revision] = places[at] ?? [];
      return {
        place: epoch === undefined ? undefined : { epoch, revision: Number(revision) },
        state: undefined,
      };
    });
  }

  onStatus(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  to(status: StoreWatch<unknown>["status"]): void {
    if (this.status === status || this.#isOver) return;
    this.status = status;
    for (const listener of [...this.#listeners]) listener();
  }

  /** The way breaks: a state that is being told begins again. */
  cut(): void {
    for (const part of this.#parts) part.state = undefined;
    this.to("offline");
  }

  fail(error: WarpError): void {
    this.#failure = error;
    this.to("ended");
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Tells the next of one shard, if there is something. Gives whether there was. */
  step(at: number): boolean {
    if (this.#isOver || this.#failure !== undefined) return false;
    const part = this.#parts[at] as Part;
    const shard = this.#space.shards[at] as StoreSpace["shards"][number];
    const { place } = part;
    if (place !== undefined && (place.epoch !== shard.epoch || place.revision < shard.floor)) {
      const why = place.epoch === shard.epoch ? "compacted" : "epoch";
      part.place = undefined;
      this.#tell({ kind: "gap", why, shard: at, cursor: undefined });
      this.to("catching-up");
      return true;
    }
    if (place === undefined) return this.#state(part, at);
    if (place.revision === shard.revision) return false;
    this.#events(at, place.revision, (key) => key.startsWith(this.prefix), place);
    part.place = { epoch: shard.epoch, revision: shard.revision };
    // It may have moved on without an event.
    this.#wake();
    return true;
  }

  /** Whether it has been told all there is. */
  get isCaughtUp(): boolean {
    return this.#parts.every(({ place }, at) => {
      const shard = this.#space.shards[at];
      return place?.epoch === shard?.epoch && place?.revision === shard?.revision;
    });
  }

  #here(): string | undefined {
    if (this.#parts.some(({ place }) => place === undefined)) return undefined;
    return this.#parts.map(({ place }) => `${place?.epoch}.${place?.revision}`).join("~");
  }

  /** A page of the state, after what has happened meanwhile to the keys that were told. */
  #state(part: Part, at: number): boolean {
    const shard = this.#space.shards[at] as StoreSpace["shards"][number];
    const isFirst = part.state === undefined || part.state.epoch !== shard.epoch;
    if (isFirst) part.state = { after: "", told: new Set(), at: shard.revision, epoch: shard.epoch };
    const state = part.state as NonNullable<Part["state"]>;
    if (!isFirst) this.#events(at, state.at, (key) => key.startsWith(this.prefix) && key <= state.after);
    const keys = [...shard.keys.keys()]
      .filter((key) => key.startsWith(this.prefix) && key > state.after)
      .sort();
    const page = keys.slice(0, this.pageKeys);
    state.after = page.at(-1) ?? state.after;
    state.at = shard.revision;
    if (page.length === keys.length) {
      part.place = { epoch: shard.epoch, revision: shard.revision };
      part.state = undefined;
    }
    const entries = page.map((key) => {
      const { value, version } = shard.keys.get(key) as { value: unknown; version: number };
      return { key, version, ...carried(value) };
    });
    const done = !this.#parts.some(({ place }) => place === undefined);
    this.#tell({ kind: "snapshot", entries, shard: at, first: isFirst, done, cursor: this.#here() });
    return true;
  }

  #events(
    at: number,
    after: number,
    wants: (key: string) => boolean,
    place?: { epoch: string; revision: number },
  ): void {
    const shard = this.#space.shards[at] as StoreSpace["shards"][number];
    const newest = new Map<string, (typeof shard.log)[number]>();
    for (const entry of shard.log) {
      if (entry.revision <= after || !wants(entry.key)) continue;
      newest.delete(entry.key);
      newest.set(entry.key, entry);
    }
    for (const { key, kind, revision, value } of newest.values()) {
      const part = this.#parts[at] as Part;
      if (place !== undefined) part.place = { ...place, revision };
      const base = { key, revision, shard: at, cursor: this.#here() };
      if (kind === "set") this.#tell({ ...base, kind, version: revision, ...carried(value) });
      else this.#tell({ ...base, kind, version: 0 });
    }
  }

  #tell(item: WatchedItem): void {
    this.#queue.push(item);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchedItem, void, void> {
    try {
      while (!this.#isOver) {
        const item = this.#queue.shift();
        if (item !== undefined) {
          this.cursor = item.cursor;
          yield item;
        } else if (this.#failure !== undefined) throw this.#failure;
        else {
          this.cursor = this.#here();
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.end();
    }
  }
}

function carried(value: unknown): { readonly value: unknown; readonly omitted?: true } {
  return typeof value === "string" && value.length >= toldLength
    ? { value: undefined, omitted: true }
    : { value };
}
