import { allowsKey, requireKey, requireVerb } from "../../auth/grant.ts";
import { isWarpError, WarpError } from "../../errors.ts";
import { checkKey, checkLeaseId } from "../../protocol/key.ts";
import type { LeaseCommand, LeaseVerdict } from "../../protocol/lease.ts";
import { scopeOpId } from "../../protocol/operation.ts";
import { maxLockCommands } from "../../runtime/coordination-limits.ts";
import { maxBatchBytes, maxListLimit } from "../../runtime/limits.ts";
import type { Call } from "../call.ts";
import { json } from "../route.ts";
import { grantBody, keepAliveBody, leaseKeysBody, leasePageQuery } from "../schemas/leases.ts";
import { decodePart } from "../target.ts";
import { commandOpId } from "./ports.ts";

/** The id in the path. */
function idOf(call: Call): string {
  const [part = ""] = call.rest.split("/");
  const id = decodePart(part, "the lease's id");
  checkLeaseId(id, "id");
  return id;
}

type Success = Exclude<LeaseVerdict, { readonly outcome: "fail" }>;

async function run(call: Call, command: LeaseCommand): Promise<Success> {
  const [verdict] = await call.warp.leases.driver.run([command], call.callOptions);
  if (verdict === undefined) throw new WarpError("internal", "a command got no verdict");
  if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
  return verdict;
}

function answer(call: Call, facts: object, { replayed }: Success, status = 200): Response {
  const body = { ...facts, opId: call.takenOpId, replayed: replayed === true };
  return json(body, status, replayed === true ? { "Warp-Replayed": "true" } : {});
}

/** `POST …/leases`. */
export async function grantLease(call: Call): Promise<Response> {
  const opId = commandOpId(call);
  const {
    ttlMs,
    onEnd = "invalidate",
    maxLifeMs,
  } = await call.body(grantBody, {
    codes: { maxLifeMs: "invalid_ttl" },
  });
  // Random as the op id is, and the same where the call is repeated.
  const id = call.takenOpId.replaceAll("-", "");
  const life = maxLifeMs === undefined ? {} : { maxLifeMs };
  const verdict = await run(call, { kind: "grant", opId, id, ttlMs, onEnd, ...life });
  const { remainingMs = ttlMs } = verdict;
  return answer(call, { id, ttlMs, remainingMs, onEnd, ...life }, verdict, 201);
}

/** `POST …/leases/{id}/keepalive`. */
export async function keepAlive(call: Call): Promise<Response> {
  const id = idOf(call);
  const verdict = await run(call, { kind: "keepAlive", opId: commandOpId(call), id });
  return answer(call, { id, remainingMs: verdict.remainingMs }, verdict);
}

/** `POST …/leases/keepalive`. */
export async function keepManyAlive(call: Call): Promise<Response> {
  const opId = call.takeOpId();
  const { ids } = await call.body(keepAliveBody);
  checkCount(ids.length);
  const { subject } = call.grant;
  const verdicts = await call.warp.leases.driver.run(
    ids.map((id, index) => ({ kind: "keepAlive", opId: scopeOpId(subject, opId, index), id })),
    call.callOptions,
  );
  const results = verdicts.map((verdict, index) => {
    const id = ids[index];
    if (verdict.outcome === "fail") return { id, ok: false, error: verdict.error };
    return { id, ok: true, remainingMs: verdict.remainingMs };
  });
  return json({ results });
}

function checkCount(ids: number): void {
  if (ids === 0) {
    const details = { field: "ids", min: 1, max: maxLockCommands };
    throw new WarpError("invalid_argument", "name at least one lease", { details });
  }
  if (ids <= maxLockCommands) return;
  throw new WarpError("batch_too_large", `a call keeps at most ${maxLockCommands} leases alive`, {
    details: { field: "ids", ids, max: maxLockCommands },
  });
}

/** `GET …/leases/{id}`. */
export async function showLease(call: Call): Promise<Response> {
  const found = await call.warp.leases.driver.info(idOf(call), call.callOptions);
  if (found === undefined) {
    throw new WarpError("lease_not_found", "there is no such lease, or it has ended");
  }
  return json(found);
}

/** `GET …/leases`. */
export async function listLeases(call: Call): Promise<Response> {
  // A lease is nobody's prefix; its id is known to whom it was told.
  requireKey(call.grant, "", "space");
  const { limit, cursor } = call.query(leasePageQuery);
  const page = await call.warp.leases.driver.list({
    ...call.callOptions,
    ...(limit === undefined ? {} : { limit }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  return json({ items: page.leases, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) });
}

/** An end may delete the keys, so that who has a hand in it must be allowed to. */
function requireMayDelete(call: Call): void {
  requireVerb(call.grant, "write");
  requireVerb(call.grant, "delete");
}

/** Throws `forbidden` where a lease has keys outside of the token's prefixes. One that has ended has none: what became of it is for its command to tell. */
async function requireKeysOf(call: Call, id: string): Promise<void> {
  if (allowsKey(call.grant, "")) return;
  try {
    await requireEachKeyOf(call, id);
  } catch (error) {
    if (!isWarpError(error, "lease_not_found")) throw error;
  }
}

async function requireEachKeyOf(call: Call, id: string): Promise<void> {
  const leases = call.warp.leases.driver;
  let cursor: string | undefined;
  do {
    const from: { readonly cursor?: string } = cursor === undefined ? {} : { cursor };
    const page = await leases.keys(id, { ...call.callOptions, limit: maxListLimit, ...from });
    for (const key of page.keys) requireKey(call.grant, key, "key");
    ({ cursor } = page);
  } while (cursor !== undefined);
}

/** `DELETE …/leases/{id}`. */
export async function revokeLease(call: Call): Promise<Response> {
  requireMayDelete(call);
  const id = idOf(call);
  const opId = commandOpId(call);
  await requireKeysOf(call, id);
  return answer(call, { id, revoked: true }, await run(call, { kind: "revoke", opId, id }));
}

/** `PUT` and `DELETE …/leases/{id}/keys`. */
export function changeKeys(kind: "attach" | "detach"): (call: Call) => Promise<Response> {
  return async (call) => {
    requireMayDelete(call);
    const id = idOf(call);
    const opId = commandOpId(call);
    const { keys } = await call.body(leaseKeysBody, { maxBytes: maxBatchBytes });
    for (const key of keys) {
      checkKey(key);
      requireKey(call.grant, key, "key");
    }
    const verdict = await run(call, { kind, opId, id, keys });
    return answer(call, { id, changed: verdict.changed ?? 0 }, verdict);
  };
}

/** `GET …/leases/{id}/keys`. */
export async function listKeys(call: Call): Promise<Response> {
  const { limit, cursor } = call.query(leasePageQuery);
  const page = await call.warp.leases.driver.keys(idOf(call), {
    ...call.callOptions,
    ...(limit === undefined ? {} : { limit }),
    ...(cursor === undefined ? {} : { cursor }),
  });
  // Those of others are nobody's business; a page may be empty for that, and yet have a next one.
  const items = page.keys.filter((key) => allowsKey(call.grant, key));
  return json({ items, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) });
}
