import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import type { WatchItem } from "../watchbus/watchbus.ts";
import { type Reading, readPayload } from "./entry.ts";
import type { WatchedItem } from "./watch-types.ts";

/** An item as the application sees it. A value that can't be decoded is told as such: one bad value must not end a watch. */
export async function decodeItem<T>(item: WatchItem, reading: Reading<T>): Promise<WatchedItem<T>> {
  switch (item.kind) {
    case "gap":
    case "missed":
      return item;
    case "snapshot": {
      const entries = await Promise.all(
        item.entries.map(async ({ key, version, payload }) => ({
          key,
          version,
          ...(await carried(payload, reading)),
        })),
      );
      return { ...item, entries };
    }
  }
  const { kind, key, version, revision, shard, cursor, payload, omitted } = item;
  const event = { key, version, revision, shard, cursor };
  if (kind === "delete" || kind === "expire") return { ...event, kind };
  return { ...event, kind, ...(await carried(payload, reading)), ...(omitted ? { omitted } : {}) };
}

async function carried<T>(
  payload: Payload | undefined,
  reading: Reading<T>,
): Promise<{ readonly value: T | undefined; readonly contentType?: string; readonly error?: WarpError }> {
  if (payload === undefined) return { value: undefined };
  const { contentType } = payload;
  try {
    return { value: await readPayload(payload, reading), contentType };
  } catch (error) {
    const wrong = WarpError.from(error, "decode_failed", "the value can't be decoded");
    return { value: undefined, contentType, error: wrong };
  }
}
