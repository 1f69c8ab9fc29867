import { type ErrorData, WarpError } from "../errors.ts";
import { checkMutation, mutationPrint, preconditionHolds, subjectOf } from "../protocol/mutation.ts";
import { formatETag } from "../protocol/position.ts";
import type { Mutation, Verdict, VersionReply } from "../protocol/shard-api.ts";
import type { ChangeLog } from "./change-log.ts";
import type { History } from "./history.ts";
import type { KeyChanges, Note } from "./key-changes.ts";
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
  readonly history: History;
  readonly changes: KeyChanges;
  readonly verdicts: VerdictTable;
  readonly registrations: RegistrationTable;
}

/**
 * Carries out one mutation at a time, inside the transaction of its caller: checks, compares, gives the revision, writes key, log, history and
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

  #carryOut(mutation: Mutation, print: string, nowMs: number): Verdict {
    const { keys, log, changes, registrations, strict } = this.#parts;
    const note = { atMs: nowMs, opId: mutation.opId, fingerprint: print };
    if (mutation.kind === "invalidatePrefix" || mutation.kind === "invalidateTag") {
      const subject = { kind: mutation.kind, key: subjectOf(mutation), version: 0, existed: false };
      return { outcome: "ok", version: 0, revision: log.append({ ...subject, ...note }), existed: false };
    }
    const { key } = mutation;
    if (strict && !registrations.covers(key)) {
      return fail("unregistered", "the space is strict and no registration covers this key");
    }
    let before = keys.state(key, nowMs);
    if (before?.due) {
      changes.expire(key, before, nowMs);
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
      return { outcome: "ok", version: 0, revision: changes.delete(key, before, note), existed };
    }
    if (mutation.kind === "set") {
      const { payload, tags, expiresInMs: lifeMs } = mutation;
      const revision = changes.put(key, { payload, tags, lifeMs }, before, note);
      return { outcome: "ok", version: revision, revision, existed };
    }
    if (mutation.kind === "merge")
      return fail("merge_rule_missing", "no merge rule is registered for this key");
    return this.#restore(mutation, before, note);
  }

  #restore(
    mutation: Extract<Mutation, { kind: "restore" }>,
    before: KeyState | undefined,
    note: Note,
  ): Verdict {
    const { changes, history } = this.#parts;
    let kept: VersionReply["found"];
    try {
      kept = history.read(mutation.key, { version: mutation.version }, note.atMs);
    } catch (error) {
      if (error instanceof WarpError) return { outcome: "fail", error: error.toData() };
      throw error;
    }
    const payload = kept?.payload;
    if (payload === undefined) return fail("not_found", "the key has no value of this version");
    const revision = changes.put(
      mutation.key,
      { payload, tags: kept?.tags, lifeMs: undefined },
      before,
      note,
    );
    return { outcome: "ok", version: revision, revision, existed: before !== undefined };
  }
}

function fail(code: ErrorData["code"], message: string, details?: ErrorData["details"]): Verdict {
  return {
    outcome: "fail",
    error: new WarpError(code, message, details === undefined ? {} : { details }).toData(),
  };
}
