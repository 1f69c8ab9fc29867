import type * as v from "valibot";
import { requireKey, requireVerb } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import type { LockKind } from "../../protocol/lock.ts";
import { checkLockPrefix } from "../../protocol/lock-rules.ts";
import { defaultLockTtlMs, maxLockPollMs, maxLockValueBytes } from "../../runtime/coordination-limits.ts";
import type { Call } from "../call.ts";
import { type JsonObject, readValue } from "../record.ts";
import { jsonText } from "../route.ts";
import { acquireBody, type campaignBody, lockListQuery, renewBody, statusQuery } from "../schemas/locks.ts";
import { acquire, heldAnswer, heldOf, present, resume, runCommand } from "./acquire.ts";
import { given, grantOf, lockNameOf } from "./names.ts";
import { commandOpId, freshOpId } from "./ports.ts";
import { infoText } from "./shown.ts";

type Wanted = v.InferOutput<typeof campaignBody>;
type Permits = Pick<v.InferOutput<typeof acquireBody>, "permits" | "take">;

/** What may stand beside a ticket: the rest was said when the wait began. */
const resuming: ReadonlySet<string> = new Set(["owner", "ticket", "waitMs", "claim"]);

/** Whether a record carries a value. */
export function hasValue({ json, text, base64, contentType }: JsonObject): boolean {
  return [json, text, base64, contentType].some((member) => member !== undefined);
}

/** Acquires what a body wants, or goes on waiting for it: 201 with the grant, never another success. */
export async function grantAnswer(call: Call, as: LockKind, body: Wanted & Permits): Promise<Response> {
  const name = lockNameOf(call);
  const { ticket } = body;
  if (ticket !== undefined) {
    const other = Object.keys(body).find((member) => !resuming.has(member));
    if (other !== undefined) {
      throw new WarpError(
        "invalid_argument",
        `"${other}" was said when the wait began; it does not go with a ticket`,
        {
          details: { field: other },
        },
      );
    }
    const owner = given(body.owner, "owner");
    const held = await resume(call, { name, owner, ticket }, body.waitMs ?? maxLockPollMs, body.claim);
    return heldAnswer({ name, owner }, held, 201);
  }
  if (body.claim !== undefined) {
    throw new WarpError("invalid_argument", '"claim" goes with a ticket', { details: { field: "claim" } });
  }
  const opId = commandOpId(call);
  const told = call.takenOpId;
  // Made of the op id, so that a repeat of the call is the same owner's.
  const { owner = told, ttlMs = defaultLockTtlMs, waitMs = 0, permits, take, delayMs } = body;
  const value = hasValue(body) ? readValue(body as JsonObject, maxLockValueBytes) : undefined;
  const command = {
    kind: "acquire" as const,
    opId,
    name,
    owner,
    as,
    ttlMs,
    ...(permits === undefined ? {} : { permits }),
    ...(take === undefined ? {} : { take }),
    ...(waitMs === 0 ? {} : { waitMs }),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(value === undefined ? {} : { value }),
  };
  const held = await acquire(call, command, body.holdMs);
  return heldAnswer({ name, owner }, held, 201, told);
}

/** The time to live of a grant begins anew. */
export async function renewAnswer(
  call: Call,
  name: string,
  body: v.InferOutput<typeof renewBody>,
): Promise<Response> {
  const { owner, fence, ttlMs } = body;
  const opId = commandOpId(call);
  const command = {
    kind: "renew",
    opId,
    name,
    owner,
    fence,
    ...(ttlMs === undefined ? {} : { ttlMs }),
  } as const;
  const held = heldOf(await runCommand(call.warp.locks.driver, command, call.callOptions));
  return heldAnswer({ name, owner }, await present(call, { name, owner }, held), 200, call.takenOpId);
}

/** `POST …/locks/{name}`. */
export async function acquireLock(call: Call): Promise<Response> {
  const body = await call.body(acquireBody, { whenEmpty: {} });
  return await grantAnswer(call, body.kind ?? "mutex", body);
}

/** `PATCH …/locks/{name}`. */
export async function renewLock(call: Call): Promise<Response> {
  return await renewAnswer(call, lockNameOf(call), await call.body(renewBody));
}

/** `GET …/locks/{name}`. */
export async function showLock(call: Call): Promise<Response> {
  const query = call.query(statusQuery);
  const name = lockNameOf(call);
  if (query.owner === undefined && query.fence === undefined) {
    requireVerb(call.grant, "read");
    return jsonText(infoText(await call.warp.locks.driver.info(name, call.callOptions)));
  }
  // Only the authority's own commit proves that a grant is live: this is no read of what was so a moment ago.
  requireVerb(call.grant, "lock");
  const { owner, fence } = grantOf(query);
  const command = { kind: "confirm", opId: freshOpId(call), name, owner, fence } as const;
  const held = heldOf(await runCommand(call.warp.locks.driver, command, call.callOptions));
  return heldAnswer({ name, owner }, held, 200);
}

/** `GET …/locks`. */
export async function listLocks(call: Call): Promise<Response> {
  const { prefix, limit, cursor } = call.query(lockListQuery);
  checkLockPrefix(prefix);
  requireKey(call.grant, prefix, "prefix");
  const page = await call.warp.locks.driver.list({
    ...call.callOptions,
    prefix,
    ...(limit === undefined ? {} : { limit }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  const next = page.cursor === undefined ? "" : `,"cursor":${JSON.stringify(page.cursor)}`;
  return jsonText(`{"items":[${page.locks.map(infoText).join(",")}]${next}}`);
}

export { endGrant } from "./release.ts";
