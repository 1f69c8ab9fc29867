import { shardOf } from "../protocol/key.ts";
import type { Position } from "../protocol/position.ts";
import type { ListedKey, StoredEntry } from "../protocol/shard-api.ts";
import { maxListBytes, maxListLimit } from "../runtime/limits.ts";
import { mergePages } from "./merge-pages.ts";
import { positionOf, type ShardCalls } from "./shard-calls.ts";
import { gather, groupByShard } from "./shard-groups.ts";

/** What a list asks for. */
export interface SpaceListRequest {
  readonly prefix: string;
  readonly after: string | undefined;
  /** 1 to 1,000. */
  readonly limit: number;
  readonly values: boolean;
}

/** A page over all shards. */
export interface SpacePage {
  readonly items: readonly ListedKey[];
  /** The next page comes after this key; undefined: there is none. */
  readonly next: string | undefined;
  /** One for each shard, in order. */
  readonly asOf: readonly Position[];
}

/** Names that the storage behind a space has, in no order. */
export interface StoredPage {
  readonly keys: readonly string[];
  /** Undefined: that was the last page. */
  readonly cursor: string | undefined;
}

/** One page of what the storage behind a space has under a prefix. Nobody is asked where there is none. */
export async function storedKeys(calls: ShardCalls, prefix: string, cursor = ""): Promise<StoredPage> {
  if (calls.space.storage === undefined) return { keys: [], cursor: undefined };
  const { stored } = await calls.ask("read", 0, (api, scope) =>
    api.list({ ...scope, prefix, limit: maxListLimit, values: false, stored: cursor }),
  );
  return { keys: stored?.keys ?? [], cursor: stored?.cursor };
}

/** One page over all shards of a space. */
export async function listSpace(calls: ShardCalls, request: SpaceListRequest): Promise<SpacePage> {
  const { prefix, after, limit } = request;
  // From several shards the keys alone first: else each would send a page of values, and most would be thrown away.
  const values = request.values && calls.space.shards === 1;
  const pages = await calls.askAll("read", (api, scope) =>
    api.list({ ...scope, prefix, limit, values, ...(after === undefined ? {} : { after }) }),
  );
  const asOf = pages.map((page, shard) => positionOf(shard, page));
  const page = mergePages(pages, limit);
  const next = page.more ? page.items.at(-1)?.key : undefined;
  if (!request.values || values) return { items: page.items, next, asOf };
  const items = withinBytes(page.items);
  return {
    items: await withValues(calls, items),
    next: items.length < page.items.length ? items.at(-1)?.key : next,
    asOf,
  };
}

/** The listed keys with their values as they are now; keys that went meanwhile are left out. */
async function withValues(calls: ShardCalls, items: readonly ListedKey[]): Promise<readonly ListedKey[]> {
  const { shards } = calls.space;
  const groups = groupByShard(items, ({ key }) => shardOf(key, shards), shards);
  const answers = await Promise.all(
    groups.map((group) =>
      calls.read(
        group.shard,
        group.items.map(({ key }) => key),
      ),
    ),
  );
  return gather(groups, answers).flatMap(([{ answer }]) => (answer === undefined ? [] : [listed(answer)]));
}

function listed({ payload, ...entry }: StoredEntry): ListedKey {
  return { ...entry, sizeBytes: payload.bytes.length, contentType: payload.contentType, payload };
}

/** As many of `items` as have at most 4 MiB of values together, but at least one. */
function withinBytes(items: readonly ListedKey[]): readonly ListedKey[] {
  let bytes = 0;
  const end = items.findIndex(({ sizeBytes }, at) => {
    bytes += sizeBytes;
    return at > 0 && bytes > maxListBytes;
  });
  return end < 0 ? items : items.slice(0, end);
}
