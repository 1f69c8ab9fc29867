import { WarpError } from "../../errors.ts";
import { bytesMember, isPlain, list, number, record, text, truth, whole } from "../../protocol/wire/check.ts";
import { mutation } from "../../protocol/wire/requests.ts";
import { toBase64 } from "../../runtime/bytes.ts";
import { textOf } from "../../upstash/reply.ts";
import type { Proposal, SpaceNotice } from "../fallback.ts";

const proposal = record({ mutation, spaceId: text, registrations: whole(), node: text, atMs: number });
const noticeParts = record({
  space: record({ name: text, id: text, shards: whole(1), strict: truth, createdAtMs: number }),
  registrations: whole(),
  list: list(record({ pattern: text, version: whole() })),
});

/** A proposal as a stream keeps it: JSON, its bytes in base64. */
export function proposalForm(given: Proposal): string {
  return JSON.stringify(given, (_name, value: unknown) =>
    value instanceof Uint8Array ? { [bytesMember]: toBase64(value) } : value,
  );
}

/** Throws `decode_failed`. What is wrong with a form is not quoted: it may hold a value. */
export function readProposal(form: string): Proposal {
  return reading(form, (value) => proposal(value, ""));
}

/** Throws `decode_failed`. */
export function readNotice(form: string): SpaceNotice {
  return reading(form, (value) => {
    noticeParts(value, "");
    if (!isPlain(value)) throw new Error();
    // What a newer Warp tells beyond what is looked at here is its nodes' to understand.
    return value as unknown as SpaceNotice;
  });
}

function reading<T>(form: string, read: (value: unknown) => T): T {
  try {
    return read(JSON.parse(textOf(form)));
  } catch {
    throw new WarpError("decode_failed", "what a stream holds has no form that can be read");
  }
}
