import { type ErrorData, WarpError } from "../errors.ts";
import { checkMutation, mutationPrint, preconditionHolds } from "../protocol/mutation.ts";
import { formatETag } from "../protocol/position.ts";
import type { Mutation, Verdict } from "../protocol/shard-api.ts";
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
    const print = mutationPrint(mutation);
    const known = this.#parts.verdicts.find(mutation.opId);
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
      !preconditionHolds(mutation.when, existed ? formatETag(this.#parts.epoch, version) : undefined)
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
