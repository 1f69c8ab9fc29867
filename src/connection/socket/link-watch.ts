import type { WatchFilter } from "../../protocol/watch.ts";
import { wants } from "../../protocol/watch-match.ts";
import type { WatchClientFrame, WatchServerFrame, WatchStart } from "../../protocol/wire/watch-frames.ts";
import type { LogPlace, PushedEvent, PushedKey, ShardWatchListener } from "../watching.ts";

/** Publications to a prefix are told by every shard; who watches a prefix in all of them takes those of this one. */
const homeShard = 0;

/** How one watch of a shard stands, from session to session. */
export class LinkWatch {
  /** Its number at the session. */
  id = 0;
  readonly filter: WatchFilter;
  readonly listener: ShardWatchListener;
  readonly #shard: number;
  /** Where it begins at the next session. */
  #start: WatchStart;
  /** How far it has been told; undefined: nowhere, or the state is being told. */
  #place: LogPlace | undefined;
  #hasBegun = false;
  /** Frames without a number are for it, too. */
  #isLive = false;
  /** Since it was cut no session has taken it up. */
  #wasCut = false;
  /** What it shows of itself; null: nothing. */
  shown: unknown = null;

  constructor(shard: number, filter: WatchFilter, start: WatchStart, listener: ShardWatchListener) {
    this.filter = filter;
    this.listener = listener;
    this.#shard = shard;
    this.#start = start;
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  /** Whether it can go on later from where it is now. */
  get isResumable(): boolean {
    return this.#place !== undefined;
  }

  /** What opens it at a session. */
  get frame(): Extract<WatchClientFrame, { t: "sub" }> {
    const { target, mode, ops } = this.filter;
    const from = this.#place ?? this.#start;
    const wanted = ops === undefined ? {} : { ops };
    const presence = this.listener.presence === undefined ? {} : { presence: true as const };
    return { t: "sub", id: this.id, ...target, mode, from, ...wanted, ...presence };
  }

  /** Publications that the log does not keep may have passed it by. */
  missed(): void {
    if (this.#hasBegun && this.filter.ops?.includes("publish") !== false) this.listener.missed();
  }

  /** Its session has ended, or it is paused. */
  cut(standing: "cut" | "behind" = "cut"): void {
    this.#isLive = false;
    this.#wasCut = true;
    this.listener.presence?.(undefined);
    this.listener.stands?.(standing);
  }

  /** It is opened at a session. */
  opened(): void {
    this.listener.stands?.("behind");
  }

  on({ epoch, revision, live }: Extract<WatchServerFrame, { t: "on" }>): void {
    const place = { epoch, revision };
    // Said only now: until here more of them may have passed it by.
    if (this.#wasCut) this.missed();
    this.#wasCut = false;
    // What comes before it is live moves its place by itself.
    if (live === undefined && this.#start === "snapshot" && this.#place === undefined) return;
    const hasMoved = this.#moved(place);
    const isNew = !this.#hasBegun;
    this.#hasBegun = true;
    if (isNew) this.listener.begun(place);
    if (live === undefined) return;
    // Of what it was brought over there may have been nothing for it.
    if (hasMoved && !isNew) this.listener.events([], place);
    this.#isLive = true;
    this.listener.stands?.("live");
  }

  /** Entries of its own, or of all live watches of the session, as `pick` gives those that are wanted beyond a revision. */
  events(
    { id, epoch, to }: Pick<Extract<WatchServerFrame, { t: "we" }>, "id" | "epoch" | "to">,
    pick: (
      isWanted: (event: Pick<PushedEvent, "kind" | "key" | "revision">) => boolean,
    ) => readonly PushedEvent[],
  ): void {
    // Between two pages of the state come the changes of keys that were told.
    const isOfState = this.#place === undefined;
    if (id === undefined && isOfState) return;
    const from = this.#place?.epoch === epoch ? this.#place.revision : 0;
    const events = pick(({ kind, key, revision }) => revision > from && this.wants(kind, key));
    if (!isOfState) this.#moved({ epoch, revision: Math.max(from, to) });
    if (events.length > 0 || !isOfState) this.listener.events(events, this.#place);
  }

  /** Whether it is to be told of a publication that is not in the log: from where it has begun, also while it catches up. */
  hears(kind: PushedEvent["kind"], key: string): boolean {
    return this.#hasBegun && this.wants(kind, key);
  }

  /** A publication that is not in the log, and that it {@link hears}. */
  message(event: Omit<PushedEvent, "revision">): void {
    this.listener.events([{ ...event, revision: this.#place?.revision ?? 0 }], this.#place);
  }

  state(
    {
      epoch,
      to,
      first,
      done,
    }: Pick<Extract<WatchServerFrame, { t: "snap" }>, "epoch" | "to" | "first" | "done">,
    keys: readonly PushedKey[],
  ): void {
    this.#hasBegun = true;
    this.#place = undefined;
    this.#start = "snapshot";
    const place = done ? { epoch, revision: to } : undefined;
    if (place !== undefined) this.#moved(place);
    this.listener.state(keys, first === true, place);
  }

  gap(why: "compacted" | "epoch" | "slow"): void {
    this.#isLive = false;
    this.#place = undefined;
    this.#start = "snapshot";
    this.listener.stands?.("behind");
    this.listener.gap(why);
  }

  wants(kind: PushedEvent["kind"], key: string): boolean {
    const { target } = this.filter;
    if (kind === "publishPrefix" && "prefix" in target && this.#shard !== homeShard) return false;
    return wants(this.filter, kind, key);
  }

  /** Whether that is news. */
  #moved(place: LogPlace): boolean {
    const before = this.#place;
    if (before !== undefined && before.epoch === place.epoch && before.revision >= place.revision)
      return false;
    this.#place = place;
    return true;
  }
}
