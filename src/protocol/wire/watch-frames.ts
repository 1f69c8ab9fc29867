/**
 * The part of `warp.v1` that is about watches. A session opens subscriptions by numbers of its own. What a subscription has missed comes in frames with its
 * number; once it is *live*, in frames without one, which are for all live subscriptions of the session: the node knows what each of them wants.
 * Entries may come again after a reconnection of the shard's own: what is not beyond a subscription's position is to be left out.
 */

import type { ErrorData } from "../../errors.ts";
import { fromBase64 } from "../../runtime/bytes.ts";
import type { Payload } from "../payload.ts";
import type { WatchKind, WatchMode, WatchOperation } from "../watch.ts";
import type { HereFrame, PresenceFrame } from "./presence-frames.ts";

/** Where a watch begins: with what comes, with the state, or after a place in the log. */
export type WatchStart = "now" | "snapshot" | { readonly epoch: string; readonly revision: number };

/** From the node. */
export type WatchClientFrame =
  | HereFrame
  /** Opens a subscription to a key or, without one, to a prefix. Answered by `on` or `end`. */
  | {
      readonly t: "sub";
      /** Of the session's own choice; not that of another open one. */
      readonly id: number;
      readonly key?: string;
      readonly prefix?: string;
      readonly mode: WatchMode;
      readonly from: WatchStart;
      /** Absent: all. */
      readonly ops?: readonly WatchOperation[];
      /** Who is shown at exactly this target is to be told, too (`pres`). */
      readonly presence?: true;
    }
  /** Ends one; an unknown one has ended already. Not answered. */
  | { readonly t: "unsub"; readonly id: number }
  /** Brings a newer token of the same subject; answered by `ok` or `err`. Subscriptions that it does not allow end. */
  | { readonly t: "auth"; readonly id: number; readonly token: string };

/** Bytes of a value as they stand in a row: in base64, or as they are where frames are MessagePack. */
export type WireBytes = string | Uint8Array;

/** Throws where they are not base64. */
export function bytesOfWire(bytes: WireBytes): Uint8Array {
  return typeof bytes === "string" ? fromBase64(bytes) : bytes;
}

/**
 * One entry: revision, kind, key (or prefix), version after it (0: absent). Where it brought a value that a subscription wants, its content type follows and
 * the value, or null if it is left out: it was too large for the log, or has been in it for too long.
 */
export type WireEvent =
  | readonly [revision: number, kind: WatchKind, key: string, version: number]
  | readonly [
      revision: number,
      kind: WatchKind,
      key: string,
      version: number,
      type: string,
      value: WireBytes | null,
    ];

/** One key of a snapshot; with its content type and value where they are wanted. */
export type WireState =
  | readonly [key: string, version: number]
  | readonly [key: string, version: number, type: string, value: WireBytes];

/** One publication that the log does not keep: content type, value. */
export type WireMessage = readonly [
  kind: "publish" | "publishPrefix",
  key: string,
  type: string,
  value: WireBytes,
];

/** From the shard. */
export type WatchServerFrame =
  | PresenceFrame
  /** The subscription stands at this place of the log. `live`: from now on frames without a number are for it, too. Without: others come before that. */
  | {
      readonly t: "on";
      readonly id: number;
      readonly epoch: string;
      readonly revision: number;
      readonly live?: true;
    }
  /** Entries of `(after, to]`, in order, that concern the subscription or, without `id`, any live one of the session. None: only the position is told. */
  | {
      readonly t: "we";
      readonly id?: number;
      readonly epoch: string;
      readonly after: number;
      readonly to: number;
      readonly es: readonly WireEvent[];
    }
  /**
   * The next keys of a snapshot, in order of their bytes: all keys up to the last of them are as they were at `to`. `first`: a snapshot begins, what was held
   * is void. Between two pages come the changes of keys that were told. `done`: there are no more keys, the state at `to` is complete.
   */
  | {
      readonly t: "snap";
      readonly id: number;
      readonly epoch: string;
      readonly to: number;
      readonly es: readonly WireState[];
      readonly first?: true;
      readonly done?: true;
    }
  /** Publications that the log does not keep. */
  | { readonly t: "msg"; readonly es: readonly WireMessage[] }
  /** So many of them were left out, because the session took in too little. */
  | { readonly t: "missed"; readonly n: number }
  /** The subscription is over. */
  | { readonly t: "end"; readonly id: number; readonly e: ErrorData };

/** What an entry brought; `omitted`: it is not here. Throws where the value is not base64. */
export function eventPayload(event: WireEvent): Payload | "omitted" | undefined {
  const [, , , , contentType, value] = event;
  if (contentType === undefined) return undefined;
  return value === null || value === undefined ? "omitted" : { bytes: bytesOfWire(value), contentType };
}
