import { type ErrorData, WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { formatETag } from "../protocol/position.ts";
import type { Mutation, Precondition, Verdict } from "../protocol/shard-api.ts";
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
import type { ChangeLog } from "./change-log.ts";
import type { KeyState, KeyTable } from "./key-table.ts";
import type { RegistrationTable } from "./registration-table.ts";
import type { VerdictTable } from "./verdict-table.ts";

/** What a mutator works on. */
export interface MutatorParts {
  readonly epoch: string;
  readonly strict: boolean;
  readonly maxValueBytes: number;
  readonly keys: KeyTable;
  readonly log: ChangeLog;
  readonly verdicts: VerdictTable;
  readonly registrations: RegistrationTable;
}

/**
 * Carries out one mutation at a time, inside the transaction of its caller: checks, compares, gives the revision, writes key, log and
 * verdict. A refusal is a verdict; what it throws is trouble with the storage.
 */
export class Mutator {
  readonly #parts: MutatorParts;

  constructor(parts: MutatorParts) {
    this.#parts = parts;
  }

  apply(mutation: Mutation, nowMs: number): Verdict {
    const refused = checkMutation(mutation, nowMs, this.#parts.maxValueBytes);
    if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
    const print = operationPrint(mutation);
    const known = this.#known(mutation.opId);
    if (known !== undefined) {
      if (known.fingerprint === print) return { ...known.verdict, replayed: true };
      return fail(
        "op_id_reused",
        "this op id was used for a different operation; make a new one for each operation",
      );
    }
    const verdict = this.#carryOut(mutation, print, nowMs);
    if (verdict.outcome === "fail" || verdict.revision === 0) {
      this.#parts.verdicts.keep(mutation.opId, nowMs, print, verdict);
    }
    return verdict;
  }

  /** Writes down that the key's life ended. */
  expire(key: string, state: KeyState, nowMs: number): void {
    this.#parts.keys.remove(key, state.sizeBytes);
    this.#parts.log.append({ kind: "expire", key, version: 0, existed: true, atMs: nowMs });
  }

  #known(opId: string): { readonly fingerprint: string; readonly verdict: Verdict } | undefined {
    const logged = this.#parts.log.find(opId);
    if (logged === undefined) return this.#parts.verdicts.find(opId);
    const { revision, version, existed } = logged;
    return { fingerprint: logged.fingerprint, verdict: { outcome: "ok", revision, version, existed } };
  }

  #carryOut(mutation: Mutation, print: string, nowMs: number): Verdict {
    const { keys, log, registrations, strict } = this.#parts;
    const note = { atMs: nowMs, opId: mutation.opId, fingerprint: print };
    if (mutation.kind === "invalidatePrefix") {
      const revision = log.append({
        kind: "invalidatePrefix",
        key: mutation.prefix,
        version: 0,
        existed: false,
        ...note,
      });
      return { outcome: "ok", version: 0, revision, existed: false };
    }
    const { key } = mutation;
    if (strict && !registrations.covers(key)) {
      return fail("unregistered", "the space is strict and no registration covers this key");
    }
    let before = keys.state(key, nowMs);
    if (before?.due) {
      this.expire(key, before, nowMs);
      before = undefined;
    }
    const version = before?.version ?? 0;
    const existed = before !== undefined;
    if (mutation.kind === "invalidate") {
      const revision = log.append({ kind: "invalidate", key, version, existed, ...note });
      return { outcome: "ok", version, revision, existed };
    }
    if (
      mutation.when !== undefined &&
      !holds(mutation.when, existed ? formatETag(this.#parts.epoch, version) : undefined)
    ) {
      return fail(
        "precondition_failed",
        existed ? "the key is at another version" : "the key does not exist",
        {
          version,
        },
      );
    }
    if (mutation.kind === "delete") {
      if (before === undefined) return { outcome: "ok", version: 0, revision: 0, existed };
      keys.remove(key, before.sizeBytes);
      const revision = log.append({ kind: "delete", key, version: 0, existed, ...note });
      return { outcome: "ok", version: 0, revision, existed };
    }
    const revision = log.append({ kind: "set", key, version: log.head + 1, existed, ...note });
    const end = mutation.expiresInMs === undefined ? undefined : Math.floor(nowMs) + mutation.expiresInMs;
    keys.put(key, revision, mutation.payload, nowMs, end, before);
    return { outcome: "ok", version: revision, revision, existed };
  }
}

function fail(code: ErrorData["code"], message: string, details?: ErrorData["details"]): Verdict {
  return {
    outcome: "fail",
    error: new WarpError(code, message, details === undefined ? {} : { details }).toData(),
  };
}

/** Whether a precondition holds for a key with this entity tag (undefined: absent). RFC 9110, section 13.1. */
export function holds(when: Precondition, etag: string | undefined): boolean {
  if ("anyOf" in when) return etag !== undefined && (when.anyOf === "*" || when.anyOf.includes(etag));
  return etag === undefined || (when.noneOf !== "*" && !when.noneOf.includes(etag));
}

/** What is wrong with a mutation whatever the shard holds; undefined: nothing. Such a refusal needs no memory: it would be given again. */
function checkMutation(mutation: Mutation, nowMs: number, maxValueBytes: number): WarpError | undefined {
  const madeAt = uuidv7Time(mutation.opId.slice(0, 36));
  if (madeAt === undefined) return new WarpError("invalid_op_id", "an op id is a UUIDv7 in lower case");
  if (madeAt > nowMs + opIdSkewMs) {
    return new WarpError(
      "invalid_op_id",
      `the op id's time is more than ${opIdSkewMs} ms ahead of the shard's clock`,
    );
  }
  if (madeAt < nowMs - opIdWindowMs) {
    return new WarpError(
      "op_id_expired",
      `the op id is older than ${opIdWindowMs} ms: what became of it is no longer known`,
    );
  }
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
      {
        details: { bytes: size, max: maxValueBytes },
      },
    );
  }
  if (mutation.payload.contentType.length > maxContentTypeLength) {
    return new WarpError(
      "invalid_argument",
      `a content type has at most ${maxContentTypeLength} characters`,
      {
        details: { field: "contentType" },
      },
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

/** What tells one operation from another under the same op id (rule OU2). */
function operationPrint(mutation: Mutation): string {
  const { opId: _, ...rest } = mutation;
  if (mutation.kind !== "set") return fingerprint(utf8(JSON.stringify(rest)));
  const { kind, key, payload, expiresInMs, when } = mutation;
  return fingerprint(
    utf8(
      JSON.stringify([
        kind,
        key,
        payload.contentType,
        fingerprint(payload.bytes),
        expiresInMs ?? null,
        when ?? null,
      ]),
    ),
  );
}
