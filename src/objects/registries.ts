import type { Backings } from "../backing/backings.ts";
import { WarpError } from "../errors.ts";
import type { Fallback } from "../fallback/fallback.ts";
import type { BackingRegistry } from "../shard/behind.ts";
import type { FallbackRegistry } from "../shard/follow-slot.ts";

/** The storages of a deployment, for its shards: what works with them is loaded by the first space that has one. */
export function backingRegistry(backings: Backings): BackingRegistry {
  return {
    names: Object.keys(backings),
    load: () => import("../shard/backing/behind.ts"),
    open: (name, space) => driverOf(backings, name)(space),
  };
}

/** The ways around shards, for the shards that follow what is proposed there. */
export function fallbackRegistry(
  fallbacks: Readonly<Record<string, (space: string) => Fallback | Promise<Fallback>>>,
): FallbackRegistry {
  return {
    names: Object.keys(fallbacks),
    load: () => import("../shard/fallback/follower.ts"),
    open: (name, space) => driverOf(fallbacks, name)(space),
  };
}

/** The driver's maker. Throws `misconfigured` for a name that the deployment does not know, or no longer. */
function driverOf<M>(makers: Readonly<Record<string, M>>, name: string): M {
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined;
  if (make === undefined) throw new WarpError("misconfigured", `the deployment knows no ${name}`);
  return make;
}
