import { parseUpstash, type UpstashEnvironment, upstashName } from "../protocol/upstash-address.ts";
import type { UpstashRedis } from "../upstash/upstash-redis.ts";
import type { DriverHost, Drivers } from "./driver-host.ts";

/**
 * What stands on the database in the variables; nothing where they name none. Client and drivers are loaded when the first space needs them. Throws
 * `invalid_argument` that names the variable.
 */
export function upstashDrivers(env: UpstashEnvironment): Drivers {
  const address = parseUpstash(env);
  if (address === undefined) return { backings: {}, fallbacks: {} };
  let redis: UpstashRedis | undefined;
  const database = async ({ timers, random }: DriverHost): Promise<UpstashRedis> => {
    const { UpstashRedis } = await import("../upstash/upstash-redis.ts");
    redis ??= new UpstashRedis({ ...address, timers, random });
    return redis;
  };
  return {
    backings: {
      [upstashName]: async (space, host) => {
        const { upstashBacking } = await import("../backing/upstash/upstash-backing.ts");
        return upstashBacking({ redis: await database(host), space, clock: host.clock });
      },
    },
    fallbacks: {
      [upstashName]: async (space, host) => {
        const { upstashFallback } = await import("../fallback/upstash/upstash-fallback.ts");
        return upstashFallback({ redis: await database(host), space });
      },
    },
  };
}
