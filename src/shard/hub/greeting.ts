import { WarpError } from "../../errors.ts";
import { isWatcher } from "../../protocol/wire/caller.ts";
import { type ClientFrame, wireVersion } from "../../protocol/wire/frames.ts";
import type { Clock } from "../../runtime/clock.ts";
import { heartbeatMs, nodeLeaseMs } from "../../runtime/limits.ts";
import type { PublishedLog } from "../published-log.ts";
import { unwrittenEpoch } from "../unwritten.ts";
import type { Session } from "./session.ts";
import { maxFrameOf } from "./session-limits.ts";

/** What a greeting asks of the shard. */
export interface Greeter {
  readonly published: Pick<PublishedLog, "position" | "page" | "isBehind">;
  /** Of the space; 0 where it is not known, since nothing was ever written here. */
  readonly shards: number;
  renew(): Promise<void>;
  /** Applies what was proposed around the shard, up to a place. Absent: nothing can be. */
  drain?(place: string): Promise<void>;
}

/**
 * Answers `hello` with `welcome`, and puts the session where its pushes begin: after its cursor if the log still reaches back to it, else at
 * the head. Throws `protocol_mismatch`, and what is in the way of applying what the node has proposed.
 */
export async function greet(
  session: Session,
  { v, node, zone, cursor, follow = true, fallback }: Extract<ClientFrame, { t: "hello" }>,
  shard: Greeter,
  clock: Clock,
  joined: () => void,
): Promise<void> {
  if (v !== wireVersion) {
    throw new WarpError("protocol_mismatch", `this shard speaks version ${wireVersion} of warp.v1`, {
      details: { version: wireVersion },
    });
  }
  const { caller } = session;
  if (follow && isWatcher(caller)) {
    throw new WarpError("forbidden", "who is no node may not follow the log: say follow false");
  }
  // Who is no node proposes nothing, and is not to have the stream looked at.
  if (fallback !== undefined && !isWatcher(caller)) await shard.drain?.(fallback);
  const said = { node, zone: zone ?? caller.zone, follow };
  // A session that follows gets what is committed from this very moment on.
  const { published } = shard;
  if (follow && cursor !== undefined && published.isBehind(cursor)) await shard.renew();
  const head = published.position ?? { epoch: unwrittenEpoch, revision: 0 };
  const resumed =
    !follow || cursor === undefined
      ? "fresh"
      : cursor.epoch === head.epoch && published.page(cursor.revision) !== undefined
        ? "replay"
        : "gap";
  session.position = resumed === "replay" && cursor !== undefined ? cursor : head;
  session.keep({ said }, clock.now());
  // In the same stretch: from here on it is a member, and strong writes may speak to it.
  if (!isWatcher(caller)) joined();
  session.send({
    t: "welcome",
    session: session.id,
    subject: caller.subject,
    ...head,
    heartbeatMs,
    leaseMs: follow ? nodeLeaseMs : 0,
    maxFrameBytes: maxFrameOf(caller),
    resumed,
    shards: shard.shards,
    nowMs: clock.now(),
    ...(caller.expiresAtMs === undefined ? {} : { expiresAtMs: caller.expiresAtMs }),
  });
}
