import type { Payload } from "../protocol/payload.ts";
import type { ChangeLog, LogEntry } from "./change-log.ts";
import type { History } from "./history.ts";
import type { KeyState, KeyTable } from "./key-table.ts";

/** Who changes a key and when, for its log entry. */
export type Note = Pick<LogEntry, "atMs" | "opId" | "fingerprint">;

/** A new value of a key. */
export interface NewValue {
  readonly payload: Payload;
  readonly tags: readonly string[] | undefined;
  /** Life from now on, in ms; undefined: no end. */
  readonly lifeMs: number | undefined;
}

/** The changes of a key's present value: key, log and history always move together here. */
export class KeyChanges {
  readonly #keys: KeyTable;
  readonly #log: ChangeLog;
  readonly #history: History;

  constructor(keys: KeyTable, log: ChangeLog, history: History) {
    this.#keys = keys;
    this.#log = log;
    this.#history = history;
  }

  /** Gives the revision, which is the key's new version. `before` is its state in the same stretch. */
  put(key: string, value: NewValue, before: KeyState | undefined, note: Note): number {
    const existed = before !== undefined;
    const modifiedAtMs = this.#log.timeOf(note.atMs);
    const revision = this.#log.append({ kind: "set", key, version: this.#log.head + 1, existed, ...note });
    this.#history.supersede(key, existed, revision, modifiedAtMs);
    const expiresAtMs = value.lifeMs === undefined ? undefined : Math.floor(note.atMs) + value.lifeMs;
    const { payload, tags } = value;
    this.#keys.put(key, { version: revision, payload, tags, modifiedAtMs, expiresAtMs }, before);
    this.#history.trim(key, modifiedAtMs);
    return revision;
  }

  /** Gives the revision. */
  delete(key: string, before: KeyState, note: Note): number {
    return this.#end("delete", key, before, note, this.#log.timeOf(note.atMs));
  }

  /** A version ends when its life did, not when someone noticed. */
  expire(key: string, before: KeyState, nowMs: number): number {
    return this.#end("expire", key, before, { atMs: nowMs }, before.expiresAtMs ?? nowMs);
  }

  #end(kind: "delete" | "expire", key: string, before: KeyState, note: Note, endedAtMs: number): number {
    const revision = this.#log.append({ kind, key, version: 0, existed: true, ...note });
    this.#history.supersede(key, true, revision, endedAtMs);
    this.#keys.remove(key, before.sizeBytes);
    this.#history.end(key, kind, revision, endedAtMs);
    this.#history.trim(key, this.#log.timeOf(note.atMs));
    return revision;
  }
}
