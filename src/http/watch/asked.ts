import { callerOf } from "../../auth/caller-of.ts";
import { requireKey } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import type { WatchMode, WatchOperation, WatchTarget } from "../../protocol/watch.ts";
import { checkTarget } from "../../protocol/watch-rules.ts";
import type { WatchOptions } from "../../watchbus/watchbus.ts";
import type { Call } from "../call.ts";
import type { ShardWatches, WatchDoor } from "../deployment.ts";
import { zoneOf } from "../zone.ts";

/** What a watch is asked for with, whatever the route. */
interface Asked {
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  readonly mode?: WatchMode | undefined;
  readonly ops?: string | undefined;
}

/** Throws `invalid_argument` unless it names a key or a prefix, `invalid_key`, `forbidden`. */
export function targetOf(call: Call, { key, prefix }: Asked): WatchTarget {
  const target = {
    ...(key === undefined ? {} : { key }),
    ...(prefix === undefined ? {} : { prefix }),
  } as WatchTarget;
  checkTarget(target);
  if (key === undefined) requireKey(call.grant, prefix ?? "", "prefix");
  else requireKey(call.grant, key, "key");
  return target;
}

/** Mode, operations, beginning, and how long that may take; what is wrong with them is found when the watch begins. */
export function optionsOf(
  { callOptions }: Call,
  { mode, ops }: Asked,
  from: string | undefined,
): WatchOptions & Call["callOptions"] {
  return {
    ...callOptions,
    ...(mode === undefined ? {} : { mode }),
    ...(ops === undefined ? {} : { ops: ops.split(",") as WatchOperation[] }),
    ...(from === undefined ? {} : { from: from === "now" || from === "snapshot" ? from : { cursor: from } }),
  };
}

/** The watches of the caller. Throws `unsupported`. */
export function watchesOf(call: Call): { readonly door: WatchDoor; readonly watches: ShardWatches } {
  const door = call.deployment.watching;
  if (door === undefined) throw new WarpError("unsupported", "this host opens no watches");
  const { grant, space, request } = call;
  const place = { space, shard: 0, zone: zoneOf(request), follows: false };
  return { door, watches: door.open(callerOf(grant, place)) };
}
