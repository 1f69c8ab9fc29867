import { requireKey } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import { checkPrefix, shardOf } from "../../protocol/key.ts";
import { formatETag, parseCursor } from "../../protocol/position.ts";
import type { ListedKey } from "../../protocol/shard-api.ts";
import type { Call } from "../call.ts";
import { remaining, writeValue } from "../record.ts";
import { jsonText, type Route } from "../route.ts";
import { listQuery } from "../schemas/list.ts";

/** The tag of a listed key: `asOf` has one position for each shard. */
function etagOf(item: ListedKey, asOf: readonly string[]): string {
  const position = asOf[shardOf(item.key, asOf.length)];
  if (position === undefined) throw new WarpError("internal", "a page without positions");
  return formatETag(parseCursor(position).epoch, item.version);
}

function writeItem(item: ListedKey, asOf: readonly string[]): string {
  const facts = JSON.stringify({
    key: item.key,
    version: item.version,
    etag: etagOf(item, asOf),
    sizeBytes: item.sizeBytes,
    modifiedAtMs: item.modifiedAtMs,
    tags: item.tags,
    expiresInMs: remaining(item.expiresInMs),
  });
  const value =
    item.payload === undefined
      ? `"contentType":${JSON.stringify(item.contentType)}`
      : writeValue(item.payload);
  return `${facts.slice(0, -1)},${value}}`;
}

async function listKeys(call: Call): Promise<Response> {
  const { prefix, limit, cursor, values } = call.query(listQuery);
  checkPrefix(prefix);
  requireKey(call.grant, prefix, "prefix");
  const page = await call.warp.list({
    ...call.callOptions,
    prefix,
    ...(limit === undefined ? {} : { limit }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(values === undefined ? {} : { values }),
  });
  const items = page.items.map((item) => writeItem(item, page.asOf));
  const rest = JSON.stringify({ cursor: page.cursor, asOf: page.asOf });
  return jsonText(`{"items":[${items.join(",")}],${rest.slice(1)}`);
}

/** Keys by prefix. */
export const listRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/keys",
    access: "read",
    query: listQuery,
    run: listKeys,
  },
];
