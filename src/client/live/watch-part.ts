import type { WarpError } from "../../errors.ts";
import type { WatchFilter, WatchKind } from "../../protocol/watch.ts";
import { wants } from "../../protocol/watch-match.ts";
import type { ClientFrame } from "../../protocol/wire/frames.ts";
import type { WatchStart, WireEvent, WireState } from "../../protocol/wire/watch-frames.ts";
import type { PresenceSeat } from "../../watchbus/watchbus.ts";
import type { Subscriber, WatchFrame } from "./link-types.ts";

/** A place in a shard's log. */
export interface Place {
  readonly epoch: string;
  readonly revision: number;
}

/** What a shard has told and the reader has not taken yet. `place`: how far its log is told with it; undefined: the state is being told. */
export type Told = { readonly part: WatchPart; place: Place | undefined } & (
  | { readonly kind: "events"; events: readonly WireEvent[] }
  | { readonly kind: "snapshot"; readonly keys: readonly WireState[]; readonly first: boolean }
  | { readonly kind: "gap"; readonly why: "compacted" | "epoch" | "slow" }
  | { readonly kind: "missed" }
);

/** What a part tells its watch. */
export interface PartEvents {
  told(told: Told): void;
  /** It was opened at a session. */
  opened(): void;
  /** It has begun: all that happens from here on will be told. */
  begun(): void;
  /** How it stands has changed. */
  stood(): void;
  failed(error: WarpError): void;
}

/** One shard's part of a watch: how far it was told, over however many sessions. The same rules as `LinkWatch` has for nodes, in less room. */
export class WatchPart implements Subscriber {
  id = 0;
  readonly shard: number;
  /** `cut`: it has no connection; `behind`: it is being brought up to date. */
  standing: "live" | "behind" | "cut" = "behind";
  /** Behind what the reader has taken; undefined: the state is not whole. */
  taken: Place | undefined;
  awaitsState: boolean;
  readonly #filter: WatchFilter;
  readonly #events: PartEvents;
  readonly #presence: PresenceSeat | undefined;
  #start: WatchStart;
  /** How far it has been told; undefined: nowhere, or the state is being told. */
  #told: Place | undefined;
  #hasBegun = false;
  /** No session has taken it up since it was cut or paused. */
  #isAway = false;

  /** `presence`: who is there is told to it. */
  constructor(
    shard: number,
    filter: WatchFilter,
    start: WatchStart,
    events: PartEvents,
    presence?: PresenceSeat,
  ) {
    this.#presence = presence;
    this.shard = shard;
    this.#filter = filter;
    this.#start = start;
    this.#events = events;
    this.taken = typeof start === "string" ? undefined : start;
    this.awaitsState = start === "snapshot";
  }

  get frame(): ClientFrame {
    const { target, mode, ops } = this.#filter;
    const from = this.#told ?? this.#start;
    return {
      t: "sub",
      id: this.id,
      ...target,
      mode,
      from,
      ...(ops && { ops }),
      ...(this.#presence && { presence: true }),
    };
  }

  /** Whether it can go on later from where it is now. */
  get isResumable(): boolean {
    return this.#told !== undefined;
  }

  opened(): void {
    this.#stand("behind");
    this.#events.opened();
  }

  /** Its session has ended; `behind`: it is left alone for a while. */
  cut(standing: "cut" | "behind" = "cut"): void {
    this.#isAway = true;
    this.#presence?.told(undefined);
    this.#stand(standing);
  }

  failed(error: WarpError): void {
    this.#events.failed(error);
  }

  /** Publications that the log does not keep may have passed it by. */
  #missed(): void {
    if (this.#hasBegun && this.#filter.ops?.includes("publish") !== false)
      this.#events.told({ kind: "missed", part: this, place: this.#told });
  }

  take(frame: WatchFrame): void {
    switch (frame.t) {
      case "on":
        this.#on(frame);
        return;
      case "we":
        this.#entries(frame);
        return;
      case "msg":
        this.#messages(frame);
        return;
      case "snap": {
        const place = frame.done && { epoch: frame.epoch, revision: frame.to };
        this.#told = place;
        this.#start = "snapshot";
        this.#begin();
        const { es: keys, first = false } = frame;
        this.#events.told({ kind: "snapshot", part: this, place, keys, first });
        return;
      }
      case "gap":
        this.#told = undefined;
        this.#start = "snapshot";
        this.#stand("behind");
        this.#events.told({ kind: "gap", part: this, place: undefined, why: frame.why });
        return;
      case "missed":
        this.#missed();
        return;
      case "pres":
        this.#presence?.told(frame);
    }
  }

  #on({ epoch, revision, live }: Extract<WatchFrame, { t: "on" }>): void {
    // Said only now: until here more of them may have passed it by.
    if (this.#isAway) this.#missed();
    this.#isAway = false;
    // What comes before it is live moves its place by itself.
    if (!live && this.#start === "snapshot" && !this.#told) return;
    const before = this.#told;
    this.#moved({ epoch, revision });
    if (live) this.#stand("live");
    if (!this.#hasBegun) this.taken ??= this.#told;
    // Of what it was brought over there may have been nothing for it.
    else if (live && this.#told !== before)
      this.#events.told({ kind: "events", part: this, place: this.#told, events: [] });
    this.#begin();
  }

  #entries({ id, epoch, to, es }: Extract<WatchFrame, { t: "we" }>): void {
    const told = this.#told;
    // Frames without a number are for live ones; between two pages of the state come the changes of keys that were told.
    if (id === undefined && (this.standing !== "live" || !told)) return;
    const from = told?.epoch === epoch ? told.revision : 0;
    const events = es.filter(([revision, kind, key]) => revision > from && this.#wants(kind, key));
    if (told) this.#moved({ epoch, revision: Math.max(from, to) });
    if (told || events.length > 0)
      this.#events.told({ kind: "events", part: this, place: this.#told, events });
  }

  #messages({ es }: Extract<WatchFrame, { t: "msg" }>): void {
    // Also while it catches up: from where it has begun nothing is left out in silence.
    if (!this.#hasBegun) return;
    const revision = this.#told?.revision ?? 0;
    const events = es
      .filter(([kind, key]) => this.#wants(kind, key))
      .map(([kind, key, type, value]): WireEvent => [revision, kind, key, 0, type, value]);
    if (events.length > 0) this.#events.told({ kind: "events", part: this, place: this.#told, events });
  }

  #wants(kind: WatchKind, key: string): boolean {
    // A publication to a prefix is told by every shard; who watches a prefix in all of them takes that of the first.
    if (kind === "publishPrefix" && "prefix" in this.#filter.target && this.shard > 0) return false;
    return wants(this.#filter, kind, key);
  }

  #moved(place: Place): void {
    const told = this.#told;
    if (told?.epoch !== place.epoch || told.revision < place.revision) this.#told = place;
  }

  #begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#events.begun();
  }

  #stand(standing: WatchPart["standing"]): void {
    this.standing = standing;
    this.#events.stood();
  }
}
