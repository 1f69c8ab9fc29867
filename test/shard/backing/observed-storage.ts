import type { BackingBatch, BackingEntry, BackingVerdict } from "../../../src/backing/backing.ts";
import { MemoryBackingStorage } from "../../../src/backing/memory/memory-backing-storage.ts";
import type { Payload } from "../../../src/protocol/payload.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";

/** One look at a key that the storage has carried out. */
export interface Look {
  readonly tick: number;
  readonly atMs: number;
  /** Undefined: it had nothing. */
  readonly text: string | undefined;
  /** The newest revision of the shard's log that changed the key. */
  readonly changedAt: number;
}

/** What others did to a key last. */
export interface ForeignAct {
  readonly tick: number;
  /** Undefined: they removed it. */
  readonly text: string | undefined;
}

/** A storage that notes who has seen what in it, and what others did. */
export class ObservedStorage extends MemoryBackingStorage {
  readonly looks = new Map<string, Look[]>();
  readonly acts = new Map<string, ForeignAct>();
  /** When the shard's own changes last came here, and its deletions. */
  readonly told = new Map<string, number>();
  readonly ended = new Map<string, number>();
  tick = 0;
  /** Set by the world: the present time, and the newest revision that changed a key. */
  nowMs: () => number = () => 0;
  looked: (key: string, text: string | undefined) => void = () => {};
  changedAt: (key: string) => number = () => 0;

  override read(key: string, nowMs: number): BackingEntry | null {
    const entry = super.read(key, nowMs);
    const looks = this.looks.get(key) ?? [];
    this.looks.set(key, looks);
    const text = entry === null ? undefined : new TextDecoder().decode(entry.payload.bytes);
    this.looked(key, text);
    looks.push({ tick: ++this.tick, atMs: this.nowMs(), text, changedAt: this.changedAt(key) });
    return entry;
  }

  override apply(batch: BackingBatch): BackingVerdict {
    const verdict = super.apply(batch);
    if (verdict.state !== "applied") return verdict;
    this.tick++;
    for (const { key, kind } of batch.changes) {
      this.told.set(key, this.tick);
      if (kind === "delete") this.ended.set(key, this.tick);
    }
    return verdict;
  }

  act(key: string, text: string | undefined): void {
    if (text === undefined) this.remove(key);
    else {
      const payload: Payload = { bytes: utf8(text), contentType: "text/plain" };
      this.putPlain(key, payload);
    }
    this.acts.set(key, { tick: ++this.tick, text });
  }

  /** What is there now, without anybody's having seen it. */
  text(key: string): string | undefined {
    const entry = this.entries().find((one) => one.key === key);
    const isOver = entry?.expiresAtMs !== undefined && entry.expiresAtMs <= this.nowMs();
    return entry === undefined || isOver ? undefined : new TextDecoder().decode(entry.payload.bytes);
  }
}
