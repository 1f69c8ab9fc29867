import { WarpError } from "../errors.ts";
import { utf8 } from "../runtime/bytes.ts";
import { fingerprint } from "../runtime/hash.ts";
import { uuidv7Time } from "../runtime/ids.ts";
import {
  maxContentTypeLength,
  maxExpiresInMs,
  minExpiresInMs,
  opIdSkewMs,
  opIdWindowMs,
} from "../runtime/limits.ts";
import { checkKey } from "./key.ts";
import type { Mutation, Precondition } from "./shard-api.ts";

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
    if (mutation.kind !== "invalidatePrefix") checkKey(mutation.key);
    else if (mutation.prefix !== "") checkKey(mutation.prefix);
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
  if (mutation.kind !== "set") return undefined;
  const size = mutation.payload.bytes.length;
  if (size > maxValueBytes) {
    return new WarpError(
      "value_too_large",
      `the value has ${size} bytes; at most ${maxValueBytes} are allowed`,
      { details: { bytes: size, max: maxValueBytes } },
    );
  }
  if (mutation.payload.contentType.length > maxContentTypeLength) {
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

function checkOpId(opId: string, nowMs: number): WarpError | undefined {
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
  const parts: unknown[] = [mutation.kind];
  if (mutation.kind === "invalidatePrefix") parts.push(mutation.prefix);
  else parts.push(mutation.key);
  if (mutation.kind === "set") {
    const { payload, expiresInMs } = mutation;
    parts.push(payload.contentType, fingerprint(payload.bytes), expiresInMs ?? null);
  }
  if (mutation.kind === "set" || mutation.kind === "delete") parts.push(mutation.when ?? null);
  return fingerprint(utf8(JSON.stringify(parts)));
}
