import type { SpaceSettings } from "../protocol/space.ts";
import type { Sql } from "../runtime/sql.ts";
import type { FollowMark } from "./follow-mark.ts";
import type { Noted } from "./strong/notes.ts";

/** The few facts that a shard keeps about itself, each a row of `meta`. */
export class Meta {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The random id of this life of the shard's storage: 16 hex digits. */
  get epoch(): string {
    return String(this.#read("epoch") ?? "");
  }

  set epoch(value: string) {
    this.#write("epoch", value);
  }

  /** The space that this shard belongs to. */
  get space(): SpaceSettings | undefined {
    const text = this.#read("space");
    return text === undefined ? undefined : (JSON.parse(String(text)) as SpaceSettings);
  }

  set space(value: SpaceSettings) {
    this.#write("space", JSON.stringify(value));
  }

  /** The registration version that the shard's table of registrations is at; 0: none. */
  get registrations(): number {
    return Number(this.#read("registrations") ?? 0);
  }

  set registrations(value: number) {
    this.#write("registrations", value);
  }

  /** Whether the space is being deleted. */
  get deleting(): boolean {
    return this.#read("deleting") !== undefined;
  }

  set deleting(_: true) {
    this.#write("deleting", 1);
  }

  /** Since when history has been kept as the present registrations ask, and what the static ones among them ask. */
  get historySince(): { readonly atMs: number; readonly statics: string } | undefined {
    const text = this.#read("history_since");
    return text === undefined ? undefined : JSON.parse(String(text));
  }

  set historySince(value: { readonly atMs: number; readonly statics: string }) {
    this.#write("history_since", JSON.stringify(value));
  }

  /** When kept versions are to be looked through next; undefined: not. */
  get historyDueMs(): number | undefined {
    const value = this.#read("history_due");
    return value === undefined ? undefined : Number(value);
  }

  set historyDueMs(value: number | undefined) {
    if (value === undefined) this.#sql.run("DELETE FROM meta WHERE name = 'history_due'");
    else this.#write("history_due", value);
  }

  /** Patterns under which strong answers were given; undefined: none. */
  get held(): Noted | undefined {
    const text = this.#read("held");
    return text === undefined ? undefined : (JSON.parse(String(text)) as Noted);
  }

  set held(value: Noted | undefined) {
    if (value === undefined) this.#sql.run("DELETE FROM meta WHERE name = 'held'");
    else this.#write("held", JSON.stringify(value));
  }

  /** How far revisions were given without a log entry; 0: never. */
  get reserved(): number {
    return Number(this.#read("reserved") ?? 0);
  }

  set reserved(value: number) {
    this.#write("reserved", value);
  }

  /** Up to where log entries were removed; 0: none was. */
  get floor(): number {
    return Number(this.#read("floor") ?? 0);
  }

  set floor(value: number) {
    this.#write("floor", value);
  }

  /** Up to which revision log entries have lost their values; 0: none has. */
  get valueFloor(): number {
    return Number(this.#read("value_floor") ?? 0);
  }

  set valueFloor(value: number) {
    this.#write("value_floor", value);
  }

  /** Up to which revision steps of elections were removed for their age; 0: none was. */
  get stepFloor(): number {
    return Number(this.#read("step_floor") ?? 0);
  }

  set stepFloor(value: number) {
    this.#write("step_floor", value);
  }

  /** Which shard of its space this is; undefined: it was made before that was kept. */
  get shard(): number | undefined {
    const value = this.#read("shard");
    return value === undefined ? undefined : Number(value);
  }

  set shard(value: number) {
    this.#write("shard", value);
  }

  /** How far the stream of proposals is applied; undefined: nothing was ever found there. */
  get followed(): FollowMark | undefined {
    const text = this.#read("followed");
    return text === undefined ? undefined : (JSON.parse(String(text)) as FollowMark);
  }

  set followed(value: FollowMark) {
    this.#write("followed", JSON.stringify(value));
  }

  /** A row that is written to prove that this instance can still commit; nobody reads it. */
  set barrierMs(value: number) {
    this.#write("barrier", Math.floor(value));
  }

  #read(name: string): string | number | undefined {
    const [row] = this.#sql.all<{ value: string | number }>("SELECT value FROM meta WHERE name = ?", name);
    return row?.value;
  }

  #write(name: string, value: string | number): void {
    this.#sql.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", name, value);
  }
}
