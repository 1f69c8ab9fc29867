import type { HistoryPolicy } from "../protocol/registration.ts";
import type {
  HistoryReply,
  HistoryRequest,
  KeptVersion,
  ListedKey,
  VersionReply,
  VersionRequest,
} from "../protocol/shard-api.ts";
import {
  type ChainLink,
  checkHistoryPage,
  checkWhich,
  linkDueMs,
  linksBeyond,
  versionCompacted,
} from "../protocol/versions.ts";
import { fromUtf8, utf8 } from "../runtime/bytes.ts";
import { housekeepingChunk } from "../runtime/limits.ts";
import type { DueSource } from "./alarms.ts";
import type { ChangeLog } from "./change-log.ts";
import type { HistoryTable, StoredVersion } from "./history-table.ts";
import type { KeyTable } from "./key-table.ts";
import type { Meta } from "./meta.ts";
import type { RegistrationTable } from "./registration-table.ts";

/** Links that one write removes at most: it adds two at most, so that a chain that is too long shrinks with each. */
const linksPerWrite = 16;
/** Keys that one sweep stretch looks at, at most. */
const keysPerStretch = 200;
/** Least time between two sweeps. */
const sweepPauseMs = 1_000;

/** What a history works on. */
export interface HistoryParts {
  readonly table: HistoryTable;
  readonly keys: KeyTable;
  readonly log: ChangeLog;
  readonly registrations: RegistrationTable;
  readonly meta: Meta;
}

/**
 * The kept versions of keys whose registration asks for them (rules VE1 to VE5). Writers call {@link supersede} before a key's row changes and {@link
 * trim} after it; what becomes too old without a write is found by a sweep through all chains, in stretches, when the alarm says so.
 */
export class History implements DueSource {
  readonly #parts: HistoryParts;
  /** Since when every version under the present policies was kept: before it, a key without a chain may have existed. */
  #sinceMs: number;
  /** Not yet in the database: {@link settle} writes it. */
  #unsaved: boolean;
  /** When the oldest link of some chain may have to go; undefined: never, as things are. */
  #dueMs: number | undefined;
  /** The key that the sweep has come to, and what it has found for the next one. */
  #sweep: { after: Uint8Array; dueMs: number } | undefined;

  /** `createdAtMs` is the space's: a shard that was never written to has been empty since then. */
  constructor(parts: HistoryParts, nowMs: number, createdAtMs: number) {
    this.#parts = parts;
    const { meta, registrations, table, log } = parts;
    const kept = meta.historySince;
    const stands = kept?.statics === registrations.staticHistory;
    const startMs = log.head === 0 ? createdAtMs : Math.floor(nowMs);
    this.#sinceMs = stands && kept !== undefined ? kept.atMs : startMs;
    this.#unsaved = !stands;
    // Other policies may hold than when the last sweep was: look at once.
    this.#dueMs = stands ? meta.historyDueMs : table.any ? Math.floor(nowMs) : undefined;
  }

  /** Before a key's row is changed or removed at `revision`: what it holds becomes a kept version. */
  supersede(key: string, existed: boolean, revision: number, atMs: number): void {
    const { table, registrations } = this.#parts;
    if (!registrations.keepsHistory && !table.any) return;
    const policy = registrations.history(key);
    const bytes = utf8(key);
    if (policy === undefined) {
      // The chain must not go on later as if nothing had been between: it ends here, in one piece.
      if (table.any) table.remove(bytes);
      return;
    }
    const newest = table.newest(bytes);
    if (existed) table.keepPresent(bytes, (newest?.seq ?? 0) + 1);
    const knownMs = this.#knownMs(policy, atMs);
    if (!existed && newest === undefined && knownMs < atMs) {
      table.add(bytes, { version: revision - 1, seq: 0, kind: "absent", atMs: knownMs });
    }
  }

  /** Instead of {@link supersede} where what is superseded is not here: the chain must not go on as if nothing had been between. */
  breakOff(key: string): void {
    const { table } = this.#parts;
    if (table.any) table.remove(utf8(key));
  }

  /** Whether what is asked for is the present value. */
  isPresent(key: string, which: VersionRequest["which"], nowMs: number): boolean {
    const state = this.#parts.keys.state(key, nowMs);
    if (state === undefined || state.due) return false;
    return "version" in which ? state.version === which.version : state.modifiedAtMs <= which.atMs;
  }

  /** After {@link supersede} and the removal of the key's row: its end is a version too (rule VE4). */
  end(key: string, kind: "delete" | "expire", revision: number, atMs: number): void {
    const { table, registrations } = this.#parts;
    if (!registrations.keepsHistory || registrations.history(key) === undefined) return;
    const bytes = utf8(key);
    const newest = table.newest(bytes);
    const seq = (newest?.seq ?? 0) + 1;
    table.add(bytes, { version: revision, seq, kind, atMs: Math.max(atMs, newest?.atMs ?? 0) });
  }

  /** After a write of `key`: removes what its policy no longer keeps, a bounded number of links. */
  trim(key: string, nowMs: number): void {
    const { table, registrations } = this.#parts;
    if (!table.any) return;
    const policy = registrations.history(key);
    if (policy === undefined) return;
    const { dueMs } = this.#trim(utf8(key), key, policy, nowMs, linksPerWrite);
    if (dueMs === undefined) return;
    // A sweep under way may have passed this key already.
    if (this.#sweep !== undefined) this.#sweep.dueMs = Math.min(this.#sweep.dueMs, dueMs);
    if (this.#dueMs === undefined || dueMs < this.#dueMs) this.#setDue(dueMs);
  }

  /** Registrations have changed: chains are held against their new policies from the next alarm on. */
  registered(coverageMoved: boolean, nowMs: number): void {
    if (coverageMoved && this.#parts.log.head > 0) {
      this.#sinceMs = Math.floor(nowMs);
      this.#unsaved = true;
    }
    this.#sweep = undefined;
    if (this.#parts.table.any) this.#setDue(Math.floor(nowMs));
  }

  /** With each transaction: writes down what has changed about the history as a whole. */
  settle(): void {
    if (!this.#unsaved) return;
    const { meta, registrations } = this.#parts;
    meta.historySince = { atMs: this.#sinceMs, statics: registrations.staticHistory };
    meta.historyDueMs = this.#dueMs;
    this.#unsaved = false;
  }

  /** Throws `invalid_version`, `version_compacted`. */
  read(key: string, which: VersionRequest["which"], nowMs: number): VersionReply["found"] {
    const { keys, log, registrations, table } = this.#parts;
    const timeMs = Math.max(nowMs, log.timeOf(nowMs));
    checkWhich(which, log.head, timeMs);
    if (this.isPresent(key, which, nowMs)) return this.#present(key, nowMs);
    const policy = registrations.history(key);
    const bytes = utf8(key);
    if ("version" in which) {
      const found = policy === undefined ? undefined : table.version(bytes, which.version);
      if (found !== undefined) return found;
      if (which.version < this.floor(key, nowMs)) throw versionCompacted(this.floor(key, nowMs));
      return null;
    }
    const then = policy === undefined ? undefined : table.linkAt(bytes, which.atMs);
    if (then !== undefined) return then.kind === "set" ? (table.version(bytes, then.version) ?? null) : null;
    const isHere = keys.state(key, nowMs)?.due === false;
    const empty = !isHere && (policy === undefined || table.newest(bytes) === undefined);
    const knownMs = policy === undefined ? timeMs : this.#knownMs(policy, timeMs);
    if (empty && which.atMs >= knownMs) return null;
    throw versionCompacted(this.floor(key, nowMs));
  }

  /** A page of versions, newest first. Throws `invalid_limit`, `invalid_version`. */
  page(
    { key, before, limit }: Pick<HistoryRequest, "key" | "before" | "limit">,
    nowMs: number,
  ): Pick<HistoryReply, "versions" | "more" | "floor"> {
    checkHistoryPage({ limit, ...(before === undefined ? {} : { before }) });
    const { table, registrations } = this.#parts;
    const below = before ?? Number.MAX_SAFE_INTEGER;
    const present = this.#parts.keys.describe(key, nowMs);
    const versions = registrations.history(key) === undefined ? [] : table.page(utf8(key), below, limit + 1);
    if (present !== undefined && present.version < below) {
      versions.unshift(keptAs(present));
    }
    const floor = this.floor(key, nowMs);
    return { versions: versions.slice(0, limit), more: versions.length > limit, floor };
  }

  /** The oldest version that is kept; where there is none, the one after the head. */
  floor(key: string, nowMs: number): number {
    const { table, registrations, keys, log } = this.#parts;
    const kept = registrations.history(key) === undefined ? undefined : table.floor(utf8(key));
    if (kept !== undefined) return kept;
    const state = keys.state(key, nowMs);
    return state === undefined || state.due ? log.head + 1 : state.version;
  }

  nextMs(): number | undefined {
    return this.#dueMs;
  }

  /** One stretch of the sweep. */
  run(nowMs: number): void {
    const { table, registrations } = this.#parts;
    const sweep = this.#sweep ?? { after: new Uint8Array(0), dueMs: Number.POSITIVE_INFINITY };
    this.#sweep = sweep;
    let budget = housekeepingChunk;
    for (let keys = 0; keys < keysPerStretch && budget > 0; keys++) {
      const bytes = table.keyAfter(sweep.after);
      if (bytes === undefined) {
        this.#sweep = undefined;
        const next = Math.max(sweep.dueMs, Math.floor(nowMs) + sweepPauseMs);
        this.#setDue(Number.isFinite(sweep.dueMs) ? next : undefined);
        return;
      }
      const key = fromUtf8(bytes);
      const { gone, more, dueMs } = this.#trim(bytes, key, registrations.history(key), nowMs, budget);
      budget -= gone;
      if (more) return;
      if (dueMs !== undefined) sweep.dueMs = Math.min(sweep.dueMs, dueMs);
      sweep.after = bytes;
    }
  }

  /** Removes at most `most` links; says whether more must go, and when the next will have to. */
  #trim(
    bytes: Uint8Array,
    key: string,
    policy: HistoryPolicy | undefined,
    nowMs: number,
    most: number,
  ): { readonly gone: number; readonly more: boolean; readonly dueMs: number | undefined } {
    const { table, keys } = this.#parts;
    const rows = table.oldest(bytes, most + 2);
    const [first] = rows;
    const newest = rows.length < most + 2 ? rows.at(-1) : table.newest(bytes);
    if (first === undefined || newest === undefined) return { gone: 0, more: false, dueMs: undefined };
    const kept = newest.seq - first.seq + 1;
    const present = keys.state(key, nowMs);
    const links: ChainLink[] = [...rows];
    if (present !== undefined && kept === rows.length)
      links.push({ kind: "set", atMs: present.modifiedAtMs });
    const total = kept + (present === undefined ? 0 : 1);
    const beyond = policy === undefined ? rows.length : linksBeyond(links, total, policy, nowMs);
    const gone = Math.min(beyond, most, rows.length);
    const last = rows[gone - 1];
    if (last !== undefined) table.remove(bytes, last.version);
    const dueMs = policy === undefined ? undefined : linkDueMs(links.slice(gone), total - gone, policy);
    return { gone, more: beyond > gone, dueMs: beyond > gone ? Math.floor(nowMs) : dueMs };
  }

  #present(key: string, nowMs: number): StoredVersion | null {
    const entry = this.#parts.keys.get(key, nowMs);
    if (entry === undefined) return null;
    const { payload } = entry;
    const { contentType, bytes } = payload;
    return { ...keptAs({ ...entry, contentType, sizeBytes: bytes.length }), payload };
  }

  #knownMs({ ageMs = Number.POSITIVE_INFINITY }: HistoryPolicy, nowMs: number): number {
    return Math.max(this.#sinceMs, nowMs - ageMs);
  }

  #setDue(dueMs: number | undefined): void {
    this.#dueMs = dueMs;
    this.#parts.meta.historyDueMs = dueMs;
  }
}

/** A present value as a version. */
function keptAs({
  version,
  modifiedAtMs,
  sizeBytes,
  contentType,
  tags,
}: Omit<ListedKey, "key">): KeptVersion {
  const described = { version, kind: "set", atMs: modifiedAtMs, sizeBytes, contentType } as const;
  return { ...described, ...(tags === undefined ? {} : { tags }) };
}
