import { WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import type {
  BackingBatch,
  BackingChange,
  BackingEntry,
  BackingPage,
  BackingPosition,
  BackingVerdict,
} from "../backing.ts";
import { checkBatch, isSamePosition, netChanges } from "../batch.ts";

/** Keys that one `clear` removes. */
const clearedAtOnce = 500;
/** Batches that `forgetTail` can take back. */
const keptBatches = 1_000;

/** What a batch replaced. */
interface Undo {
  readonly shard: number;
  readonly position: BackingPosition;
  readonly entries: readonly (readonly [string, BackingEntry | undefined])[];
}

/** What {@link MemoryBacking}s share: the external storage of one space, in this process, and what others may do to it. */
export class MemoryBackingStorage {
  readonly #entries = new Map<string, BackingEntry>();
  readonly #positions = new Map<number, BackingPosition>();
  readonly #broken = new Set<string>();
  readonly #undo: Undo[] = [];

  position(shard: number): BackingPosition | null {
    return this.#positions.get(shard) ?? null;
  }

  bind(shard: number, expected: BackingPosition | null, next: BackingPosition): boolean {
    const found = this.position(shard);
    if (isSamePosition(found, next)) return true;
    if (!isSamePosition(found, expected)) return false;
    this.#positions.set(shard, next);
    return true;
  }

  apply(batch: BackingBatch): BackingVerdict {
    const next = checkBatch(batch);
    const found = this.position(batch.shard);
    if (found === null || !isSamePosition(found, batch.after)) {
      return isSamePosition(found, next) ? { state: "repeated" } : { state: "elsewhere", found };
    }
    const changes = netChanges(batch.changes);
    this.#undo.push({
      shard: batch.shard,
      position: found,
      entries: changes.map(({ key }) => [key, this.#entries.get(key)]),
    });
    if (this.#undo.length > keptBatches) this.#undo.shift();
    for (const change of changes) this.#put(change.key, entryOf(change, batch.after.epoch));
    this.#positions.set(batch.shard, next);
    return { state: "applied" };
  }

  /** Throws `decode_failed`. */
  read(key: string, nowMs: number): BackingEntry | null {
    if (this.#broken.has(key)) {
      throw new WarpError("decode_failed", "a stored value has no form that can be read", {
        details: { key },
      });
    }
    const entry = this.#entries.get(key);
    return entry === undefined || hasEnded(entry, nowMs) ? null : entry;
  }

  scan(limit: number, after: string | undefined, nowMs: number): BackingPage {
    const keys: string[] = [];
    const behind = [...this.#entries.keys()].filter((key) => after === undefined || key > after).sort();
    for (const key of behind) {
      const entry = this.#entries.get(key);
      if (entry !== undefined && hasEnded(entry, nowMs)) continue;
      if (keys.length === limit) return { keys, cursor: keys.at(-1) ?? "" };
      keys.push(key);
    }
    return { keys };
  }

  clear(): boolean {
    for (const key of [...this.#entries.keys()].slice(0, clearedAtOnce)) this.#put(key, undefined);
    if (this.#entries.size > 0) return false;
    this.#positions.clear();
    this.#undo.length = 0;
    return true;
  }

  /** Another program writes a value in plain form. */
  putPlain(key: string, payload: Payload, expiresAtMs?: number): void {
    this.#put(key, { key, payload, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) });
  }

  /** Another program removes a key. */
  remove(key: string): void {
    this.#put(key, undefined);
  }

  /** What is stored under a key can't be read from now on, until it is written again. */
  breakValue(key: string): void {
    this.#broken.add(key);
  }

  /** Takes back the newest `batches`, of all shards, as a replica that took over too early has them. Gives how many there were to take back. */
  forgetTail(batches: number): number {
    let taken = 0;
    for (; taken < batches; taken++) {
      const undo = this.#undo.pop();
      if (undo === undefined) break;
      for (const [key, entry] of undo.entries) this.#put(key, entry);
      this.#positions.set(undo.shard, undo.position);
    }
    return taken;
  }

  /** Everything that is stored, in order of keys, also what has ended. */
  entries(): readonly BackingEntry[] {
    return [...this.#entries.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
  }

  #put(key: string, entry: BackingEntry | undefined): void {
    this.#broken.delete(key);
    if (entry === undefined) this.#entries.delete(key);
    else this.#entries.set(key, entry);
  }
}

function hasEnded({ expiresAtMs }: BackingEntry, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs;
}

function entryOf(change: BackingChange, epoch: string): BackingEntry | undefined {
  if (change.kind === "delete") return undefined;
  const { key, payload, tags, modifiedAtMs, expiresAtMs, version } = change;
  return {
    key,
    payload,
    ...(tags === undefined || tags.length === 0 ? {} : { tags }),
    modifiedAtMs: Math.floor(modifiedAtMs),
    ...(expiresAtMs === undefined ? {} : { expiresAtMs: Math.ceil(expiresAtMs) }),
    stamp: { epoch, version },
  };
}
