import { expect } from "vitest";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type {
  Watch,
  WatchBus,
  WatchBusSupports,
  WatchEvent,
  WatchItem,
  WatchOptions,
  WatchTarget,
} from "../../src/watchbus/watchbus.ts";
import type { Seeded } from "../support/seeded.ts";

/** One empty space, the ways to watch it, and its time, which stands still unless the suite moves it. */
export interface WatchBusBed {
  readonly random: Seeded;
  now(): number;
  /** A new node's end. */
  open(): WatchBus;
  set(key: string, value: string | Uint8Array, expiresInMs?: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Sets keys in one transaction. */
  together(values: Readonly<Record<string, string>>): Promise<void>;
  /** Writes so many other keys that the log keeps nothing of what was before. */
  forget(): Promise<void>;
  /** Moves time on, letting everything run between. */
  advance(ms: number): Promise<void>;
  /** Lets things run until `work` is settled. */
  done<T>(work: Promise<T>): Promise<T>;
}

/** How the suite gets at a driver. */
export interface WatchBusUnderTest {
  readonly name: string;
  readonly supports: WatchBusSupports;
  run(work: (bed: WatchBusBed) => Promise<void>): Promise<void>;
}

export type Snapshot = Extract<WatchItem, { kind: "snapshot" }>;

/** A watch that is read as fast as it goes. */
export class WatchTester {
  readonly watch: Watch;
  readonly items: WatchItem[] = [];
  /** How it ended; undefined: not yet. */
  end: "quietly" | { readonly error: unknown } | undefined;
  readonly #bed: WatchBusBed;

  constructor(bed: WatchBusBed, watch: Watch) {
    this.#bed = bed;
    this.watch = watch;
    this.#read().then(
      () => {
        this.end = "quietly";
      },
      (error: unknown) => {
        this.end = { error };
      },
    );
  }

  static async open(
    bed: WatchBusBed,
    target: WatchTarget,
    options?: WatchOptions,
    bus = bed.open(),
  ): Promise<WatchTester> {
    return new WatchTester(bed, await bed.done(bus.watch(target, options)));
  }

  /** What was told since the last time, after all that is on its way. */
  async news(): Promise<readonly WatchItem[]> {
    await this.#bed.advance(100);
    return this.items.splice(0);
  }

  /** {@link news} shortly: `set a=1`, `delete a`, `publish a=bytes`, `[a=1 b=2]`, `[…]!` for the last page of a snapshot, `gap`. */
  async told(): Promise<string[]> {
    return (await this.news()).map(shortly);
  }

  async #read(): Promise<void> {
    for await (const items of this.watch) {
      expect(items).not.toHaveLength(0);
      this.items.push(...items);
    }
  }
}

export function shortly(item: WatchItem): string {
  if (item.kind === "gap") return `gap ${item.why}`;
  if (item.kind === "missed") return "missed";
  if (item.kind === "snapshot") {
    const keys = item.entries.map(({ key, payload }) =>
      payload === undefined ? key : `${key}=${fromUtf8(payload.bytes)}`,
    );
    return `[${keys.join(" ")}]${item.done ? "!" : ""}`;
  }
  const { kind, key, payload, omitted } = item;
  const value = omitted ? "?" : payload === undefined ? "" : `=${fromUtf8(payload.bytes)}`;
  return `${kind} ${key}${value}`;
}

export function events(items: readonly WatchItem[]): WatchEvent[] {
  return items.filter(
    (item): item is WatchEvent => item.kind !== "snapshot" && item.kind !== "gap" && item.kind !== "missed",
  );
}

/** Publishes text or bytes by a new operation, or by one of one's own. */
export async function publish(
  bed: WatchBusBed,
  bus: WatchBus,
  target: WatchTarget,
  value: string | Uint8Array,
  options: { readonly retained?: boolean; readonly opId?: string } = {},
): ReturnType<WatchBus["publish"]> {
  const payload =
    typeof value === "string"
      ? { bytes: utf8(value), contentType: "text/plain" }
      : { bytes: value, contentType: "application/octet-stream" };
  return await bed.done(bus.publish(target, payload, { opId: newOpId(bed), ...options }));
}

export function newOpId(bed: WatchBusBed): string {
  return scopeOpId("test", uuidv7({ now: () => bed.now() }, bed.random));
}
