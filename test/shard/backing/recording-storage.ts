import type { BackingBatch, BackingVerdict } from "../../../src/backing/backing.ts";
import { MemoryBackingStorage } from "../../../src/backing/memory/memory-backing-storage.ts";

/** A storage that notes what is carried out in it, and complains where that is not in order. */
export class RecordingStorage extends MemoryBackingStorage {
  /** Places of the log that were carried out since the last loss, in order. */
  places: string[] = [];
  readonly troubles: string[] = [];
  /** Times that it was made to lose something. */
  losses = 0;
  batches = 0;
  repeats = 0;
  #versions = new Map<string, number>();
  #last = { epoch: "", revision: -1, seq: -1 };

  override apply(batch: BackingBatch): BackingVerdict {
    const verdict = super.apply(batch);
    if (verdict.state === "repeated") this.repeats++;
    if (verdict.state !== "applied") return verdict;
    this.batches++;
    for (const change of batch.changes) this.#note(batch.after.epoch, change);
    return verdict;
  }

  /** What it knew is gone in part: what was seen before says nothing any more. */
  lost(): void {
    this.losses++;
    this.places = [];
    this.#versions.clear();
    this.#last = { epoch: "", revision: -1, seq: -1 };
  }

  #note(epoch: string, change: BackingBatch["changes"][number]): void {
    const { revision, seq, key } = change;
    const place = `${revision}.${seq}`;
    const last = this.#last;
    const isNewLife = last.epoch !== epoch;
    if (isNewLife) {
      this.#versions.clear();
      this.places = [];
    }
    const isBehind = revision < last.revision || (revision === last.revision && seq <= last.seq);
    if (!isNewLife && isBehind) this.troubles.push(`${place} came after ${last.revision}.${last.seq}`);
    this.#last = { epoch, revision, seq };
    this.places.push(place);
    const before = this.#versions.get(key) ?? 0;
    const version = change.kind === "put" ? change.version : revision;
    if (version < before) this.troubles.push(`${key} went back from ${before} to ${version}`);
    this.#versions.set(key, version);
  }
}
