import { WarpError } from "../../errors.ts";
import { defaultSessionBounds } from "../../protocol/config.ts";
import { type Caller, isWatcher } from "../../protocol/wire/caller.ts";
import { closeCodes } from "../../protocol/wire/frames.ts";
import { checkFrameSize } from "../../protocol/wire/json.ts";
import { randomHex } from "../../runtime/ids.ts";
import { helloTimeoutMs } from "../../runtime/limits.ts";
import type { DueSource } from "../alarms.ts";
import type { Invalidation, Member, MemberEvents, Members } from "../members.ts";
import { Calls } from "./calls.ts";
import { closeCodeOf, closeReason } from "./closing.ts";
import { Conversation } from "./conversation.ts";
import { crowding, fullness } from "./fullness.ts";
import type { HubOptions } from "./hub-options.ts";
import { type HubSocket, newRecord, readRecord } from "./hub-socket.ts";
import { Pushes } from "./pushes.ts";
import type { Session } from "./session.ts";
import { maxFrameOf, SessionLimits } from "./session-limits.ts";
import { Sessions } from "./sessions.ts";

export type { HubOptions, HubShard } from "./hub-options.ts";

/**
 * The sockets of a shard's nodes: who is there, what they ask, what they are told. It keeps nothing that a socket's attachment and the log
 * don't have, so an instance that wakes goes on where the last one slept.
 */
export class Hub implements Members, DueSource {
  readonly #options: HubOptions;
  readonly #sessions: Sessions;
  readonly #limits: SessionLimits;
  readonly #pushes: Pushes;
  readonly #conversation: Conversation;
  readonly #arm: () => void;
  readonly #lockless: (session: string) => void;
  #events: MemberEvents | undefined;
  #isAwake: boolean;

  constructor(options: HubOptions) {
    const { shard, clock, timers, random } = options;
    this.#options = options;
    this.#isAwake = options.sockets === undefined;
    this.#sessions = new Sessions(clock);
    const { bounds = defaultSessionBounds } = options;
    this.#limits = new SessionLimits(bounds, shard.elapsed);
    this.#pushes = new Pushes({
      shard,
      followers: () => this.#sessions.followers(),
      watchesPerSubject: bounds.watchesPerSubject,
      wake: () => this.#wake(),
      close: (session, code, reason) => this.#end(session, code, reason),
      clock,
      timers,
      random,
      report: options.report,
    });
    this.#conversation = new Conversation({
      shard,
      calls: new Calls(shard, options.checkSettings, options.report),
      pushes: this.#pushes,
      authenticate: options.authenticate,
      fullness: (caller) => this.#limits.fullness(this.#sessions.all(), caller),
      asked: (session) => this.#limits.asked(session),
      rightsChanged: (session) => this.#rightsChanged(session),
      leases: shard.serve(this),
      events: () => this.#events,
      close: (session, code, reason) => this.#end(session, code, reason),
      clock,
      report: options.report,
    });
    this.#lockless = shard.serveLocks({
      isOpen: (id) => {
        this.#wake();
        return this.#sessions.get(id)?.said !== undefined;
      },
      tell: (id, { name, fence, reason }) => this.#sessions.get(id)?.send({ t: "lost", name, fence, reason }),
    });
    this.#arm = shard.wakeFor(this);
    shard.published.listen({
      grown: () => this.#grown(),
      ended: () => this.#spaceGone(),
      missed: (count) => this.#safely(() => this.#pushes.watches.miss(count)),
      told: (publication) => this.#safely(() => this.#pushes.tell(publication)),
    });
  }

  /** A socket was opened for a caller who may. */
  accept(socket: HubSocket, caller: Caller): void {
    this.#wake(socket);
    this.#closeEnded();
    const full = this.refusal(caller);
    if (full !== undefined) {
      socket.close(closeCodes.overloaded, `overloaded: ${full}`);
      return;
    }
    const { clock, random } = this.#options;
    const openedAtMs = clock.now();
    const record = newRecord(randomHex(random, 12), caller, openedAtMs);
    const session = this.#sessions.open(socket, record);
    session.keep({}, openedAtMs);
    this.#awaitHello(session, helloTimeoutMs);
    if (caller.expiresAtMs !== undefined) this.#arm();
  }

  /** A message arrived. Settles when all that it asks for is done; never rejects. */
  async message(socket: HubSocket, data: string | Uint8Array): Promise<void> {
    this.#wake();
    this.#closeEnded();
    const session = this.#sessions.of(socket);
    if (session === undefined) return;
    session.heardAtMs = this.#options.clock.now();
    if (!this.#limits.heard(session)) {
      this.#end(session, closeCodes.overloaded, "overloaded: more messages than a session may send");
      return;
    }
    if (session.isStuck) {
      this.#end(session, closeCodes.slow, "the socket does not take its answers in");
      return;
    }
    try {
      checkFrameSize(data, maxFrameOf(session.caller));
      await this.#conversation.handle(session, session.codec.decode(data));
    } catch (error) {
      const told = WarpError.from(error, "internal", "the shard failed");
      if (told.code === "internal") this.#options.report(error);
      this.#end(session, closeCodeOf(told), closeReason(told));
    }
  }

  /** A socket has ended, or is about to. */
  closed(socket: HubSocket): void {
    const record = readRecord(socket.attachment);
    this.#wake(undefined, record?.session);
    const session = this.#sessions.of(socket);
    if (session !== undefined) {
      this.#forget(session);
      return;
    }
    // What woke this instance may be this very end: then the socket was not found among the open ones.
    if (record?.said !== undefined) {
      this.#lockless(record.session);
      this.#pushes.watches.gone(record);
    }
    this.#options.left?.();
  }

  /** Why there is no room for `caller`; undefined: there is. */
  fullness(caller: Caller): string | undefined {
    this.#wake();
    const end = (session: Session) => this.#end(session, closeCodes.idle, "silent; others need the room");
    return fullness(this.#sessions, caller, this.#options.watchers, end);
  }

  /** Why another session of `caller` is refused; undefined: it is not. */
  refusal(caller: Caller): string | undefined {
    const crowd = crowding(this.#sessions, caller) ?? this.fullness(caller);
    return crowd ?? this.#limits.fullness(this.#sessions.all(), caller);
  }

  /** Sessions that are open. */
  get size(): number {
    this.#wake();
    return this.#sessions.size;
  }

  #grown(): void {
    this.#safely(() => this.#pushes.grown());
  }

  /** A commit must not fail because of who listens. */
  #safely(work: () => void): void {
    try {
      this.#wake();
      this.#closeEnded();
      work();
    } catch (error) {
      this.#options.report(error);
    }
  }

  /** A newer token was brought. */
  #rightsChanged(session: Session): void {
    this.#sessions.retime(session);
    this.#pushes.watches.renewed(session);
    this.#arm();
  }

  #spaceGone(): void {
    this.#wake();
    this.#options.shard.watching.relays?.end();
    for (const session of [...this.#sessions.all()]) {
      this.#end(session, closeCodes.spaceGone, "space_not_found: the space was deleted");
    }
  }

  all(): readonly Member[] {
    this.#wake();
    return [...this.#sessions.all()].map(memberOf).filter((member) => member !== undefined);
  }

  get(session: string): Member | undefined {
    this.#wake();
    const found = this.#sessions.get(session);
    return found === undefined ? undefined : memberOf(found);
  }

  send(id: string, { revision, keys, prefixes, tags }: Invalidation): number | undefined {
    this.#wake();
    const session = this.#sessions.get(id);
    if (session?.said === undefined) return undefined;
    const n = session.inv + 1;
    session.keep({ inv: n }, this.#options.clock.now());
    const epoch = this.#options.shard.published.position?.epoch ?? session.position.epoch;
    session.send({
      t: "inv",
      n,
      epoch,
      at: revision,
      ...(keys.length === 0 ? {} : { keys }),
      ...(prefixes.length === 0 ? {} : { prefixes }),
      ...(tags.length === 0 ? {} : { tags }),
    });
    return n;
  }

  listen(events: MemberEvents): void {
    this.#events = events;
  }

  /** When the rights of a session end. */
  nextMs(): number | undefined {
    this.#wake();
    return this.#sessions.firstEndMs();
  }

  run(): void {
    this.#closeEnded();
  }

  #awaitHello(session: Session, waitMs: number): void {
    session.stopWaiting = this.#options.timers.after(waitMs, () => {
      const { isPending } = session.caller;
      if (isPending) this.#end(session, closeCodes.unauthorized, "token_missing: no auth frame in time");
      else this.#end(session, closeCodes.helloLate, `no hello within ${helloTimeoutMs} ms`);
    });
  }

  /**
   * Finds the sockets from before, once; `fresh`, if any, is not one of them, though the host may name it already. Session `ending` is not one of them either, but
   * what is stored of it is still wanted.
   */
  #wake(fresh?: HubSocket, ending?: string): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    const { sockets, clock, timers } = this.#options;
    let watching = false;
    for (const socket of sockets?.() ?? []) {
      if (socket === fresh) continue;
      const session = this.#sessions.adopt(socket);
      if (session === undefined) socket.close(closeCodes.restarting, "another version of the shard has come");
      else if (session.said === undefined) {
        this.#awaitHello(session, Math.max(0, session.openedAtMs + helloTimeoutMs - clock.now()));
      } else if (this.#pushes.watches.adopt(session)) watching = true;
    }
    this.#options.shard.watching.subscriptions.prune(
      (id) => id === ending || this.#sessions.get(id) !== undefined,
    );
    // What an instance before was about to tell.
    if (watching) timers.after(0, () => this.#grown());
  }

  #closeEnded(): void {
    for (const session of this.#sessions.ended(this.#options.clock.now())) {
      this.#end(session, closeCodes.unauthorized, "token_expired: the token has ended");
    }
  }

  #end(session: Session, code: number, reason: string): void {
    if (!session.isOpen) return;
    session.socket.close(code, reason);
    this.#forget(session);
  }

  #forget(session: Session): void {
    this.#sessions.remove(session);
    this.#pushes.watches.forget(session);
    this.#options.left?.();
    if (session.said === undefined) return;
    this.#events?.left(session.id);
    this.#lockless(session.id);
  }
}

/** Whoever is no node is no member: it has nothing to drop, and is not told of keys that it may not see. */
function memberOf({ id, said, caller }: Session): Member | undefined {
  return said === undefined || isWatcher(caller)
    ? undefined
    : { session: id, node: said.node, zone: said.zone };
}
