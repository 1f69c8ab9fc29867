import { requireAnyVerb, requireKey } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { uuidv7Time } from "../../runtime/ids.ts";
import type { Call } from "../call.ts";
import { json } from "../route.ts";
import { resolveQuery, sealBody } from "../schemas/operations.ts";
import { decodePart } from "../target.ts";

/** The op id in the path. */
function opIdOf(call: Call): string {
  const [part = ""] = call.rest.split("/");
  const opId = decodePart(part, "the op id");
  if (uuidv7Time(opId) === undefined) {
    throw new WarpError("invalid_op_id", "the path must name a UUIDv7 in lower case");
  }
  return opId;
}

/** What became of it. Only the caller's own op ids are looked for: they are scoped to the token's subject. */
async function answer(
  call: Call,
  opId: string,
  where: { readonly key?: string | undefined; readonly index?: number | undefined },
  seal: boolean,
): Promise<Response> {
  // Who may change nothing has no operations, and must not leave seals.
  requireAnyVerb(call.grant, ["write", "delete", "invalidate", "lock"]);
  const { key, index } = where;
  if (key !== undefined) {
    checkKey(key);
    requireKey(call.grant, key, "key");
  }
  const resolution = await call.warp.resolve(opId, {
    ...call.callOptions,
    subject: call.grant.subject,
    seal,
    ...(key === undefined ? {} : { key }),
    ...(index === undefined ? {} : { index }),
  });
  const { state } = resolution;
  if (state === "ok") return json({ opId, state, version: resolution.version });
  return json(state === "fail" ? { opId, state, error: resolution.error } : { opId, state });
}

/** `GET …/operations/{opId}`. */
export async function resolveOperation(call: Call): Promise<Response> {
  return await answer(call, opIdOf(call), call.query(resolveQuery), false);
}

/** `POST …/operations/{opId}/seal`. */
export async function sealOperation(call: Call): Promise<Response> {
  const opId = opIdOf(call);
  return await answer(call, opId, await call.body(sealBody, { whenEmpty: {} }), true);
}
