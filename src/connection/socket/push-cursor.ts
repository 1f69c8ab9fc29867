import type { PushedChanges } from "../../protocol/pushes.ts";
import type { ServerFrame, WireChange } from "../../protocol/wire/frames.ts";

type Pushed = Extract<ServerFrame, { t: "ev" | "prog" }>;

/** How far pushes of one shard's log were delivered: where the next session resumes, and what a repetition is recognised by (rule SB1). */
export class PushCursor {
  readonly #shard: number;
  #position: { readonly epoch: string; readonly revision: number } | undefined;

  constructor(shard: number) {
    this.#shard = shard;
  }

  /** What `hello` says of it. */
  get position(): { readonly epoch: string; readonly revision: number } | undefined {
    return this.#position;
  }

  /** Pushes go on from here; undefined: nothing was ever delivered. */
  jump(position: { readonly epoch: string; readonly revision: number } | undefined): void {
    this.#position = position === undefined ? undefined : { ...position };
  }

  /** What is new in a frame; undefined: nothing. */
  advance(frame: Pushed): PushedChanges | undefined {
    const { epoch, to } = frame;
    const at = this.#position;
    const from = at?.epoch === epoch ? at.revision : undefined;
    if (from !== undefined && to <= from) return undefined;
    const after = frame.t === "ev" ? Math.max(frame.after, from ?? frame.after) : (from ?? to);
    const changes = frame.t === "ev" ? changesAfter(frame.es, after) : [];
    this.#position = { epoch, revision: to };
    return { shard: this.#shard, epoch, after, to, changes };
  }
}

function changesAfter(entries: readonly WireChange[], after: number): PushedChanges["changes"] {
  const changes = entries.map(([revision, kind, key]) => ({ revision, kind, key }));
  return changes[0] !== undefined && changes[0].revision <= after
    ? changes.filter(({ revision }) => revision > after)
    : changes;
}
