import { WarpError } from "../../errors.ts";
import { maxLockValueBytes } from "../../runtime/coordination-limits.ts";
import type { Call } from "../call.ts";
import { type JsonObject, readValue } from "../record.ts";
import { jsonText } from "../route.ts";
import { campaignBody, observeQuery, proclaimBody } from "../schemas/locks.ts";
import { heldAnswer, heldOf, present, runCommand } from "./acquire.ts";
import { grantAnswer, hasValue, renewAnswer } from "./lock-answers.ts";
import { lockNameOf } from "./names.ts";
import { commandOpId, patienceMs, waitLimits } from "./ports.ts";
import { eventText, holderText } from "./shown.ts";

/** `POST …/elections/{name}`. */
export async function campaign(call: Call): Promise<Response> {
  return await grantAnswer(call, "election", await call.body(campaignBody, { whenEmpty: {} }));
}

/** `PATCH …/elections/{name}`. */
export async function proclaim(call: Call): Promise<Response> {
  const name = lockNameOf(call);
  const body = await call.body(proclaimBody);
  if (!hasValue(body)) return await renewAnswer(call, name, body);
  const { owner, fence, ttlMs } = body;
  if (ttlMs !== undefined) {
    throw new WarpError("invalid_argument", '"ttlMs" renews, a value proclaims: one of them at a time', {
      details: { field: "ttlMs" },
    });
  }
  const value = readValue(body as JsonObject, maxLockValueBytes);
  const command = { kind: "proclaim", opId: commandOpId(call), name, owner, fence, value } as const;
  const held = heldOf(await runCommand(call.warp.locks.driver, command, call.callOptions));
  return heldAnswer({ name, owner }, await present(call, { name, owner }, held), 200, call.takenOpId);
}

/** `GET …/elections/{name}`. */
export async function leader(call: Call): Promise<Response> {
  const { after, waitMs = 0 } = call.query(observeQuery);
  const name = lockNameOf(call);
  const locks = call.warp.locks.driver;
  const facts = JSON.stringify({ name }).slice(0, -1);
  if (after !== undefined) {
    const partMs = waitMs === 0 ? 0 : patienceMs(call, waitMs);
    const observed = await locks.observe(name, {
      ...waitLimits(call, partMs),
      cursor: after,
      waitMs: partMs,
    });
    const { events, cursor, gap } = observed;
    return jsonText(
      `${facts},"events":[${events.map(eventText).join(",")}],"cursor":${JSON.stringify(cursor)},"gap":${gap}}`,
    );
  }
  if (waitMs !== 0) {
    throw new WarpError("invalid_argument", '"waitMs" goes with "after": the leader is told at once', {
      details: { field: "waitMs" },
    });
  }
  // The cursor first: what comes between the two is told again, and not left out.
  const { cursor } = await locks.observe(name, { ...call.callOptions, waitMs: 0 });
  const { holders, waiters } = await locks.info(name, call.callOptions);
  const one = holders.find(({ kind, offered }) => kind === "election" && offered !== true);
  const shown = one === undefined ? "null" : holderText(one);
  return jsonText(`${facts},"leader":${shown},"candidates":${waiters},"cursor":${JSON.stringify(cursor)}}`);
}

export { endGrant } from "./release.ts";
