import { WarpError } from "../../errors.ts";
import { type WatchFilter, watchModes, watchOperations } from "../../protocol/watch.ts";
import type { WatchStart } from "../../protocol/wire/watch-frames.ts";
import type { ClientWatchOptions } from "./types.ts";
import type { Place } from "./watch-part.ts";

/** Throws `invalid_argument` where a shard would not take it for a watch: it would end the session, and with it all else that goes over it. */
export function requireFilter({ target, mode, ops }: WatchFilter): void {
  requireTarget(target);
  if (!watchModes.includes(mode)) throw invalid(`mode is one of ${watchModes.join(", ")}`);
  if (ops !== undefined && !areOperations(ops)) {
    throw invalid(`ops is a list of some of ${watchOperations.join(", ")}`);
  }
}

function requireTarget(target: unknown): void {
  const named: { readonly key?: unknown; readonly prefix?: unknown } = Object(target);
  if ("key" in named === "prefix" in named || typeof (named.key ?? named.prefix) !== "string") {
    throw invalid("a target is { key } or { prefix }");
  }
}

function areOperations(ops: unknown): boolean {
  return (
    Array.isArray(ops) &&
    ops.length > 0 &&
    ops.length <= watchOperations.length &&
    ops.every((op) => watchOperations.includes(op))
  );
}

/** Where each part begins. Throws `invalid_argument`, `invalid_cursor`. */
export function startsOf(
  from: NonNullable<ClientWatchOptions["from"]>,
  shards: number,
): readonly WatchStart[] {
  if (from === "now" || from === "snapshot") return Array.from({ length: shards }, () => from);
  const { cursor }: { readonly cursor?: unknown } = Object(from);
  if (typeof cursor !== "string") throw invalid("from is now, snapshot or { cursor }, a text");
  const places = cursor.split("~").map((text): Place => {
    const [, epoch = "", revision] = /^([0-9a-f]{16})\.(\d{1,15})$/.exec(text) ?? [];
    return { epoch, revision: Number(revision) };
  });
  if (places.length === shards && places.every(({ epoch }) => epoch)) return places;
  throw new WarpError("invalid_cursor", "that is no cursor of such a watch");
}

function invalid(message: string): WarpError {
  return new WarpError("invalid_argument", message);
}
