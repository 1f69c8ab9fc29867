import { type Grant, requireKey } from "../../auth/grant.ts";
import type { InvalidateTarget } from "../../core/types.ts";
import { WarpError } from "../../errors.ts";
import { checkKey, checkPrefix } from "../../protocol/key.ts";
import { maxBatchBytes, maxBatchOperations } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import { refuseFence } from "../fence.ts";
import { json, type Route } from "../route.ts";
import { invalidateBody } from "../schemas/invalidate.ts";

function targetOf(
  body: {
    readonly keys?: readonly string[] | undefined;
    readonly prefix?: string | undefined;
    readonly tags?: readonly string[] | undefined;
  },
  grant: Grant,
): InvalidateTarget {
  const { keys, prefix, tags } = body;
  if (Number(keys !== undefined) + Number(prefix !== undefined) + Number(tags !== undefined) !== 1) {
    throw new WarpError("invalid_argument", 'name exactly one of "keys", "prefix" and "tags"');
  }
  if (tags !== undefined) {
    // Values with a tag lie anywhere in the space.
    requireKey(grant, "", "space");
    return { tags };
  }
  if (prefix !== undefined) {
    checkPrefix(prefix);
    requireKey(grant, prefix, "prefix");
    return { prefix };
  }
  const list = keys ?? [];
  if (list.length === 0) throw new WarpError("invalid_argument", '"keys" is empty');
  if (list.length > maxBatchOperations) {
    throw new WarpError("batch_too_large", `at most ${maxBatchOperations} keys at once`, {
      details: { count: list.length, max: maxBatchOperations },
    });
  }
  for (const key of list) {
    checkKey(key);
    requireKey(grant, key, "key");
  }
  return { keys: list };
}

async function invalidate(call: Call): Promise<Response> {
  const options = call.mutationOptions();
  refuseFence(call.request.headers);
  const body = await call.body(invalidateBody, { maxBytes: maxBatchBytes });
  const target = targetOf(body, call.grant);
  if (body.scope === "local") {
    await call.warp.invalidateLocal(target);
    return json({ scope: "local" });
  }
  const { opId, cursors } = await call.warp.invalidate(target, options);
  return json({ scope: "global", opId, revisions: cursors });
}

/** Dropping copies. */
export const invalidateRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/invalidate",
    access: "invalidate",
    body: invalidateBody,
    run: invalidate,
  },
];
