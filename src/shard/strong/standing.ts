import type { Clock } from "../../runtime/clock.ts";
import type { DueSource } from "../alarms.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Residence } from "../residence.ts";
import type { Authority } from "./authority.ts";
import { isNoted, type Noted, together, type Use } from "./notes.ts";

/** How long after the last strong answer the notes are removed. */
const idleMs = 5_000;

/** What a {@link Standing} works on. */
export interface StandingParts {
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly authority: Authority;
  readonly clock: Clock;
  /** Whether nothing that the notes speak of can still be served by anyone. */
  readonly isQuiet: () => boolean;
}

/**
 * What must be durable before this shard answers strongly (rule ST5): a commit from not long ago, so that it is still the authority, and a note of the patterns under which it
 * answers, so that a successor knows what to wait for. Both are written together, once for all who wait.
 */
export class Standing implements DueSource {
  readonly #parts: StandingParts;
  /** What the database is known to have. */
  #noted: Noted;
  #wanted = new Map<string, Use>();
  #queued: Promise<void> | undefined;
  #underWay = 0;
  #usedMs = 0;
  #retryMs = 0;
  /** Grows when the database is removed: what was noted before says nothing after. */
  #life = 0;

  constructor(parts: StandingParts, noted: Noted) {
    this.#parts = parts;
    this.#noted = noted;
  }

  /** Whether strong answers about keys of these patterns may be given in this stretch. */
  holds(patterns: Iterable<string>, use: Use): boolean {
    if (!this.#parts.authority.isCurrent) return false;
    for (const pattern of patterns) if (!isNoted(this.#noted, pattern, use)) return false;
    this.#usedMs = this.#parts.clock.now();
    return true;
  }

  /** Writes what {@link holds} asks for. Ask that again when it has settled; rejects where the storage refuses. */
  async establish(patterns: Iterable<string>, use: Use): Promise<void> {
    for (const pattern of patterns) {
      if (!isNoted(this.#noted, pattern, use) && this.#wanted.get(pattern) !== "hold") {
        this.#wanted.set(pattern, use);
      }
    }
    this.#usedMs = this.#parts.clock.now();
    await (this.#queued ?? this.#write());
  }

  nextMs(): number | undefined {
    if (this.#underWay === 0 && Object.keys(this.#noted).length === 0) return undefined;
    return Math.max(Math.floor(this.#usedMs) + idleMs, this.#retryMs);
  }

  /** Removes the notes when nobody can make use of what they tell of. */
  run(nowMs: number): void {
    const ledger = this.#parts.residence.open();
    if (ledger === undefined || this.#underWay > 0 || !this.#parts.isQuiet()) {
      this.#retryMs = Math.floor(nowMs) + idleMs;
      return;
    }
    this.#noted = {};
    ledger.meta.held = undefined;
  }

  /** The database is gone, and its notes with it. */
  forget(): void {
    this.#life++;
    this.#noted = {};
  }

  #write(): Promise<void> {
    const { residence, commit, authority, clock } = this.#parts;
    const life = this.#life;
    const taken = new Map<string, Use>();
    let written: Noted = {};
    let isTaken = false;
    this.#underWay++;
    const done = commit
      .submit(() => {
        // From here on others need a write of their own. This may run again, if another's trouble undid it.
        isTaken = true;
        this.#queued = undefined;
        for (const [pattern, use] of this.#wanted) taken.set(pattern, use);
        this.#wanted.clear();
        const ledger = residence.open();
        if (ledger === undefined) return;
        written = together(ledger.meta.held ?? {}, taken);
        if (taken.size > 0) ledger.meta.held = written;
        ledger.meta.barrierMs = clock.now();
        authority.mark();
      })
      .then(() => {
        if (life === this.#life) this.#noted = written;
      })
      .finally(() => {
        this.#underWay--;
      });
    if (!isTaken) this.#queued = done;
    return done;
  }
}
