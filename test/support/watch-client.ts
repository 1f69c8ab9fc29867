import { compareKeys } from "../../src/protocol/key.ts";
import { concerns, type WatchFilter, type WatchKind } from "../../src/protocol/watch.ts";
import type { ServerFrame } from "../../src/protocol/wire/frames.ts";
import {
  bytesOfWire,
  eventPayload,
  type WireBytes,
  type WireEvent,
  type WireState,
} from "../../src/protocol/wire/watch-frames.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";

/** What a watcher was told, as `revision kind key value`; `~`: left out. */
export function eventText([revision, kind, key, version, ...rest]: WireEvent): string {
  const payload = eventPayload([revision, kind, key, version, ...rest] as WireEvent);
  const value = payload === undefined ? "" : payload === "omitted" ? " ~" : ` ${fromUtf8(payload.bytes)}`;
  return `${revision} ${kind} ${key}${value}`;
}

/** One watch, as it must be led by whoever speaks `warp.v1`. */
export class ClientWatch {
  readonly filter: WatchFilter;
  position: { epoch: string; revision: number } | undefined;
  isLive = false;
  /** All that it was told: events, `gap why`, `snapshot`, `done`. */
  readonly told: string[] = [];
  /** The state as far as it is known: versions of keys. Undefined: it was not asked for. */
  state: Map<string, number> | undefined;
  /** A snapshot is under way. */
  isSnapshot = false;
  /** Up to which key. */
  highest = "";
  ended: string | undefined;

  constructor(filter: WatchFilter) {
    this.filter = filter;
  }

  event(event: WireEvent): void {
    const [revision, kind, key, version] = event;
    this.told.push(eventText(event));
    if (this.isSnapshot && !kind.startsWith("publish") && compareKeys(key, this.highest) > 0) {
      throw new Error(
        `${eventText(event)} is told before the state has come to it, which is at ${this.highest}`,
      );
    }
    if (kind === "set") this.state?.set(key, version);
    else if (kind === "delete" || kind === "expire") this.state?.delete(key);
    if (this.position !== undefined && revision < this.position.revision) {
      throw new Error(`${eventText(event)} after ${this.position.revision}`);
    }
  }

  wants(kind: WatchKind, key: string, isHome = true): boolean {
    const { target, ops } = this.filter;
    const isPrefix = kind === "publishPrefix";
    if (isPrefix && !isHome && "prefix" in target) return false;
    return (
      concerns(target, key, isPrefix) && (ops === undefined || ops.includes(isPrefix ? "publish" : kind))
    );
  }
}

/** The watches of one application over one socket after the other. */
export class WatchClient {
  readonly watches = new Map<number, ClientWatch>();
  readonly messages: string[] = [];
  missed = 0;

  take(frame: ServerFrame): void {
    if (frame.t === "msg") for (const [kind, key, , value] of frame.es) this.#message(kind, key, value);
    if (frame.t === "missed") this.missed += frame.n;
    if (frame.t === "we" && frame.id === undefined) {
      for (const watch of this.watches.values()) if (watch.isLive) this.#events(watch, frame);
    }
    if (!("id" in frame) || frame.id === undefined) return;
    const watch = this.watches.get(frame.id);
    if (watch === undefined) return;
    if (frame.t === "on") {
      if (frame.live === undefined) watch.position = { epoch: frame.epoch, revision: frame.revision };
      watch.position ??= { epoch: frame.epoch, revision: frame.revision };
      if (frame.live) watch.isLive = true;
    }
    if (frame.t === "we") this.#events(watch, frame);
    if (frame.t === "gap") {
      watch.isLive = false;
      watch.told.push(`gap ${frame.why}`);
      watch.state = undefined;
    }
    if (frame.t === "snap") this.#snap(watch, frame);
    if (frame.t === "end") {
      watch.ended = frame.e.code;
      watch.isLive = false;
    }
  }

  #message(kind: string, key: string, value: WireBytes): void {
    this.messages.push(`${kind} ${key} ${fromUtf8(bytesOfWire(value))}`);
  }

  /** What is not beyond the position has been told before. */
  #events(
    watch: ClientWatch,
    { epoch, to, es }: { epoch: string; to: number; es: readonly WireEvent[] },
  ): void {
    const from = watch.position?.epoch === epoch ? watch.position.revision : 0;
    for (const event of es) {
      const [revision, kind, key] = event;
      if (revision > from && watch.wants(kind, key)) watch.event(event);
    }
    watch.position = { epoch, revision: Math.max(from, to) };
  }

  #snap(watch: ClientWatch, frame: Extract<ServerFrame, { t: "snap" }>): void {
    if (frame.first) {
      watch.state = new Map();
      watch.isSnapshot = true;
      watch.highest = "";
      watch.told.push("snapshot");
    }
    const { position } = watch;
    if (!frame.first && position?.epoch === frame.epoch && frame.to < position.revision) {
      throw new Error(`a page of ${frame.to} after ${position.revision}`);
    }
    for (const [key, version] of frame.es as readonly WireState[]) watch.state?.set(key, version);
    watch.highest = frame.es.at(-1)?.[0] ?? watch.highest;
    watch.position = { epoch: frame.epoch, revision: frame.to };
    if (frame.done) {
      watch.isSnapshot = false;
      watch.told.push("done");
    }
  }
}
