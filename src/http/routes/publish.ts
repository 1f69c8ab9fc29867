import { requireKey } from "../../auth/grant.ts";
import { checkPrefix } from "../../protocol/key.ts";
import { payloadCodec } from "../../runtime/codec.ts";
import { maxPublishBytes } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import { refuseFence } from "../fence.ts";
import { json, type Route } from "../route.ts";
import { publishQuery } from "../schemas/watch.ts";
import { decodeKey } from "../target.ts";
import { keyOf, payloadOf } from "./keys.ts";

function prefixOf(call: Call): string {
  const prefix = decodeKey(call.rest, "key");
  checkPrefix(prefix);
  requireKey(call.grant, prefix, "prefix");
  return prefix;
}

async function publish(call: Call): Promise<Response> {
  const options = call.mutationOptions();
  refuseFence(call.request.headers);
  const { prefix = false, retained = false } = call.query(publishQuery);
  const target = prefix ? { prefix: prefixOf(call) } : { key: keyOf(call) };
  const payload = await payloadOf(call, maxPublishBytes);
  const { opId, cursors } = await call.warp.publish(target, payload, {
    ...options,
    retained,
    codec: payloadCodec,
  });
  return json({ opId, revisions: cursors });
}

/** Messages to those who watch. */
export const publishRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/publish/{key+}",
    access: "write",
    query: publishQuery,
    run: publish,
  },
];
