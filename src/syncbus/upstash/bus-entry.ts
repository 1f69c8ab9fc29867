import { WarpError } from "../../errors.ts";
import { isLeaseId } from "../../protocol/key.ts";
import { utf8Length } from "../../runtime/bytes.ts";
import { maxBusEntryBytes, maxBusEntryMessages } from "../../runtime/upstash-limits.ts";
import { textOf } from "../../upstash/reply.ts";
import { checkMessage } from "../checks.ts";
import type { BusEvent, BusTarget, LeaseEvent } from "../syncbus.ts";

/** What is told: a message or the end of a lease, with the id that every delivery of it has. */
export type Told = (BusTarget | { readonly lease: string }) & { readonly id: string };

/** One entry of the stream: what one node told at once. */
export interface BusEntry {
  readonly node: string;
  /** Unique: that an entry is the very one that was read before. */
  readonly id: string;
  readonly events: readonly BusEvent[];
  readonly leases: readonly LeaseEvent[];
}

/** The field of the stream's entries, and the version of its form. */
export const entryField = "warp1";

/** Cuts what one node tells into entries of a bounded size, in their order. `newId` gives each its own. */
export function writeEntries(node: string, told: readonly Told[], newId: () => string): readonly string[] {
  const texts: string[] = [];
  let list: (readonly string[])[] = [];
  let bytes = 0;
  const end = (): void => {
    texts.push(JSON.stringify({ n: node, i: newId(), e: list }));
    list = [];
    bytes = 0;
  };
  for (const one of told) {
    const item = [...named(one), one.id];
    const size = utf8Length(JSON.stringify(item));
    if (list.length >= maxBusEntryMessages || (list.length > 0 && bytes + size > maxBusEntryBytes)) end();
    list.push(item);
    bytes += size;
  }
  // An entry may tell nothing: it marks a place.
  if (list.length > 0 || texts.length === 0) end();
  return texts;
}

/** Reads what an entry holds, as Redis gave it: its fields and their content in turn. Throws `invalid_frame`, `protocol_mismatch`. */
export function readEntry(fields: readonly unknown[]): BusEntry {
  const [field, content] = fields;
  if (field !== entryField || typeof content !== "string" || fields.length !== 2) {
    throw new WarpError("protocol_mismatch", "an entry of the bus's stream is of another version");
  }
  let data: { readonly n?: unknown; readonly i?: unknown; readonly e?: unknown };
  try {
    data = Object(JSON.parse(textOf(content)));
  } catch {
    throw invalid();
  }
  const { n: node, i: id, e: list } = data;
  if (!isId(node) || !isId(id) || !Array.isArray(list)) throw invalid();
  const events: BusEvent[] = [];
  const leases: LeaseEvent[] = [];
  for (const item of list as readonly unknown[]) {
    if (!Array.isArray(item)) throw invalid();
    const [kind, name, eventId] = item as readonly unknown[];
    if (typeof name !== "string" || !isId(eventId)) throw invalid();
    if (kind === "l") {
      if (!isLeaseId(name)) throw invalid();
      leases.push({ lease: name, id: eventId, node });
    } else events.push({ ...targetOf(kind, name), id: eventId, node });
  }
  return { node, id, events, leases };
}

function named(told: Told): readonly [string, string] {
  if ("lease" in told) return ["l", told.lease];
  if ("key" in told) return ["k", told.key];
  return "prefix" in told ? ["p", told.prefix] : ["t", told.tag];
}

function targetOf(kind: unknown, name: string): BusTarget {
  const target = kind === "k" ? { key: name } : kind === "p" ? { prefix: name } : { tag: name };
  if (kind !== "k" && kind !== "p" && kind !== "t") throw invalid();
  try {
    checkMessage(target, { scope: false });
  } catch (error) {
    throw new WarpError("invalid_frame", "an entry of the bus's stream names no key", { cause: error });
  }
  return target;
}

function isId(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 128;
}

function invalid(): WarpError {
  return new WarpError("invalid_frame", "an entry of the bus's stream can't be read");
}
