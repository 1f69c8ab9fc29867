import type { AuthEnvironment } from "../auth/config.ts";
import { parseStaticRegistrations } from "../core/static-registrations.ts";
import { parseMaxValueBytes, type SessionEnvironment, type WatcherEnvironment } from "../protocol/config.ts";
import type { SpaceEnvironment } from "../protocol/space-options.ts";
import { defaultLogMaxAgeMs, defaultLogMaxEntries } from "../runtime/limits.ts";
import type { ShardOptions } from "../shard/shard.ts";

/** The variables of the Worker's configuration that a shard reads. All are optional strings. */
export interface ShardEnv extends AuthEnvironment, SessionEnvironment, WatcherEnvironment, SpaceEnvironment {
  readonly WARP_MAX_VALUE_BYTES?: string;
  readonly WARP_REGISTRATIONS?: string;
  /** `off`: one commit for each call, for measuring what grouping gains. */
  readonly WARP_GROUP_COMMIT?: string;
}

/** What a shard takes from its configuration. Throws `invalid_argument` naming the variable. */
export function readShardConfig(
  env: ShardEnv,
): Pick<ShardOptions, "maxValueBytes" | "logMaxEntries" | "logMaxAgeMs" | "statics" | "groupCommit"> {
  return {
    maxValueBytes: parseMaxValueBytes(env.WARP_MAX_VALUE_BYTES),
    logMaxEntries: defaultLogMaxEntries,
    logMaxAgeMs: defaultLogMaxAgeMs,
    statics: parseStaticRegistrations(env.WARP_REGISTRATIONS),
    groupCommit: env.WARP_GROUP_COMMIT !== "off",
  };
}
