import { isWatcher } from "../../protocol/wire/caller.ts";
import type { Clock } from "../../runtime/clock.ts";
import { sessionIdleMs } from "../../runtime/limits.ts";
import { type HubSocket, readRecord, type SessionRecord } from "./hub-socket.ts";
import { Session } from "./session.ts";

/** The open sockets of a shard, by session and by socket; those from before a wake-up are found when they are first needed. */
export class Sessions {
  readonly #clock: Clock;
  readonly #byId = new Map<string, Session>();
  readonly #bySocket = new Map<HubSocket, Session>();
  /** Those whose rights end one day: they are looked at with each event. */
  readonly #ending = new Set<Session>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  #add(session: Session): void {
    this.#byId.set(session.id, session);
    this.#bySocket.set(session.socket, session);
    if (session.caller.expiresAtMs !== undefined) this.#ending.add(session);
  }

  /** The rights of its caller end at another time now. */
  retime(session: Session): void {
    if (session.caller.expiresAtMs === undefined) this.#ending.delete(session);
    else this.#ending.add(session);
  }

  remove(session: Session): void {
    session.isOpen = false;
    session.stopWaiting?.();
    this.#byId.delete(session.id);
    this.#bySocket.delete(session.socket);
    this.#ending.delete(session);
  }

  /** The session of a socket from before; undefined where its attachment says nothing that this version can read. */
  adopt(socket: HubSocket): Session | undefined {
    const record = readRecord(socket.attachment);
    if (record === undefined) return undefined;
    return this.open(socket, record);
  }

  /** The session of a socket. */
  open(socket: HubSocket, record: SessionRecord): Session {
    const session = new Session(socket, record, this.#clock.now(), () => this.size);
    this.#add(session);
    return session;
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  of(socket: HubSocket): Session | undefined {
    return this.#bySocket.get(socket);
  }

  get size(): number {
    return this.#byId.size;
  }

  /** How many have not brought a token yet. */
  get pending(): number {
    let pending = 0;
    for (const { caller } of this.#byId.values()) if (caller.isPending === true) pending++;
    return pending;
  }

  /** All, in the order of their opening. What is removed meanwhile is left out. */
  all(): Iterable<Session> {
    return this.#byId.values();
  }

  /** Those that said hello and want the log. */
  *followers(): Iterable<Session> {
    for (const session of this.#byId.values()) if (session.said?.follow === true) yield session;
  }

  /** How many there are of those who watch only, or of the others. */
  count(watchers: boolean): number {
    let count = 0;
    for (const { caller } of this.#byId.values()) if (isWatcher(caller) === watchers) count++;
    return count;
  }

  /** Those of one kind that nothing was heard of for so long that they must make room. */
  idle(watchers: boolean): Session[] {
    const sinceMs = this.#clock.now() - sessionIdleMs;
    return [...this.#byId.values()].filter(
      ({ caller, heardAtMs, socket }) =>
        isWatcher(caller) === watchers && Math.max(heardAtMs, socket.lastBeatMs ?? 0) <= sinceMs,
    );
  }

  /** Those whose rights have ended at `nowMs`. */
  ended(nowMs: number): Session[] {
    return [...this.#ending].filter(
      ({ caller }) => (caller.expiresAtMs ?? Number.POSITIVE_INFINITY) <= nowMs,
    );
  }

  /** When the rights of the first of them end, in Unix ms; undefined: never. */
  firstEndMs(): number | undefined {
    let first: number | undefined;
    for (const { caller } of this.#ending) {
      const endMs = caller.expiresAtMs;
      if (endMs !== undefined && (first === undefined || endMs < first)) first = endMs;
    }
    return first;
  }
}
