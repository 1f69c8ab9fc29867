import type { WatchItem } from "../../watchbus/watchbus.ts";
import { writeValue } from "../record.ts";

type Facts = Readonly<Record<string, unknown>>;

/** What an item says, as a JSON object in one line; values as everywhere (see `writeValue`). `extra` are further members. */
export function itemText(item: WatchItem, extra: Facts = {}): string {
  const { kind } = item;
  switch (kind) {
    case "missed":
      return objectText({ kind, ...extra });
    case "gap":
      return objectText({ kind, why: item.why, shard: item.shard, ...extra });
    case "snapshot": {
      const { shard, first, done, entries } = item;
      const texts = entries.map(({ key, version, payload }) => objectText({ key, version }, payload));
      return `${objectText({ kind, shard, first, done, ...extra }).slice(0, -1)},"entries":[${texts.join(",")}]}`;
    }
    default: {
      const { key, version, revision, shard, omitted, payload } = item;
      return objectText({ kind, key, version, revision, shard, omitted, ...extra }, payload);
    }
  }
}

function objectText(facts: Facts, payload?: Parameters<typeof writeValue>[0]): string {
  const text = JSON.stringify(facts);
  return payload === undefined ? text : `${text.slice(0, -1)},${writeValue(payload)}}`;
}
