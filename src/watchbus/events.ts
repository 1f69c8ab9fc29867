import type { Payload } from "../protocol/payload.ts";
import type { WatchFilter, WatchKind } from "../protocol/watch.ts";
import type { WatchEvent } from "./watchbus.ts";

/** An entry as a driver reads it, before it is what the mode wants. */
export interface FoundEvent {
  readonly kind: WatchKind;
  readonly key: string;
  readonly version: number;
  readonly revision: number;
  readonly payload?: Payload | undefined;
}

/** A found entry as the mode wants it told; without its cursor. */
export function toEvent(
  { kind, key, version, revision, payload }: FoundEvent,
  shard: number,
  mode: WatchFilter["mode"],
): Omit<WatchEvent, "cursor"> {
  const event = { kind, key, version, revision, shard };
  if (mode === "keys" || kind === "delete" || kind === "expire") return event;
  return payload === undefined ? { ...event, omitted: true } : { ...event, payload };
}

/** In the modes `latest` and `keys` of each key the newest change, and the newest publication, in their order. */
export function newest<E extends Pick<FoundEvent, "kind" | "key">>(
  events: readonly E[],
  mode: WatchFilter["mode"],
): readonly E[] {
  if (mode === "all" || events.length < 2) return events;
  const last = new Map<string, E>();
  for (const event of events) {
    const name = `${isPublication(event) ? event.kind : ""}\n${event.key}`;
    // What is put in anew stands at the end.
    last.delete(name);
    last.set(name, event);
  }
  return [...last.values()];
}

/**
 * Gives events of one shard their cursors: behind itself for the last of a revision, else before the revision, so that whoever resumes there is told all of
 * it. `before` is the revision that all of them come after.
 */
export function withCursors(
  events: readonly Omit<WatchEvent, "cursor">[],
  before: number,
  cursorAt: (revision: number) => string | undefined,
): readonly WatchEvent[] {
  let told = before;
  return events.map((event, at) => {
    const next = events[at + 1];
    // A publication that is not in the log has the revision that it comes after, and is no part of it.
    const isLast = next?.revision !== event.revision || isPublication(next);
    if (isLast) told = Math.max(told, event.revision);
    return { ...event, cursor: cursorAt(told) };
  });
}

/** Rather than a change of a key. */
export function isPublication({ kind }: Pick<FoundEvent, "kind">): boolean {
  return kind === "publish" || kind === "publishPrefix";
}
