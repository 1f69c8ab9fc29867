import { WarpError } from "../../errors.ts";
import { isLeaseId } from "../../protocol/key.ts";
import { checkMessage } from "../checks.ts";
import type { BusEvent, BusMessage, LeaseEvent } from "../syncbus.ts";
import { targetOf } from "../touches.ts";

/** What goes over the channel: one burst of one node. Unknown members are ignored. */
export interface BurstFrame {
  readonly warp: 1;
  readonly node: string;
  readonly events: readonly (BusMessage & { readonly id: string })[];
  /** Leases that have ended. Absent: none. */
  readonly leases?: readonly { readonly lease: string; readonly id: string }[];
}

const maxIdLength = 128;

/** The events of a frame. Throws `protocol_mismatch` for another version, `invalid_frame` for what is no frame. */
export function readFrame(data: unknown): {
  readonly node: string;
  readonly events: readonly BusEvent[];
  readonly leases: readonly LeaseEvent[];
} {
  const { warp, node, events, leases = [] } = record(data);
  if (warp !== 1) throw new WarpError("protocol_mismatch", "a burst on the channel is of another version");
  if (!isId(node) || !Array.isArray(events) || !Array.isArray(leases)) throw invalid();
  return {
    node,
    events: events.map((event: unknown) => readEvent(node, event)),
    leases: leases.map((event: unknown) => readLease(node, event)),
  };
}

function readLease(node: string, data: unknown): LeaseEvent {
  const { id, lease } = record(data);
  if (!isId(id) || typeof lease !== "string" || !isLeaseId(lease)) throw invalid();
  return { lease, id, node };
}

function readEvent(node: string, data: unknown): BusEvent {
  const { id, key, prefix, tag } = record(data);
  if (!isId(id)) throw invalid();
  const message = one(key, prefix, tag);
  try {
    checkMessage(message, { scope: false });
  } catch (error) {
    throw WarpError.from(error, "invalid_frame", "a burst on the channel names no key");
  }
  return { ...message, id, node };
}

function one(key: unknown, prefix: unknown, tag: unknown): BusMessage {
  if (typeof key === "string") return targetOf({ key });
  if (typeof prefix === "string") return targetOf({ prefix });
  if (typeof tag === "string") return targetOf({ tag });
  throw invalid();
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= maxIdLength;
}

function record(data: unknown): Readonly<Record<string, unknown>> {
  if (typeof data !== "object" || data === null) throw invalid();
  return data as Readonly<Record<string, unknown>>;
}

function invalid(): WarpError {
  return new WarpError("invalid_frame", "a message on the channel is no burst of events");
}
