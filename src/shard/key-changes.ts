import type { NewValue, Plan } from "../protocol/plan.ts";
import type { ChangeLog, LogEntry } from "./change-log.ts";
import type { Fences } from "./fences.ts";
import type { History } from "./history.ts";
import type { KeyState, KeyTable } from "./key-table.ts";
import type { Lessor } from "./lease/lessor.ts";
import type { Outbox } from "./outbox.ts";
import type { WitnessSlot } from "./witness.ts";

/** Who changes a key and when, for its log entry. */
export type Note = Pick<LogEntry, "atMs" | "opId" | "fingerprint">;

/** The changes of a key's present value: key, log and history always move together here. */
export class KeyChanges {
  readonly #keys: KeyTable;
  readonly #log: ChangeLog;
  readonly #history: History;
  readonly #fences: Fences;
  readonly #leases: Pick<Lessor, "attach">;
  readonly #outbox: Outbox | undefined;
  readonly #witness: WitnessSlot;

  constructor(
    keys: KeyTable,
    log: ChangeLog,
    history: History,
    fences: Fences,
    leases: Pick<Lessor, "attach">,
    outbox: Outbox | undefined,
    witness: WitnessSlot,
  ) {
    this.#keys = keys;
    this.#log = log;
    this.#history = history;
    this.#fences = fences;
    this.#leases = leases;
    this.#outbox = outbox;
    this.#witness = witness;
  }

  /** Carries out a plan that was made in the same stretch. Gives the revision; 0 for a plan to do nothing. */
  carryOut(plan: Plan<KeyState>, note: Note): number {
    const { key } = plan;
    // A delete of an absent key, too: what an older holder writes after it must be refused.
    if ("guard" in plan && plan.guard !== undefined) this.#fences.remember(key, plan.guard, note.atMs);
    if (plan.act === "put" && plan.lease !== undefined) this.#leases.attach(plan.lease, key);
    if (plan.act === "nothing") return 0;
    if (plan.act === "put") return this.#put(key, plan.value, plan.before, note);
    if (plan.act === "delete")
      return this.#end("delete", key, plan.before, note, this.#log.timeOf(note.atMs));
    const { act: kind, version, existed } = plan;
    const revision = this.#log.append({ kind, key, version, existed, ...note });
    this.#witness.present?.invalidated(kind, key, revision);
    return revision;
  }

  /** Takes over what the storage behind the shard has for a key: it need not be told of it. */
  adopt(key: string, value: NewValue, before: KeyState | undefined, source: string, note: Note): number {
    const revision = this.#write(key, value, before, note);
    this.#keys.tie(key, source);
    return revision;
  }

  #put(key: string, value: NewValue, before: KeyState | undefined, note: Note): number {
    const revision = this.#write(key, value, before, note);
    const { payload, tags, expiresAtMs } = value;
    const { seq } = this.#log;
    const put = { version: revision, payload, tags, expiresAtMs };
    this.#outbox?.add({ revision, seq, key, atMs: this.#log.timeOf(note.atMs), put });
    this.#witness.present?.changed(key);
    return revision;
  }

  #write(key: string, value: NewValue, before: KeyState | undefined, note: Note): number {
    const existed = before !== undefined;
    const modifiedAtMs = this.#log.timeOf(note.atMs);
    const { payload, tags, expiresAtMs } = value;
    const version = this.#log.next;
    const revision = this.#log.append({ kind: "set", key, version, existed, ...note, payload });
    this.#supersede(key, before, revision, modifiedAtMs);
    this.#keys.put(key, { version: revision, payload, tags, modifiedAtMs, expiresAtMs }, before);
    this.#history.trim(key, modifiedAtMs);
    return revision;
  }

  /** A version ends when its life did, not when someone noticed. */
  expire(key: string, before: KeyState, nowMs: number): number {
    return this.#end("expire", key, before, { atMs: nowMs }, before.expiresAtMs ?? nowMs);
  }

  /** `before` is undefined where only the storage behind the shard may have the key. */
  #end(
    kind: "delete" | "expire",
    key: string,
    before: KeyState | undefined,
    note: Note,
    endedAtMs: number,
  ): number {
    const existed = before !== undefined;
    const revision = this.#log.append({ kind, key, version: 0, existed, ...note });
    // What was not there ends no version.
    if (before !== undefined || this.#witness.present?.isUnseen(key) === true)
      this.#supersede(key, before, revision, endedAtMs);
    if (before !== undefined) {
      this.#keys.remove(key, before);
      this.#history.end(key, kind, revision, endedAtMs);
    }
    const atMs = this.#log.timeOf(note.atMs);
    this.#history.trim(key, atMs);
    this.#outbox?.add({ revision, seq: this.#log.seq, key, atMs });
    this.#witness.present?.changed(key);
    return revision;
  }

  /** What was before becomes a kept version; where it is not here the chain of versions ends. */
  #supersede(key: string, before: KeyState | undefined, revision: number, atMs: number): void {
    const isElsewhere = before === undefined ? this.#witness.present?.isUnseen(key) : before.away;
    if (isElsewhere === true) this.#history.breakOff(key);
    else this.#history.supersede(key, before !== undefined, revision, atMs);
  }
}
