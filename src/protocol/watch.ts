/**
 * What is watched: the changes of one key, or of all keys that begin with a prefix, and what was published to them. A watcher is told every
 * entry of the log that concerns it, in the order of the log (rule WA2).
 */

import type { CallScope, Refusal, ShardStamp } from "./call-scope.ts";
import type { Verdict } from "./operation.ts";
import type { Payload } from "./payload.ts";

/** A publication to a key, or to all whose names a prefix begins. */
export type PublicationKind = "publish" | "publishPrefix";

/** What a watcher may be told of, and is unless it says otherwise. */
export const watchOperations = ["set", "delete", "expire", "publish"] as const;
export type WatchOperation = (typeof watchOperations)[number];

/** The kinds of entries that watchers hear of. */
export type WatchKind = WatchOperation | "publishPrefix";

/**
 * How much a watcher wants: every entry with its value; of each key the newest only, where several wait; or, of each key the newest,
 * without its value.
 */
export const watchModes = ["all", "latest", "keys"] as const;
export type WatchMode = (typeof watchModes)[number];

/** One key, or all that begin with a prefix (the empty one begins all): rule WA1. */
export type WatchTarget = { readonly key: string } | { readonly prefix: string };

/** Which entries a watcher wants. */
export interface WatchFilter {
  readonly target: WatchTarget;
  readonly mode: WatchMode;
  /** Absent: all of `watchOperations`. */
  readonly ops?: readonly WatchOperation[];
}

/**
 * Whether a watcher of `target` is told of a publication or change of `key`; with `isPrefix`, of one to the prefix `key`: it reaches whom it begins
 * and who begins it.
 */
export function concerns(target: WatchTarget, key: string, isPrefix: boolean): boolean {
  if ("key" in target) return isPrefix ? target.key.startsWith(key) : target.key === key;
  return key.startsWith(target.prefix) || (isPrefix && target.prefix.startsWith(key));
}

/** Whether all that `target` can name lies within one of some prefixes. Undefined: everything does. */
export function isWithin(target: WatchTarget, prefixes: readonly string[] | undefined): boolean {
  const name = "key" in target ? target.key : target.prefix;
  return prefixes === undefined || prefixes.some((prefix) => name.startsWith(prefix));
}

/** Bytes for those who watch. */
export interface Publication {
  readonly target: WatchTarget;
  readonly payload: Payload;
}

export interface PublishRequest extends CallScope, Publication {
  /** What tells a repeat. */
  readonly opId: string;
  /**
   * It is kept in the log, at a revision of its own, and told to who resumes later, too. Else it goes to those who watch now, and nothing of it
   * is kept: a repeat is told again.
   */
  readonly retained: boolean;
}

export interface PublishReply extends ShardStamp {
  /** Of a retained publication its revision is the log's; of another one 0. */
  readonly verdict: Verdict;
}

/** The part of a shard's calls that is about watchers. */
export interface WatchShardApi {
  publish(request: PublishRequest): Promise<PublishReply | Refusal>;
}
