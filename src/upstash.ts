/** What stands on Upstash Redis: an entry of its own, so that only those who use it load its client. */

export type { UpstashAdapterOptions } from "./adapter/upstash/options.ts";
export {
  type UpstashAdapter,
  upstashAdapter,
} from "./adapter/upstash/upstash-adapter.ts";
export {
  type UpstashBacking,
  type UpstashBackingOptions,
  upstashBacking,
} from "./backing/upstash/upstash-backing.ts";
export type { Fallback } from "./fallback/fallback.ts";
export type { FallbackHost, Fallbacks } from "./fallback/fallbacks.ts";
export {
  type UpstashFallbackOptions,
  upstashFallback,
} from "./fallback/upstash/upstash-fallback.ts";
export { type UpstashLocksOptions, upstashLocks } from "./lock/upstash/upstash-locks.ts";
export type { UpstashBusOptions } from "./syncbus/upstash/options.ts";
export { type UpstashBus, upstashBus } from "./syncbus/upstash/upstash-bus.ts";
export type { UpstashPollingOptions } from "./upstash/polling-options.ts";
export type { UpstashOptions } from "./upstash/upstash-options.ts";
export { UpstashRedis } from "./upstash/upstash-redis.ts";
export type { ReadState, UpstashWatchBusOptions } from "./watchbus/upstash/options.ts";
export { type UpstashWatchBus, upstashWatchBus } from "./watchbus/upstash/upstash-watch-bus.ts";
export type { WatchChange } from "./watchbus/upstash/watch-entry.ts";
