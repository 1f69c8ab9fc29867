import type { WarpError } from "../../errors.ts";
import type { WatchMode } from "../../protocol/watch.ts";
import { bytesOfWire, type WireBytes, type WireEvent } from "../../protocol/wire/watch-frames.ts";
import type { Codec } from "../../runtime/codec.ts";
import type { WatchedItem } from "./types.ts";
import { decoded } from "./values.ts";
import type { Place, Told, WatchPart } from "./watch-part.ts";

/** A cursor behind what was taken of all parts, one of them perhaps at another place; undefined where one has none. The same as `watchbus/cursor.ts` has. */
export function cursorOf(parts: readonly WatchPart[], one?: WatchPart, at?: Place): string | undefined {
  const places = parts.map((part) => (part === one ? at : part.taken));
  return places.every((place) => place)
    ? places.map((place) => `${place?.epoch}.${place?.revision}`).join("~")
    : undefined;
}

/** In the modes `latest` and `keys` of each key the newest change, and the newest publication, in their order. */
export function newest(events: readonly WireEvent[], mode: WatchMode): readonly WireEvent[] {
  if (mode === "all") return events;
  const last = new Map<string, WireEvent>();
  for (const event of events) {
    const [, kind, key] = event;
    const name = `${kind.startsWith("publish") ? kind : ""}\n${key}`;
    // What is put in anew stands at the end.
    last.delete(name);
    last.set(name, event);
  }
  return [...last.values()];
}

/** What was told, as it is taken: the places of its part move on with it. */
export function* itemsOf<T>(
  told: Told,
  parts: readonly WatchPart[],
  mode: WatchMode,
  codec: Codec<unknown>,
): Generator<WatchedItem<T>> {
  const { part, place } = told;
  const { shard, taken } = part;
  if (told.kind === "missed") {
    yield { kind: "missed", cursor: cursorOf(parts) };
    return;
  }
  if (told.kind === "events") {
    const { events } = told;
    let revision = taken?.epoch === place?.epoch ? (taken?.revision ?? 0) : 0;
    part.taken = place;
    for (const [at, event] of events.entries()) {
      const [of, kind, key, version, type, value] = event;
      // Before its revision but for the last of it: whoever resumes there is told all of it.
      // A publication that is not in the log has the revision that it comes after, and is no part of it.
      const [next, nextKind = ""] = events[at + 1] ?? [];
      if (next !== of || nextKind.startsWith("publish")) revision = Math.max(revision, of);
      const cursor = place && cursorOf(parts, part, { epoch: place.epoch, revision });
      const item = { kind, key, version, revision: of, shard, cursor };
      const isEnd = kind === "delete" || kind === "expire";
      const isBare = isEnd || mode === "keys";
      const isOmitted = !isBare && value == null;
      yield {
        ...item,
        ...(isEnd ? {} : carried(type, isBare ? null : value, codec)),
        ...(isOmitted ? { omitted: true } : {}),
      } as WatchedItem<T>;
    }
    return;
  }
  part.taken = place;
  part.awaitsState = !place;
  const cursor = cursorOf(parts);
  if (told.kind === "gap") yield { kind: "gap", why: told.why, shard, cursor };
  else {
    const entries = told.keys.map(([key, version, type, value]) => ({
      key,
      version,
      ...carried<T>(type, value, codec),
    }));
    const done = parts.every(({ awaitsState }) => !awaitsState);
    yield { kind: "snapshot", entries, first: told.first, done, shard, cursor };
  }
}

/** A value that can't be decoded is told as such: one bad value must not end a watch. */
function carried<T>(
  contentType: string | undefined,
  value: WireBytes | null | undefined,
  codec: Codec<unknown>,
): {
  readonly value: T | undefined;
  readonly contentType?: string;
  readonly error?: WarpError;
} {
  if (contentType === undefined || value == null) return { value: undefined };
  try {
    return { value: decoded<T>(codec, { bytes: bytesOfWire(value), contentType }), contentType };
  } catch (error) {
    return { value: undefined, contentType, error: error as WarpError };
  }
}
