import type { Caller } from "../../protocol/wire/caller.ts";
import type { Socket } from "../../runtime/socket.ts";
import type { SubscriptionRecord } from "./watch/subscription.ts";

/** A socket at the shard's end. */
export interface HubSocket extends Pick<Socket, "send" | "close"> {
  /** Plain data, at most 16 KiB, that stays with the socket when the instance goes and the socket stays; undefined: none. */
  attachment: unknown;
  /** Wall-clock ms of the last beat that the host answered by itself; absent or undefined: none that it knows of. */
  readonly lastBeatMs?: number | undefined;
}

/** What a session said of itself. */
export interface Introduction {
  readonly node: string;
  readonly zone: string | undefined;
  readonly follow: boolean;
}

/** All of a session that must outlive the instance: its socket's attachment. */
export interface SessionRecord {
  readonly format: 1;
  readonly session: string;
  readonly openedAtMs: number;
  readonly caller: Caller;
  /** How its frames are written; absent: as JSON. */
  readonly codec?: "msgpack";
  /** Undefined before `hello`. */
  readonly said: Introduction | undefined;
  /** Up to where entries were pushed, or a little more by now. */
  readonly epoch: string;
  readonly revision: number;
  /** The last number of an invalidation. */
  readonly inv: number;
  /** How others know it where it shows itself; absent: it has not yet. */
  readonly member?: string;
  /** It was not told of all that has changed there, and will be told all. */
  readonly isOutdated?: boolean;
  /** What it watches; absent or undefined: nothing. */
  readonly watch?: WatchRecord | undefined;
}

/** What a session watches, and where those of its subscriptions stand that are live. */
export interface WatchRecord {
  readonly epoch: string;
  readonly revision: number;
  /** Absent: they are in the database, since there are too many. */
  readonly subscriptions?: readonly SubscriptionRecord[];
  readonly isStored?: true;
}

/** The record of a session that begins. */
export function newRecord(session: string, caller: Caller, openedAtMs: number): SessionRecord {
  const { codec } = caller;
  const begun = {
    format: 1,
    session,
    openedAtMs,
    caller,
    said: undefined,
    epoch: "",
    revision: 0,
    inv: 0,
  } as const;
  return codec === undefined ? begun : { ...begun, codec };
}

/** The record in an attachment; undefined where there is none that this version can read. */
export function readRecord(attachment: unknown): SessionRecord | undefined {
  const record = attachment as SessionRecord | null | undefined;
  return typeof record === "object" && record !== null && record.format === 1 ? record : undefined;
}
