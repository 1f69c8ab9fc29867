import { WarpError } from "../../errors.ts";
import type { WatchFilter } from "../../protocol/watch.ts";
import type { ServerFrame } from "../../protocol/wire/frames.ts";
import {
  bytesOfWire,
  eventPayload,
  type WatchClientFrame,
  type WatchServerFrame,
  type WatchStart,
  type WireEvent,
} from "../../protocol/wire/watch-frames.ts";
import type { PushedEvent, ShardWatch, ShardWatchListener } from "../watching.ts";
import { LinkWatch } from "./link-watch.ts";

/** Frames about watches. */
export type WatchFrame = WatchServerFrame | (Extract<ServerFrame, { t: "gap" }> & { readonly id: number });

/** What watches ask of their link. */
export interface LinkWatchesHooks {
  /** Sends a frame to the session that is open; it is no loss where there is none. */
  send(frame: WatchClientFrame): void;
  /** A session is wanted. */
  needed(): void;
}

/** The watches of one shard, over the sessions of its link: each begins anew at a session from where it was. */
export class LinkWatches {
  readonly #shard: number;
  readonly #hooks: LinkWatchesHooks;
  /** By the number that each has at the session. */
  readonly #watches = new Map<number, LinkWatch>();
  readonly #paused = new Set<LinkWatch>();
  #nextId = 1;
  #isOpen = false;

  constructor(shard: number, hooks: LinkWatchesHooks) {
    this.#shard = shard;
    this.#hooks = hooks;
  }

  /** Whether a session is wanted for them. */
  get areWanted(): boolean {
    return this.#watches.size > 0;
  }

  open(filter: WatchFilter, from: WatchStart, listener: ShardWatchListener): ShardWatch {
    const watch = new LinkWatch(this.#shard, filter, from, listener);
    this.#begin(watch);
    return {
      pause: () => this.#pause(watch),
      resume: () => {
        if (!this.#paused.delete(watch)) return;
        this.#begin(watch);
      },
      end: () => {
        this.#paused.delete(watch);
        if (this.#watches.delete(watch.id)) this.#hooks.send({ t: "unsub", id: watch.id });
      },
      show: (data) => {
        if (watch.shown === null && data === null) return;
        watch.shown = data;
        if (this.#isOpen && this.#watches.has(watch.id)) this.#show(watch);
      },
    };
  }

  /** A session is open. */
  welcomed(): void {
    this.#isOpen = true;
    for (const watch of this.#watches.values()) this.#send(watch);
  }

  /** The session has ended. */
  lost(): void {
    // An attempt that came to nothing took nothing from them.
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const watch of this.#watches.values()) watch.cut();
  }

  /** They can't go on: the shard refuses them all. */
  fail(error: WarpError): void {
    const all = [...this.#watches.values(), ...this.#paused];
    this.#watches.clear();
    this.#paused.clear();
    for (const { listener } of all) listener.failed(error);
  }

  /** Throws where a frame can't be understood. */
  take(frame: WatchFrame): void {
    switch (frame.t) {
      case "we":
        this.#events(frame);
        return;
      case "msg":
        this.#messages(frame);
        return;
      case "missed":
        for (const watch of this.#watches.values()) watch.missed();
        return;
    }
    const watch = this.#watches.get(frame.id);
    // Late words about one that has ended here, or is paused.
    if (watch === undefined) return;
    switch (frame.t) {
      case "on":
        watch.on(frame);
        return;
      case "gap":
        watch.gap(frame.why);
        return;
      case "pres":
        watch.listener.presence?.(frame);
        return;
      case "snap":
        watch.state(
          frame,
          frame.es.map(([key, version, contentType, value]) => {
            const isCarried = contentType !== undefined && value !== undefined;
            return {
              key,
              version,
              payload: isCarried ? { bytes: bytesOfWire(value), contentType } : undefined,
            };
          }),
        );
        return;
      case "end":
        this.#watches.delete(frame.id);
        watch.listener.failed(WarpError.fromData(frame.e));
        return;
    }
  }

  /** Under a number of its own each time, so that late frames of the time before a pause are nobody's. */
  #begin(watch: LinkWatch): void {
    watch.id = this.#nextId++;
    this.#watches.set(watch.id, watch);
    if (this.#isOpen) this.#send(watch);
    else this.#hooks.needed();
  }

  #send(watch: LinkWatch): void {
    this.#hooks.send(watch.frame);
    if (watch.shown !== null) this.#show(watch);
    watch.opened();
  }

  #show({ id, shown }: LinkWatch): void {
    this.#hooks.send({ t: "here", id, data: shown });
  }

  #pause(watch: LinkWatch): boolean {
    if (!watch.isResumable || !this.#watches.delete(watch.id)) return false;
    this.#paused.add(watch);
    watch.cut("behind");
    this.#hooks.send({ t: "unsub", id: watch.id });
    return true;
  }

  #events(frame: Extract<WatchServerFrame, { t: "we" }>): void {
    // Decoded once for all, and only what somebody wants.
    const decoded: (PushedEvent | undefined)[] = [];
    const pick: Parameters<LinkWatch["events"]>[1] = (isWanted) => {
      const events: PushedEvent[] = [];
      for (const [at, entry] of frame.es.entries()) {
        const [revision, kind, key] = entry;
        if (!isWanted({ kind, key, revision })) continue;
        const event = decoded[at] ?? toPushed(entry);
        decoded[at] = event;
        events.push(event);
      }
      return events;
    };
    if (frame.id === undefined) {
      for (const watch of this.#watches.values()) if (watch.isLive) watch.events(frame, pick);
      return;
    }
    this.#watches.get(frame.id)?.events(frame, pick);
  }

  #messages({ es }: Extract<WatchServerFrame, { t: "msg" }>): void {
    for (const [kind, key, contentType, value] of es) {
      const wanting = [...this.#watches.values()].filter((watch) => watch.hears(kind, key));
      if (wanting.length === 0) continue;
      const payload = { bytes: bytesOfWire(value), contentType };
      for (const watch of wanting) watch.message({ kind, key, version: 0, payload });
    }
  }
}

function toPushed(entry: WireEvent): PushedEvent {
  const [revision, kind, key, version] = entry;
  const payload = eventPayload(entry);
  return { revision, kind, key, version, payload: payload === "omitted" ? undefined : payload };
}
