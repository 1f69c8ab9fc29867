import type { LogPlace, PushedEvent, PushedKey } from "../../connection/watching.ts";

/** What a shard has told and the reader has not taken yet. `place`: how far its log is told with it; undefined: the state is being told. */
export type Told = { readonly part: Part; readonly bytes: number; place: LogPlace | undefined } & (
  | { readonly kind: "events"; readonly events: readonly PushedEvent[] }
  | { readonly kind: "state"; readonly keys: readonly PushedKey[]; readonly first: boolean }
  | { readonly kind: "gap"; readonly why: "compacted" | "epoch" | "slow" }
  | { readonly kind: "missed" }
);

/** One shard's part of a watch, as the reader knows it. */
export interface Part {
  readonly shard: number;
  /** Behind what was taken; undefined: its state is not whole. */
  place: LogPlace | undefined;
  awaitsState: boolean;
}

/** About what an entry takes beside its value. */
const entryBytes = 100;

/** What shards have told a watch, in the order in which it came, and about how much memory it takes. */
export class ToldQueue {
  #waiting: Told[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(told: Told): void {
    const last = this.#waiting.at(-1);
    if (told.kind === "missed" && last?.kind === "missed") return;
    const isProgress = told.kind === "events" && told.events.length === 0;
    if (isProgress && last?.part === told.part && last.place !== undefined) {
      last.place = told.place;
      return;
    }
    this.#waiting.push(told);
    this.#bytes += told.bytes;
  }

  /** The next, with the events that follow it of the same shard; undefined: there is none. */
  take(): Told | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const merged = first.kind === "events" ? this.#events(first) : { told: first, count: 1 };
    for (const { bytes } of this.#waiting.splice(0, merged.count)) this.#bytes -= bytes;
    return merged.told;
  }

  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }

  #events(first: Extract<Told, { kind: "events" }>): { readonly told: Told; readonly count: number } {
    let last = first;
    const events = [...first.events];
    let count = 1;
    for (; count < this.#waiting.length; count++) {
      const next = this.#waiting[count];
      if (next?.kind !== "events" || next.part !== first.part) break;
      // While the state is being told events have no place; those of another life begin again.
      if (next.place?.epoch !== first.place?.epoch) break;
      events.push(...next.events);
      last = next;
    }
    return { told: { ...last, events }, count };
  }
}

/** About how much memory values take. */
export function bytesOf(
  values: readonly { readonly payload: { readonly bytes: Uint8Array } | undefined }[],
): number {
  let bytes = 0;
  for (const { payload } of values) bytes += entryBytes + (payload?.bytes.length ?? 0);
  return bytes;
}
