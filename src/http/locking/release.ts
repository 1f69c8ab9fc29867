import { requireVerb } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import type { Call } from "../call.ts";
import { json } from "../route.ts";
import { releaseQuery } from "../schemas/locks.ts";
import { runCommand } from "./acquire.ts";
import { given, grantOf, lockNameOf } from "./names.ts";
import { commandOpId } from "./ports.ts";

/** `DELETE` of a lock or an election: releases a grant, or leaves a queue, or ends what others hold. */
export async function endGrant(call: Call): Promise<Response> {
  const query = call.query(releaseQuery);
  const { owner, fence, ticket, force } = query;
  requireVerb(call.grant, force === true ? "admin" : "lock");
  const name = lockNameOf(call);
  const opId = commandOpId(call);
  const run = async (command: Parameters<typeof runCommand>[1]) => {
    const verdict = await runCommand(call.warp.locks.driver, command, call.callOptions);
    if (verdict.state !== "ended") throw new WarpError("internal", "an end was said to be something else");
    const { count, replayed } = verdict;
    return { count, headers: replayed === true ? { "Warp-Replayed": "true" } : undefined };
  };
  if (force === true) {
    if (owner !== undefined || ticket !== undefined) throw together("force");
    const by = call.grant.subject;
    const { count, headers } = await run({
      kind: "force",
      opId,
      name,
      by,
      ...(fence === undefined ? {} : { fence }),
    });
    return json({ name, forced: count }, 200, headers);
  }
  if (ticket !== undefined) {
    if (fence !== undefined) throw together("ticket");
    const { headers } = await run({ kind: "cancel", opId, name, owner: given(owner, "owner"), ticket });
    return json({ name, cancelled: true }, 200, headers);
  }
  const { count, headers } = await run({ kind: "release", opId, name, ...grantOf(query) });
  return json({ name, released: count === 0, count }, 200, headers);
}

function together(field: "force" | "ticket"): WarpError {
  const message =
    field === "force"
      ? '"force" goes alone, or with "fence"; it needs no owner'
      : 'either "fence" releases a grant, or "ticket" leaves a queue';
  return new WarpError("invalid_argument", message, { details: { field } });
}
