import type { WarpError } from "../../src/errors.ts";
import type { StoreWatch } from "../../src/store/store-client.ts";
import type { WatchedItem } from "../../src/watchbus/watched-item.ts";
import { type StoreSpace, toldLength } from "./store-space.ts";

interface Place {
  readonly epoch: string;
  readonly revision: number;
}

interface Part {
  /** What has arrived. */
  place: Place | undefined;
  /** What was sent. */
  sent: Place | undefined;
  /** While the state is told: the last key that was told, and where. */
  state: { after: string; at: number; epoch: string } | undefined;
}

/** An item on its way, and how far its shard is told with it. */
interface Sent {
  readonly part: Part;
  readonly item: WatchedItem;
  readonly place: Place | undefined;
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
  /** What was told together arrives together. */
  #onWay: Sent[][] = [];
  #batch: Sent[] = [];
  #failure: WarpError | undefined;
  #isOver = false;
  #wake: () => void = () => {};
  /** Keys in a page of the state. */
  pageKeys = 3;
  /** What is told arrives when a test says so; else at once. */
  isSlow = false;

  constructor(space: StoreSpace, prefix: string, from: "snapshot" | { readonly cursor: string }) {
    this.#space = space;
    this.prefix = prefix;
    const places = from === "snapshot" ? [] : from.cursor.split("~").map((place) => place.split("."));
    this.#parts = space.shards.map((_, at) => {
      const [epoch, revision] = places[at] ?? [];
      const place = epoch === undefined ? undefined : { epoch, revision: Number(revision) };
      return { place, sent: place, state: undefined };
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

  /** The way breaks: what is on it is lost, a state that is being told begins again. */
  cut(): void {
    this.#onWay = [];
    for (const part of this.#parts) {
      part.state = undefined;
      part.sent = part.place;
    }
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
    const told = this.#step(at);
    if (this.#batch.length > 0) this.#onWay.push(this.#batch);
    this.#batch = [];
    if (!this.isSlow) while (this.arrive());
    return told;
  }

  /** What was told next arrives. Gives whether there was something. */
  arrive(): boolean {
    const next = this.#onWay.shift();
    for (const { part, item, place } of next ?? []) {
      part.place = place;
      const cursor = this.#here();
      if (item.kind === "snapshot") this.#queue.push({ ...item, done: cursor !== undefined, cursor });
      else if (item.kind !== "missed") this.#queue.push({ ...item, cursor } as WatchedItem);
    }
    // It may have moved on without an event.
    this.#wake();
    return next !== undefined;
  }

  #step(at: number): boolean {
    const part = this.#parts[at] as Part;
    const shard = this.#space.shards[at] as StoreSpace["shards"][number];
    const { sent } = part;
    if (sent !== undefined && (sent.epoch !== shard.epoch || sent.revision < shard.floor)) {
      const why = sent.epoch === shard.epoch ? "compacted" : "epoch";
      part.sent = undefined;
      this.#send(part, { kind: "gap", why, shard: at, cursor: undefined }, undefined);
      this.to("catching-up");
      return true;
    }
    if (sent === undefined) return this.#state(part, at);
    if (sent.revision === shard.revision) return false;
    const { epoch, revision } = shard;
    this.#events(part, at, sent.revision, (key) => key.startsWith(this.prefix), true);
    part.sent = { epoch, revision };
    // Where the watch is, also where nothing of it has changed.
    this.#send(part, { kind: "missed", cursor: undefined }, part.sent);
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
    const first = part.state === undefined || part.state.epoch !== shard.epoch;
    if (first) part.state = { after: "", at: shard.revision, epoch: shard.epoch };
    const state = part.state as NonNullable<Part["state"]>;
    const wants = (key: string): boolean => key.startsWith(this.prefix) && key <= state.after;
    if (!first) this.#events(part, at, state.at, wants, false);
    const keys = [...shard.keys.keys()]
      .filter((key) => key.startsWith(this.prefix) && key > state.after)
      .sort();
    const page = keys.slice(0, this.pageKeys);
    state.after = page.at(-1) ?? state.after;
    state.at = shard.revision;
    if (page.length === keys.length) {
      part.sent = { epoch: shard.epoch, revision: shard.revision };
      part.state = undefined;
    }
    const entries = page.map((key) => {
      const { value, version } = shard.keys.get(key) as { value: unknown; version: number };
      return { key, version, ...carried(value) };
    });
    this.#send(
      part,
      { kind: "snapshot", entries, shard: at, first, done: false, cursor: undefined },
      part.sent,
    );
    return true;
  }

  #events(part: Part, at: number, after: number, wants: (key: string) => boolean, isLive: boolean): void {
    const shard = this.#space.shards[at] as StoreSpace["shards"][number];
    const newest = new Map<string, (typeof shard.log)[number]>();
    for (const entry of shard.log) {
      if (entry.revision <= after || !wants(entry.key)) continue;
      newest.delete(entry.key);
      newest.set(entry.key, entry);
    }
    for (const { key, kind, revision, value } of newest.values()) {
      const place = isLive ? { epoch: shard.epoch, revision } : undefined;
      const base = { key, revision, shard: at, cursor: undefined };
      if (kind === "set") this.#send(part, { ...base, kind, version: revision, ...carried(value) }, place);
      else this.#send(part, { ...base, kind, version: 0 }, place);
    }
  }

  #send(part: Part, item: WatchedItem, place: Place | undefined): void {
    this.#batch.push({ part, item, place });
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
