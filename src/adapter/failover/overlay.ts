import type { StreamPlace } from "../../fallback/fallback.ts";
import { comparePlaces } from "../../fallback/place.ts";
import type { Mutation, StoredEntry } from "../../protocol/shard-api.ts";
import type { Clock } from "../../runtime/clock.ts";
import { maxOverlayBytes, maxOverlayKeys } from "../../runtime/failover-limits.ts";

/** What may wait in a stream. */
export type Change = Extract<Mutation, { kind: "set" | "merge" | "delete" }>;

/** A value as far as one is known; null: the key is absent. */
export type KnownValue =
  | (Omit<StoredEntry, "key" | "version" | "expiresInMs"> & {
      readonly version: number;
      /** By the node's clock; `Infinity`: no end. */
      readonly endsAtMs: number;
    })
  | null;

interface Waiting {
  /** Of the last change. */
  readonly place: StreamPlace;
  /** What the shard will make of it is known. Else `value` is the last one that was. */
  readonly isKnown: boolean;
  /** Undefined: nothing is known. */
  readonly value: KnownValue | undefined;
  /** Of the change that `value` is from; undefined: from before all that waits. */
  readonly valuePlace: StreamPlace | undefined;
}

/** What all overlays of a space may keep together: of what is too much the oldest goes, whose ever it is. */
export class OverlayRoom {
  readonly #keys = new Map<string, { readonly bytes: number; readonly forget: () => void }>();
  #bytes = 0;

  /** A key is of one shard, and so of one overlay. */
  put(key: string, bytes: number, forget: () => void): void {
    this.#keys.get(key)?.forget();
    this.#keys.set(key, { bytes, forget });
    this.#bytes += bytes;
    for (const { forget } of this.#keys.values()) {
      if (this.#keys.size <= maxOverlayKeys && this.#bytes <= maxOverlayBytes) return;
      forget();
    }
  }

  leave(key: string): void {
    this.#bytes -= this.#keys.get(key)?.bytes ?? 0;
    this.#keys.delete(key);
  }
}

/**
 * What the changes that wait in one shard's stream make of its keys, as far as a node can tell. Of what is too much the oldest goes: its readers then get what they got before, and never
 * something that this had outdated, since the shard applies the stream before it answers them.
 */
export class Overlay {
  readonly #clock: Clock;
  readonly #room: OverlayRoom;
  readonly #keys = new Map<string, Waiting>();

  constructor(clock: Clock, room: OverlayRoom) {
    this.#clock = clock;
    this.#room = room;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Takes in what waits at `place`, in any order. `isOperand`: the shard will merge it into the value that it has then. */
  take(place: StreamPlace, change: Change, isOperand: boolean, atMs: number): void {
    const { key } = change;
    const held = this.#keys.get(key);
    if (held !== undefined && comparePlaces(place, held.place) <= 0) {
      this.#takeEarlier(place, change, isOperand, atMs, held);
      return;
    }
    if (isOperand) {
      const { value, valuePlace } = held ?? { value: undefined, valuePlace: undefined };
      this.#put(key, { place, isKnown: false, value, valuePlace });
    } else this.#put(key, { place, isKnown: true, value: valueIn(change, atMs), valuePlace: place });
  }

  /** What the node held of `key` before its operand went to the stream. */
  recall(key: string, value: KnownValue): void {
    const held = this.#keys.get(key);
    if (held !== undefined && !held.isKnown && held.value === undefined) this.#put(key, { ...held, value });
  }

  /** What a reader is given; undefined: nothing is known. */
  of(key: string): { readonly value: KnownValue } | undefined {
    const value = this.#keys.get(key)?.value;
    if (value === undefined) return undefined;
    return { value: value !== null && value.endsAtMs <= this.#clock.now() ? null : value };
  }

  /** Whether a change of `key` waits, so that what the shard said before it is old. */
  has(key: string): boolean {
    return this.#keys.size > 0 && this.#keys.has(key);
  }

  /** The shard has applied all up to `place`. */
  drained(place: StreamPlace): void {
    for (const [key, held] of this.#keys) if (comparePlaces(held.place, place) <= 0) this.#drop(key);
  }

  clear(): void {
    for (const key of this.#keys.keys()) this.#drop(key);
  }

  /** Another's change that came before one that is known already: it is the base of operands after it. */
  #takeEarlier(place: StreamPlace, change: Change, isOperand: boolean, atMs: number, held: Waiting): void {
    if (held.isKnown || isOperand) return;
    if (held.valuePlace !== undefined && comparePlaces(place, held.valuePlace) <= 0) return;
    this.#put(change.key, { ...held, value: valueIn(change, atMs), valuePlace: place });
  }

  #put(key: string, waiting: Waiting): void {
    this.#drop(key);
    this.#keys.set(key, waiting);
    this.#room.put(key, chargeOf(key, waiting), () => this.#drop(key));
  }

  #drop(key: string): void {
    if (this.#keys.delete(key)) this.#room.leave(key);
  }
}

function valueIn(change: Change, atMs: number): KnownValue {
  if (change.kind !== "set") return null;
  const { payload, expiresInMs, tags } = change;
  const endsAtMs = expiresInMs === undefined ? Number.POSITIVE_INFINITY : atMs + expiresInMs;
  return { payload, version: 0, modifiedAtMs: atMs, endsAtMs, ...(tags !== undefined && { tags }) };
}

function chargeOf(key: string, { value }: Waiting): number {
  return 128 + key.length * 2 + (value?.payload.bytes.length ?? 0);
}
