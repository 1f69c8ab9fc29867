/**
 * The part of `warp.v1` that is about who is there (rule WA11). A session shows itself at the target of one of its subscriptions; who subscribes with `presence` is
 * told who is shown at exactly that target. It is state, not history: of each member the newest counts.
 */

import { utf8Length } from "../../runtime/bytes.ts";
import { maxPresenceBytes } from "../../runtime/limits.ts";
import { type Reader, wrongAt } from "./check.ts";

/** From the node: shows its session at the target of subscription `id`, with JSON of at most 1 KiB of its own; null: not any more. Ends with the subscription. */
export interface HereFrame {
  readonly t: "here";
  readonly id: number;
  readonly data: unknown;
}

/** One member, by a name that the shard has given it, and what it shows; null: it has left. */
export type WirePresence = readonly [member: string, data: unknown];

/** From the shard: who is shown at the target of subscription `id`. */
export interface PresenceFrame {
  readonly t: "pres";
  readonly id: number;
  /** These are all there are; else what has changed. */
  readonly all?: true;
  readonly es: readonly WirePresence[];
  /** So many there are; nobody is told by name then, since there are too many. */
  readonly n?: number;
  /** The name of the session itself at this target: told once it shows itself. */
  readonly me?: string;
}

/** What a member shows of itself. */
export const shownData: Reader<unknown> = (value, at) => {
  const json = JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Uint8Array) throw wrongAt(at, "JSON");
    return part;
  }) as string | undefined;
  if (json !== undefined && utf8Length(json) <= maxPresenceBytes) return value;
  throw wrongAt(at, `JSON of at most ${maxPresenceBytes} bytes`);
};
