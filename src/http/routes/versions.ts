import { formatETag, parseCursor } from "../../protocol/position.ts";
import type { Call } from "../call.ts";
import { mutationCondition } from "../conditions.ts";
import { fenceOf } from "../fence.ts";
import { json, type Route } from "../route.ts";
import { historyQuery, restoreBody } from "../schemas/versions.ts";
import { keyOf, mutated } from "./keys.ts";

async function getHistory(call: Call): Promise<Response> {
  const key = keyOf(call);
  const { before, limit } = call.query(historyQuery);
  const page = await call.warp.history(key, {
    ...call.callOptions,
    ...(before === undefined ? {} : { before }),
    ...(limit === undefined ? {} : { limit }),
  });
  const { versions, more, floor, cursor } = page;
  const { epoch } = parseCursor(cursor);
  return json({
    key,
    versions: versions.map(({ version, ...facts }) => ({
      version,
      // What is not there has no tag.
      ...(facts.kind === "set" ? { etag: formatETag(epoch, version) } : {}),
      ...facts,
    })),
    more,
    floor,
    revision: cursor,
  });
}

async function restoreKey(call: Call): Promise<Response> {
  const key = keyOf(call);
  const options = call.mutationOptions();
  const when = mutationCondition(call.request.headers);
  const guard = fenceOf(call.request.headers, call.grant);
  const { version } = await call.body(restoreBody);
  const result = await call.warp.restore(key, version, {
    ...options,
    ...(when === undefined ? {} : { when }),
    ...guard,
  });
  return mutated(call, result, 200, { restored: version });
}

/** What is kept of the past. */
export const versionRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/history/{key+}",
    access: "read",
    query: historyQuery,
    run: getHistory,
  },
  {
    method: "POST",
    path: "/v1/{space}/restore/{key+}",
    access: "write",
    body: restoreBody,
    run: restoreKey,
  },
];
