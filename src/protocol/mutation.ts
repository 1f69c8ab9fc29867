import { WarpError } from "../errors.ts";
import { isWellFormed, utf8, utf8Length } from "../runtime/bytes.ts";
import { fingerprint } from "../runtime/hash.ts";
import { uuidv7Time } from "../runtime/ids.ts";
import {
  maxContentTypeLength,
  maxExpiresInMs,
  maxTagBytes,
  maxTags,
  minExpiresInMs,
  opIdSkewMs,
  opIdWindowMs,
} from "../runtime/limits.ts";
import { checkGuard } from "./fence.ts";
import { checkKey, checkLeaseId } from "./key.ts";
import type { Payload } from "./payload.ts";
import type { Mutation, Precondition } from "./shard-api.ts";
import { checkVersion } from "./versions.ts";

/**
 * What is wrong with a mutation whatever the storage holds; undefined: nothing. Such a refusal needs no memory: it would be given
 * again.
 */
export function checkMutation(
  mutation: Mutation,
  nowMs: number,
  maxValueBytes: number,
): WarpError | undefined {
  const wrongOpId = checkOpId(mutation.opId, nowMs);
  if (wrongOpId !== undefined) return wrongOpId;
  try {
    if (mutation.kind === "invalidateTag") checkTags([mutation.tag], "tag");
    else if (mutation.kind !== "invalidatePrefix") checkKey(mutation.key);
    else if (mutation.prefix !== "") checkKey(mutation.prefix);
    if (mutation.kind === "restore") checkVersion(mutation.version);
    if (writes(mutation) && mutation.tags !== undefined) checkTags(mutation.tags, "tags");
    if (writes(mutation) && mutation.lease !== undefined) checkLeaseId(mutation.lease);
    if (endsClaims(mutation) && mutation.guard !== undefined) checkGuard(mutation.guard);
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
  if (!writes(mutation)) return undefined;
  const payload = payloadOf(mutation);
  const size = payload.bytes.length;
  if (size > maxValueBytes) {
    return valueTooLarge(size, maxValueBytes);
  }
  if (payload.contentType.length > maxContentTypeLength) {
    return new WarpError(
      "invalid_argument",
      `a content type has at most ${maxContentTypeLength} characters`,
      { details: { field: "contentType", max: maxContentTypeLength } },
    );
  }
  const life = mutation.expiresInMs;
  if (life !== undefined && !(Number.isInteger(life) && life >= minExpiresInMs && life <= maxExpiresInMs)) {
    return new WarpError(
      "invalid_ttl",
      `expiresInMs is a whole number from ${minExpiresInMs} to ${maxExpiresInMs} (10 years)`,
      { details: { field: "expiresInMs", min: minExpiresInMs, max: maxExpiresInMs } },
    );
  }
  return undefined;
}

/** A mutation that brings a value: to be stored, or to be merged into what is stored. */
export type Write = Extract<Mutation, { kind: "set" | "merge" }>;

/** Whether a mutation brings a value. */
export function writes(mutation: Mutation): mutation is Write {
  return mutation.kind === "set" || mutation.kind === "merge";
}

/** The value that a write brings. */
export function payloadOf(write: Write): Payload {
  return write.kind === "set" ? write.payload : write.operand;
}

/** Bytes of the value that a mutation brings. */
export function valueBytesOf(mutation: Mutation): number {
  return writes(mutation) ? payloadOf(mutation).bytes.length : 0;
}

/** The refusal of a value that is larger than the storage takes. */
export function valueTooLarge(bytes: number, maxBytes: number): WarpError {
  return new WarpError("value_too_large", `the value has ${bytes} bytes; at most ${maxBytes} are allowed`, {
    details: { bytes, max: maxBytes },
  });
}

/** Throws `invalid_argument` naming `field` unless `tags` are at most 16 different ones of 1 to 128 bytes of UTF-8. */
export function checkTags(tags: readonly string[], field: string): void {
  const wrong = (message: string, max: number): WarpError =>
    new WarpError("invalid_argument", message, { details: { field, max } });
  if (tags.length > maxTags || new Set(tags).size < tags.length) {
    throw wrong(`a value has at most ${maxTags} tags, all different`, maxTags);
  }
  for (const tag of tags) {
    if (tag === "" || utf8Length(tag) > maxTagBytes || !isWellFormed(tag)) {
      throw wrong(`a tag has 1 to ${maxTagBytes} bytes of UTF-8`, maxTagBytes);
    }
  }
}

/** What is wrong with an op id by the storage's clock; undefined: nothing. */
export function checkOpId(opId: string, nowMs: number): WarpError | undefined {
  const madeAt = opIdTime(opId);
  if (madeAt === undefined) return new WarpError("invalid_op_id", "an op id is a UUIDv7 in lower case");
  if (madeAt > nowMs + opIdSkewMs) {
    return new WarpError(
      "invalid_op_id",
      `the op id's time is more than ${opIdSkewMs} ms ahead of the storage's clock`,
    );
  }
  if (madeAt < nowMs - opIdWindowMs) {
    return new WarpError(
      "op_id_expired",
      `the op id is older than ${opIdWindowMs} ms: what became of it is no longer known`,
    );
  }
  return undefined;
}

/** The Unix ms in a scoped op id (see `scopeOpId`); undefined where it has no UUIDv7. */
export function opIdTime(opId: string): number | undefined {
  return uuidv7Time(opId.slice(0, 36));
}

/** Whether a precondition holds for a key with this entity tag (undefined: absent). RFC 9110, section 13.1. */
export function preconditionHolds(when: Precondition, etag: string | undefined): boolean {
  if ("anyOf" in when) return etag !== undefined && (when.anyOf === "*" || when.anyOf.includes(etag));
  return etag === undefined || (when.noneOf !== "*" && !when.noneOf.includes(etag));
}

/** What tells one operation from another under the same op id (rule OU2). */
export function mutationPrint(mutation: Mutation): string {
  const parts: unknown[] = [mutation.kind, subjectOf(mutation)];
  if (writes(mutation)) {
    const { bytes, contentType } = payloadOf(mutation);
    parts.push(contentType, fingerprint(bytes), mutation.expiresInMs ?? null);
  }
  if (mutation.kind === "restore") parts.push(mutation.version);
  if (endsClaims(mutation)) parts.push(mutation.when ?? null);
  // Only where there are any: the prints of operations from before there were tags stay as they were.
  if (writes(mutation) && mutation.tags !== undefined && mutation.tags.length > 0) parts.push(mutation.tags);
  if (mutation.kind === "set" && mutation.replace === true) parts.push("replace");
  if (writes(mutation) && mutation.lease !== undefined) parts.push("lease", mutation.lease);
  if (endsClaims(mutation) && mutation.guard !== undefined) {
    parts.push(["guard", mutation.guard.lock, mutation.guard.fence]);
  }
  return fingerprint(utf8(JSON.stringify(parts)));
}

/** What a mutation is about: its key, or the prefix or tag of an invalidation of many. */
export function subjectOf(mutation: Mutation): string {
  if (mutation.kind === "invalidatePrefix") return mutation.prefix;
  return mutation.kind === "invalidateTag" ? mutation.tag : mutation.key;
}

/** Whether a mutation, once it is done, leaves nothing to load for its key: see `LoadClaims`. */
export function endsClaims(
  mutation: Mutation,
): mutation is Extract<Mutation, { kind: "set" | "merge" | "restore" | "delete" }> {
  return writes(mutation) || mutation.kind === "restore" || mutation.kind === "delete";
}
