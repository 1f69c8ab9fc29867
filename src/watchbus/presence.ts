import { WarpError } from "../errors.ts";
import { utf8Length } from "../runtime/bytes.ts";
import { maxPresenceBytes } from "../runtime/limits.ts";
import type { PresenceNews, PresenceSeat } from "./watchbus.ts";

/**
 * Who is there (rule WA11): made by the application, given to one watch, and true while that lasts: `warp.watch({ key: "room:1" }, { presence: here })`. It tells who else shows
 * itself at exactly that key or prefix, and shows this watch to them. It is state: of each member the newest counts, and what came in between is not told.
 */
export class Presence<T = unknown> implements PresenceSeat {
  readonly #listeners = new Set<() => void>();
  readonly #members = new Map<string, T>();
  #shown: T | null;
  #say: ((data: unknown) => void) | undefined;
  #count = 0;
  #me: string | undefined;
  #isCurrent = false;

  /** `shown`: what this watch shows of itself from its beginning: see {@link show}. Default null: nothing, it only looks on. */
  constructor(shown: T | null = null) {
    this.#shown = checked(shown);
  }

  /** What each member shows, by a name that lasts as long as its connection; this watch's own included. Empty where there are more than 256: see {@link count}. */
  get members(): ReadonlyMap<string, T> {
    return this.#members;
  }

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Which of the members this watch is; undefined: none now. */
  get me(): string | undefined {
    return this.#me;
  }

  /** Whether it is told as it changes. False before the watch has begun, and while its connection is broken: then {@link members} are those of before. */
  get isCurrent(): boolean {
    return this.#isCurrent;
  }

  /** What this watch shows of itself; null: nothing. */
  get shown(): T | null {
    return this.#shown;
  }

  /** Shows this watch to the others, with JSON of at most 1 KiB; null: no longer. Throws `invalid_argument`. */
  show(data: T | null): void {
    this.#shown = checked(data);
    this.#say?.(this.#shown);
  }

  /** Is told whenever something has changed; the answer ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** For drivers: a watch takes it; `say` carries what it shows. Throws `invalid_argument` where another has it. */
  take(say: (data: unknown) => void): void {
    if (this.#say !== undefined) throw new WarpError("invalid_argument", "a Presence is of one watch");
    this.#say = say;
    if (this.#shown !== null) say(this.#shown);
  }

  /** For drivers: what the watch is told. Undefined: its connection is broken. */
  told(news: PresenceNews | undefined): void {
    this.#isCurrent = news !== undefined;
    if (news === undefined) this.#me = undefined;
    else {
      if (news.all) this.#members.clear();
      for (const [member, data] of news.es) {
        if (data === null) this.#members.delete(member);
        else this.#members.set(member, data as T);
      }
      this.#me = news.me ?? this.#me;
      this.#count = news.n ?? this.#members.size;
    }
    for (const listener of this.#listeners) listener();
  }

  /** For drivers: the watch is over. */
  leave(): void {
    this.#say = undefined;
    this.#members.clear();
    this.#count = 0;
    this.told(undefined);
  }
}

function checked<T>(data: T): T {
  const json = JSON.stringify(data) as string | undefined;
  if (json !== undefined && utf8Length(json) <= maxPresenceBytes) return data;
  throw new WarpError("invalid_argument", `what is shown is JSON of at most ${maxPresenceBytes} bytes`, {
    details: { field: "presence", max: maxPresenceBytes },
  });
}
