import { WarpError } from "../../../errors.ts";
import type { Publication, WatchFilter } from "../../../protocol/watch.ts";
import { checkTarget } from "../../../protocol/watch-rules.ts";
import type { WatchClientFrame } from "../../../protocol/wire/watch-frames.ts";
import { toBase64 } from "../../../runtime/bytes.ts";
import type { Clock, Timers } from "../../../runtime/clock.ts";
import { maxSubscriptionsPerSession, maxWaitingPublications } from "../../../runtime/limits.ts";
import type { LogPosition } from "../../published-log.ts";
import type { WatchSource } from "../../watch-source.ts";
import type { HubWatching } from "../hub-options.ts";
import type { SessionRecord } from "../hub-socket.ts";
import type { Presence } from "../presence/presence.ts";
import { checkWatch } from "../rights.ts";
import type { Session } from "../session.ts";
import { SharedFrame } from "../session-codec.ts";
import { isBounded } from "../session-limits.ts";
import { checkStart, isAttachable, tooMany } from "./bounds.ts";
import { CatchUp } from "./catch-up.ts";
import { Subscription } from "./subscription.ts";
import { WatchCounts } from "./watch-counts.ts";
import { Shared, WatchFeed } from "./watch-feed.ts";
import { Watcher } from "./watcher.ts";

/** What {@link Watches} are made of. */
export interface WatchesOptions {
  readonly log: WatchSource;
  /** Where subscriptions are kept that an attachment has no room for. */
  readonly table: HubWatching["subscriptions"];
  /** Watches of all sessions of one subject; nodes and administrators have no such bound. */
  readonly watchesPerSubject: number;
  readonly presence: Presence;
  /** Told that a session has not taken in enough to get more. */
  readonly slow: (session: Session) => void;
  readonly clock: Clock;
  readonly elapsed: Clock;
  readonly timers: Timers;
  /** Takes what failed for one session: it is to be closed, and others go on. */
  readonly failed: (session: Session, error: unknown) => void;
}

/** What the sessions of a hub watch. */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #feed: WatchFeed;
  readonly #catchUp: CatchUp;
  readonly #watchers = new Map<Session, Watcher>();
  readonly #counts = new WatchCounts();
  /** Those that will go on in a moment; a timer runs while there are any. */
  readonly #behind = new Set<Watcher>();

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.#feed = new WatchFeed(options);
    this.#catchUp = new CatchUp({ ...options, feed: this.#feed });
  }

  /** Opens a subscription. Throws `invalid_frame` for a number that is taken; what else is wrong ends the subscription alone. */
  subscribe(session: Session, frame: Extract<WatchClientFrame, { t: "sub" }>): void {
    const { id, key, prefix = "", mode, from, ops } = frame;
    const known = this.#watchers.get(session);
    if (known?.subscriptions.has(id))
      throw new WarpError("invalid_frame", "this subscription is open already");
    const target = key === undefined ? { prefix } : { key };
    const filter = { target, mode, ...(ops === undefined ? {} : { ops }) };
    const head = this.#head;
    try {
      this.#check(session, filter, known);
      checkStart(from, head, this.#options.log.written);
    } catch (error) {
      if (!(error instanceof WarpError)) throw error;
      session.send({ t: "end", id, e: error.toData() });
      return;
    }
    const watcher = known ?? new Watcher(session, head, this.#options.elapsed.now());
    this.#watchers.set(session, watcher);
    // Those that are live first come to where the new one begins.
    this.#feed.advance(watcher, new Shared());
    const at = typeof from === "string" ? head : { epoch: from.epoch, revision: from.revision };
    const { epoch, revision } = watcher.at;
    const isLive = from === "now" && epoch === at.epoch && revision === at.revision;
    const stage = from === "snapshot" ? "snapshot" : isLive ? "live" : "replay";
    const subscription = new Subscription(id, filter, stage, at, frame.presence);
    watcher.add(subscription);
    session.send({ t: "on", id, ...at, ...(isLive ? { live: true } : {}) });
    this.#options.presence.begun(session, subscription, true);
    // Others come along that begin at the same place, after a reconnection above all.
    if (!isLive) this.#later(watcher);
    this.#keep(watcher);
  }

  unsubscribe(session: Session, id: number): void {
    const watcher = this.#watchers.get(session);
    if (watcher?.subscriptions.has(id) !== true) return;
    this.#remove(watcher, id);
    this.#keep(watcher);
  }

  /** What a session shows of itself at what it watches; what is too much ends the subscription. One that has ended is nobody's. */
  show(session: Session, { id, data }: Extract<WatchClientFrame, { t: "here" }>): void {
    const watcher = this.#watchers.get(session);
    const subscription = watcher?.subscriptions.get(id);
    if (watcher === undefined || subscription === undefined) return;
    try {
      this.#options.presence.show(session, subscription, data, watcher.subscriptions.values());
      this.#checkRoom(watcher.records);
    } catch (error) {
      this.#end(watcher, id, error);
    }
    this.#keep(watcher);
  }

  /** Tells everybody what is new; gives whether there is anybody. */
  push(): boolean {
    const shared = new Shared();
    for (const watcher of this.#watchers.values()) this.#try(watcher, shared);
    return this.#watchers.size > 0;
  }

  /** Nothing more comes for now: notes how far everybody is. */
  settle(): void {
    const nowMs = this.#options.clock.now();
    for (const { session, at } of this.#watchers.values()) session.keepWatch(at, nowMs, Infinity);
  }

  /** A session whose pushes waited has room again. */
  resume(session: Session): void {
    const watcher = this.#watchers.get(session);
    if (watcher !== undefined) this.#goOn(watcher, new Shared());
  }

  /** Tells those who watch now of what the log does not keep, after all that it has kept so far. */
  tell({ target, payload }: Publication): void {
    const isPrefix = "prefix" in target;
    const kind = isPrefix ? "publishPrefix" : "publish";
    const key = isPrefix ? target.prefix : target.key;
    const shared = new Shared();
    let frame: SharedFrame | undefined;
    for (const watcher of this.#watchers.values()) {
      const { session } = watcher;
      if (!watcher.all.wants({ kind, key })) continue;
      this.#try(watcher, shared);
      if (session.isSlow && session.slowSinceMs === undefined) this.#options.slow(session);
      if (session.slowSinceMs !== undefined || watcher.waiting.length >= maxWaitingPublications) {
        watcher.missed++;
      } else {
        const es = [[kind, key, payload.contentType, toBase64(payload.bytes)]];
        frame ??= new SharedFrame(JSON.stringify({ t: "msg", es }));
        // Entries from before are still asked for.
        if (watcher.at.revision < this.#head.revision) watcher.waiting.push(frame);
        else session.push(frame);
      }
    }
  }

  /** So many of these may have been left out on their way here: nobody knows whom they would have concerned. */
  miss(count: number): void {
    for (const watcher of this.#watchers.values()) {
      if (watcher.session.slowSinceMs !== undefined) watcher.missed += count;
      else watcher.session.send({ t: "missed", n: count });
    }
  }

  /** The socket has ended. */
  forget(session: Session): void {
    const watcher = this.#watchers.get(session);
    for (const one of watcher?.subscriptions.values() ?? []) this.#options.presence.ended(session, one);
    this.#watchers.delete(session);
    this.#counts.note(session, 0);
    if (session.watch?.isStored) this.#options.table.drop(session.id);
  }

  /** A session from before; gives whether it watches anything. */
  adopt(session: Session): boolean {
    const { watch } = session;
    if (watch === undefined) return false;
    const { epoch, revision, subscriptions = this.#options.table.load(session.id) } = watch;
    const watcher = new Watcher(session, { epoch, revision }, this.#options.elapsed.now());
    watcher.adopt(subscriptions);
    this.#watchers.set(session, watcher);
    this.#counts.note(session, subscriptions.length);
    for (const one of watcher.subscriptions.values()) this.#options.presence.begun(session, one, false);
    return true;
  }

  /** A session has ended that this instance never had. */
  gone(record: SessionRecord): void {
    const { watch, session } = record;
    if (watch === undefined) return;
    this.#options.presence.gone(record, watch.subscriptions ?? this.#options.table.load(session));
    if (watch.isStored) this.#options.table.drop(session);
  }

  /** The caller of a session has other rights now: what they don't cover ends. */
  renewed(session: Session): void {
    const watcher = this.#watchers.get(session);
    if (watcher === undefined) return;
    for (const { id, filter } of [...watcher.subscriptions.values()]) {
      try {
        checkWatch(filter.target, session.caller);
      } catch (error) {
        this.#end(watcher, id, error);
      }
    }
    this.#keep(watcher);
  }

  #remove(watcher: Watcher, id: number): void {
    const subscription = watcher.subscriptions.get(id);
    watcher.remove(id);
    if (subscription !== undefined) this.#options.presence.ended(watcher.session, subscription);
  }

  #end(watcher: Watcher, id: number, error: unknown): void {
    this.#remove(watcher, id);
    const told = WarpError.from(error, "forbidden", "it is not allowed any more");
    watcher.session.send({ t: "end", id, e: told.toData() });
  }

  #goOn(watcher: Watcher, shared: Shared): void {
    const { session } = watcher;
    if (!session.isOpen) return;
    if (watcher.missed > 0 && session.slowSinceMs === undefined) {
      session.send({ t: "missed", n: watcher.missed });
      watcher.missed = 0;
    }
    const before = watcher.changes;
    this.#feed.advance(watcher, shared);
    if (watcher.at.revision >= this.#head.revision) {
      for (const frame of watcher.waiting.splice(0)) session.push(frame);
    }
    const goesOn = this.#catchUp.run(watcher, shared);
    if (watcher.changes !== before) this.#keep(watcher);
    else session.keepWatch(watcher.at, this.#options.clock.now());
    if (goesOn) this.#later(watcher);
  }

  /** Goes on in a moment, with all whom that concerns together: what they read is read once. */
  #later(watcher: Watcher): void {
    const runs = this.#behind.size > 0;
    this.#behind.add(watcher);
    if (runs) return;
    this.#options.timers.after(1, () => {
      const shared = new Shared();
      const behind = [...this.#behind];
      this.#behind.clear();
      for (const one of behind) this.#try(one, shared);
    });
  }

  /** What goes wrong with one watcher must not keep the others from being told. */
  #try(watcher: Watcher, shared: Shared): void {
    try {
      this.#goOn(watcher, shared);
    } catch (error) {
      this.#options.failed(watcher.session, error);
    }
  }

  /** Where a new subscription stands. */
  get #head(): LogPosition {
    const { log } = this.#options;
    return log.position ?? log.written;
  }

  #check(session: Session, { target }: WatchFilter, watcher: Watcher | undefined): void {
    checkTarget(target);
    checkWatch(target, session.caller);
    const records = watcher?.records ?? [];
    this.#checkRoom([...records, target]);
    if (records.length >= maxSubscriptionsPerSession) throw tooMany("session", maxSubscriptionsPerSession);
    const { watchesPerSubject: max } = this.#options;
    const { caller } = session;
    if (isBounded(caller) && this.#counts.of(caller.subject) >= max) throw tooMany("subject", max);
  }

  /** Without a space there is no database that could take what the attachment does not. */
  #checkRoom(records: readonly object[]): void {
    if (this.#options.table.isOpen || isAttachable(records)) return;
    throw new WarpError("overloaded", "so much can't be watched before the space's first write");
  }

  /** What must outlive the instance: with the socket if there is room, else in the database. */
  #keep(watcher: Watcher): void {
    const { clock, table } = this.#options;
    const { session, at, records } = watcher;
    if (!session.isOpen) return;
    this.#counts.note(session, records.length);
    const wasStored = session.watch?.isStored === true;
    const isStored = !isAttachable(records);
    if (isStored) table.save(session.id, records);
    else if (wasStored) table.drop(session.id);
    const kept = isStored ? { isStored: true as const } : { subscriptions: records };
    if (records.length > 0) session.keep({ watch: { ...at, ...kept } }, clock.now());
    else {
      session.keep({ watch: undefined }, clock.now());
      this.#watchers.delete(session);
    }
  }
}
