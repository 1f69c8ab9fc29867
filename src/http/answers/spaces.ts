import { requireKey } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import type { SpaceOptionsData } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type { Call } from "../call.ts";
import { json } from "../route.ts";
import { spaceBody } from "../schemas/spaces.ts";

function plain(space: SpaceSettings, registrations: number): object {
  const { name, shards, strict, createdAtMs, storage, fallback } = space;
  return { name, shards, strict, storage, fallback, createdAtMs, registrationVersion: registrations };
}

function missing(): WarpError {
  return new WarpError("space_not_found", "the space does not exist");
}

/** `GET …`. */
export async function getSpace(call: Call): Promise<Response> {
  // Figures of the whole space are for those who may read all of it.
  requireKey(call.grant, "", "space");
  const { spaces } = call.deployment;
  const found = await spaces.get(call.space, call.callOptions);
  if (found === undefined) throw missing();
  const { keys, valueBytes, logEntries, databaseBytes, outbox, shards } = await spaces.usage(
    call.space,
    call.callOptions,
  );
  const usage = { keys, valueBytes, logEntries, databaseBytes, outbox };
  return json({
    ...plain(found.space, found.registrations),
    usage: {
      ...usage,
      shards: shards.map((shard) => ({
        keys: shard.keys,
        valueBytes: shard.valueBytes,
        logEntries: shard.logEntries,
        databaseBytes: shard.databaseBytes,
        outbox: shard.outbox,
        fallback: shard.fallback,
        revision: `${shard.epoch}.${shard.asOf}`,
      })),
    },
  });
}

/** `PUT …`. */
export async function putSpace(call: Call): Promise<Response> {
  requireKey(call.grant, "", "space");
  const body = await call.body(spaceBody, { whenEmpty: {} });
  // What is left out is no member of it, so that it says nothing against a space that is there.
  const { space, registrations, created } = await call.deployment.spaces.create(
    call.space,
    body as Partial<SpaceOptionsData>,
    call.callOptions,
  );
  return json({ ...plain(space, registrations), created }, created ? 201 : 200);
}

/** `DELETE …`. */
export async function deleteSpace(call: Call): Promise<Response> {
  requireKey(call.grant, "", "space");
  if (!(await call.deployment.spaces.delete(call.space, call.callOptions))) throw missing();
  // Other nodes learn of it within their staleness bound; this one must not answer from what it has just deleted.
  await call.warp.invalidateLocal({ prefix: "" });
  return json({ name: call.space, deleted: true });
}
