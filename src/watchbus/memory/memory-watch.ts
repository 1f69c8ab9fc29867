import { compareKeys } from "../../protocol/key.ts";
import type { Position } from "../../protocol/position.ts";
import { type WatchFilter, type WatchKind, watchOperations } from "../../protocol/watch.ts";
import { wants, wantsState } from "../../protocol/watch-match.ts";
import { maxListLimit, maxWaitingPublications } from "../../runtime/limits.ts";
import { formatWatchCursor, type LogPlace } from "../cursor.ts";
import { type FoundEvent, isPublication, newest, toEvent, withCursors } from "../events.ts";
import type { Watch, WatchItem } from "../watchbus.ts";
import type { PassingPublication, WatchedEntry, WatchedLog } from "./watched-log.ts";

/** Entries that one look into the log reads at most. */
const entriesAtOnce = 1_000;

const kinds: ReadonlySet<string> = new Set([...watchOperations, "publishPrefix"]);

/** What a watch begins with: a place in the log, or the state. */
export type Beginning = { readonly at: LogPlace } | "snapshot";

/** One watch of a storage in this process: it reads the log when it is asked for more, so what it has not read yet costs nothing. */
export class MemoryWatch implements Watch {
  readonly #log: WatchedLog;
  readonly #filter: WatchFilter;
  readonly #ended: () => void;
  /** What was taken; while a snapshot is under way, where the log goes on behind it. */
  #place: LogPlace;
  /** The key that the snapshot has come to; undefined: there is none under way. */
  #snapshot: { readonly after: string | undefined } | undefined;
  #cursor: string | undefined;
  #passing: PassingPublication[] = [];
  #missed = false;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(log: WatchedLog, filter: WatchFilter, beginning: Beginning, ended: () => void) {
    this.#log = log;
    this.#filter = filter;
    this.#ended = ended;
    if (beginning === "snapshot") {
      this.#place = log.position;
      this.#snapshot = { after: undefined };
    } else this.#place = beginning.at;
    this.#cursor = this.#here;
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** The log has grown. */
  changed(): void {
    this.#wake();
  }

  published(publication: PassingPublication): void {
    const { target } = publication;
    const isWanted =
      "key" in target
        ? wants(this.#filter, "publish", target.key)
        : wants(this.#filter, "publishPrefix", target.prefix);
    if (!isWanted) return;
    this.#passing.push(publication);
    if (this.#passing.length > maxWaitingPublications) {
      this.#passing.shift();
      this.#missed = true;
    }
    this.#wake();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#passing = [];
    this.#ended();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly WatchItem[], void, void> {
    try {
      while (!this.#isOver) {
        // Only now what was told last has been taken.
        this.#cursor = this.#here;
        const items = this.#read();
        if (items === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (items.length > 0) yield items;
      }
    } finally {
      this.end();
    }
  }

  /** What there is to tell; empty: look again; undefined: nothing before something happens. */
  #read(): readonly WatchItem[] | undefined {
    // Ends what is due, which may be told to this very watch.
    const head = this.#log.position;
    if (this.#snapshot !== undefined) return this.#readState(this.#snapshot.after, head);
    const { epoch, revision } = this.#place;
    const why = epoch !== head.epoch ? "epoch" : revision < this.#log.floor ? "compacted" : undefined;
    if (why !== undefined) {
      this.#place = head;
      this.#snapshot = { after: undefined };
      return [{ kind: "gap", why, shard: head.shard, cursor: undefined }];
    }
    if (revision >= head.revision && this.#passing.length === 0 && !this.#missed) return undefined;
    return this.#readLog(head);
  }

  #readState(after: string | undefined, head: Position): readonly WatchItem[] {
    const { target, mode } = this.#filter;
    const first = after === undefined;
    if (!first && this.#place.revision < this.#log.floor) {
      // The log can't tell any more what has changed since: begun anew.
      this.#snapshot = { after: undefined };
      return [{ kind: "gap", why: "compacted", shard: head.shard, cursor: undefined }];
    }
    const changes = first ? [] : this.#changes(after, head);
    this.#place = head;
    const { items, more } = wantsState(this.#filter)
      ? this.#log.list(target, after, maxListLimit)
      : { items: [], more: false };
    const entries = items.map(({ key, version, payload }) =>
      mode === "keys" || payload === undefined ? { key, version } : { key, version, payload },
    );
    this.#snapshot = more ? { after: items.at(-1)?.key } : undefined;
    return [
      ...changes,
      { kind: "snapshot", entries, first, done: !more, shard: head.shard, cursor: this.#here },
    ];
  }

  /** What has happened since the page before to keys up to `told`: all that was told is then as it is now, and the log goes on from here for all. */
  #changes(told: string, { shard }: Position): readonly WatchItem[] {
    const { mode } = this.#filter;
    const found = this.#log
      .entries(this.#place.revision, Number.MAX_SAFE_INTEGER)
      .flatMap((entry) => this.#found(entry))
      .filter((event) => isPublication(event) || compareKeys(event.key, told) <= 0);
    return newest(found, mode).map((event) => ({ ...toEvent(event, shard, mode), cursor: undefined }));
  }

  #readLog(head: Position): readonly WatchItem[] {
    const before = this.#place.revision;
    const entries = this.#log.entries(before, entriesAtOnce);
    const last = entries.at(-1)?.revision ?? before;
    // What this look has not come to stands before the publications that came after it.
    const to = entries.length < entriesAtOnce ? head.revision : last;
    const found = this.#withPassing(entries, to);
    this.#place = { epoch: head.epoch, revision: to };
    const { mode } = this.#filter;
    const events = newest(found, mode).map((event) => toEvent(event, head.shard, mode));
    const told = withCursors(events, before, (revision) => this.#cursorAt(revision));
    if (!this.#missed) return told;
    this.#missed = false;
    return [{ kind: "missed", cursor: this.#cursorAt(before) }, ...told];
  }

  /** The wanted entries with the publications among them that are not in the log, up to revision `to`. */
  #withPassing(entries: readonly WatchedEntry[], to: number): readonly FoundEvent[] {
    const found = entries.flatMap((entry) => this.#found(entry));
    const due = this.#passing.findIndex(({ after }) => after > to);
    const passing = this.#passing.splice(0, due < 0 ? this.#passing.length : due);
    if (passing.length === 0) return found;
    const told = passing.map(({ target, payload, after }): FoundEvent => {
      const place = { version: 0, revision: after, payload };
      return "key" in target
        ? { kind: "publish", key: target.key, ...place }
        : { kind: "publishPrefix", key: target.prefix, ...place };
    });
    // Both are in order already, and sorting keeps what stands before: entries come before what was published after them.
    return [...found, ...told].sort((one, other) => one.revision - other.revision);
  }

  #found({ kind, key, revision, payload }: WatchedEntry): readonly FoundEvent[] {
    if (!kinds.has(kind) || !wants(this.#filter, kind as WatchKind, key)) return [];
    return [{ kind: kind as WatchKind, key, revision, version: kind === "set" ? revision : 0, payload }];
  }

  get #here(): string | undefined {
    return this.#snapshot === undefined ? this.#cursorAt(this.#place.revision) : undefined;
  }

  #cursorAt(revision: number): string | undefined {
    return formatWatchCursor([{ epoch: this.#place.epoch, revision }]);
  }
}
