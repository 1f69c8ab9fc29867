import {
  ceilingMaxValueBytes,
  defaultMaxValueBytes,
  defaultMessagesPerSecond,
  defaultSocketsPerSubject,
  defaultWatchesPerSubject,
  maxMessagesPerSecond,
  maxSocketsPerSubject,
  maxWatchesPerSubject,
} from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";
import {
  defaultRelayWatchers,
  defaultShardWatchers,
  defaultSocketRate,
  maxRelayWatchers,
  maxSocketRate,
} from "../runtime/relay-limits.ts";

/** A whole number from a variable of the deployment; `fallback` where it is not set. Throws `invalid_argument` that names it. */
export function parseWhole(
  field: string,
  text: string | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  if (text === undefined || text === "") return fallback;
  const found = /^[0-9]{1,9}$/.test(text) ? Number(text) : -1;
  checkWhole("invalid_argument", field, found, min, max);
  return found;
}

/**
 * The largest value a deployment takes, from `WARP_MAX_VALUE_BYTES`: 1 to 1,900,000 bytes, 1,048,576 if not set. Throws
 * `invalid_argument`. The edge and the shards read the same variable.
 */
export function parseMaxValueBytes(text: string | undefined): number {
  return parseWhole("WARP_MAX_VALUE_BYTES", text, defaultMaxValueBytes, 1, ceilingMaxValueBytes);
}

/** What those who are no nodes, and no administrators, may do in one object. */
export interface SessionBounds {
  /** Sockets of one subject. */
  readonly socketsPerSubject: number;
  /** Watches of all sessions of one subject. */
  readonly watchesPerSubject: number;
  /** Messages of one session a second; five seconds' worth may come at once. */
  readonly messagesPerSecond: number;
}

export const defaultSessionBounds: SessionBounds = {
  socketsPerSubject: defaultSocketsPerSubject,
  watchesPerSubject: defaultWatchesPerSubject,
  messagesPerSecond: defaultMessagesPerSecond,
};

/** The variables of {@link SessionBounds}. */
export interface SessionEnvironment {
  /** 1 to 100,000; default 1,000. */
  readonly WARP_MAX_SOCKETS_PER_SUBJECT?: string | undefined;
  /** 1 to 10,000,000; default 20,000. */
  readonly WARP_MAX_WATCHES_PER_SUBJECT?: string | undefined;
  /** 1 to 100,000; default 200. */
  readonly WARP_MAX_MESSAGES_PER_SECOND?: string | undefined;
}

/** Throws `invalid_argument` that names the variable. */
export function parseSessionBounds(env: SessionEnvironment): SessionBounds {
  const read = (name: keyof SessionEnvironment, fallback: number, max: number): number =>
    parseWhole(name, env[name], fallback, 1, max);
  return {
    socketsPerSubject: read("WARP_MAX_SOCKETS_PER_SUBJECT", defaultSocketsPerSubject, maxSocketsPerSubject),
    watchesPerSubject: read("WARP_MAX_WATCHES_PER_SUBJECT", defaultWatchesPerSubject, maxWatchesPerSubject),
    messagesPerSecond: read("WARP_MAX_MESSAGES_PER_SECOND", defaultMessagesPerSecond, maxMessagesPerSecond),
  };
}

/** The variables that say where watchers go, and how many at a time. All are optional strings. */
export interface WatcherEnvironment {
  /** Watchers that a shard serves itself before it sends others to relays: 0 to 10,000, default 200. */
  readonly WARP_SHARD_WATCHERS?: string | undefined;
  /** Watchers of one relay: 1 to 10,000, default 1,000. */
  readonly WARP_RELAY_WATCHERS?: string | undefined;
  /** Sockets that one object takes a second: 1 to 100,000, default 500. */
  readonly WARP_SOCKETS_PER_SECOND?: string | undefined;
}

/** Throws `invalid_argument` that names the variable. */
export function parseWatchers(env: WatcherEnvironment): {
  readonly shard: number;
  readonly relay: number;
  readonly socketsPerSecond: number;
} {
  const { WARP_SHARD_WATCHERS, WARP_RELAY_WATCHERS, WARP_SOCKETS_PER_SECOND } = env;
  return {
    shard: parseWhole("WARP_SHARD_WATCHERS", WARP_SHARD_WATCHERS, defaultShardWatchers, 0, maxRelayWatchers),
    relay: parseWhole("WARP_RELAY_WATCHERS", WARP_RELAY_WATCHERS, defaultRelayWatchers, 1, maxRelayWatchers),
    socketsPerSecond: parseWhole(
      "WARP_SOCKETS_PER_SECOND",
      WARP_SOCKETS_PER_SECOND,
      defaultSocketRate,
      1,
      maxSocketRate,
    ),
  };
}
