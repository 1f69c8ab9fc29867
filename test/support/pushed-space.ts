import type { Pushes, PushListener, ReadAnswer } from "../../src/adapter/adapter.ts";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import type { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { WarpError } from "../../src/errors.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { ScriptedAdapter } from "./scripted-adapter.ts";
import type { Seeded } from "./seeded.ts";
import type { VirtualClock } from "./virtual-clock.ts";

const leaseMs = 4_000;
const margin = 0.01;

/** One session's node lease as the authority has it: it outlives the session. */
interface Holder {
  leaseUntilMs: number;
}

/** What is on its way from the authority to a node. */
interface Message {
  deliver(): void;
  /** The session was cut before it came. */
  drop(): void;
}

interface Write {
  readonly keys: readonly string[];
  finish(): void;
  waitsFor: Set<Holder> | undefined;
}

/**
 * A model of an authority that pushes, gives permissions and invalidates them before it commits, over an in-process storage. Requests
 * arrive in any order; what a session is sent arrives in order, or not at all. A seeded test decides when.
 */
export class PushedSpace {
  readonly clock: VirtualClock;
  readonly storage: MemoryStorage;
  readonly random: Seeded;
  /** On their way to the authority. */
  readonly requests: (() => void)[] = [];
  /** On their way to nodes outside of sessions. */
  readonly loose: (() => void)[] = [];
  readonly sessions: Session[] = [];
  /** Writes that waited for holders. */
  waits = 0;
  readonly #holders = new Map<string, Set<Holder>>();
  #writes: Write[] = [];

  constructor(clock: VirtualClock, storage: MemoryStorage, random: Seeded) {
    this.clock = clock;
    this.storage = storage;
    this.random = random;
  }

  connect(): PushedAdapter {
    const session = new Session(this);
    this.sessions.push(session);
    return new PushedAdapter(this, session);
  }

  /** Permission for what is not under a write. */
  hold(key: string, session: Session): boolean {
    if (!session.isOpen || session.holder.leaseUntilMs <= this.clock.now()) return false;
    if (this.#writes.some(({ keys }) => keys.includes(key))) return false;
    const holders = this.#holders.get(key) ?? new Set();
    this.#holders.set(key, holders.add(session.holder));
    return true;
  }

  write(keys: readonly string[], finish: () => void): void {
    this.#writes.push({ keys, finish, waitsFor: undefined });
    this.pump();
  }

  /** Carries writes on as far as holders and their leases allow. */
  pump(): void {
    const busy = new Set<string>();
    for (const write of [...this.#writes]) {
      const { keys } = write;
      const isFirst = !keys.some((key) => busy.has(key));
      for (const key of keys) busy.add(key);
      if (!isFirst) continue;
      write.waitsFor ??= this.#begin(write);
      for (const holder of write.waitsFor) {
        if (holder.leaseUntilMs <= this.clock.now()) write.waitsFor.delete(holder);
      }
      if (write.waitsFor.size > 0) continue;
      this.#writes = this.#writes.filter((other) => other !== write);
      for (const key of keys) {
        this.#holders.delete(key);
        busy.delete(key);
      }
      write.finish();
      this.pushAll();
      this.pump();
      return;
    }
  }

  #begin(write: Write): Set<Holder> {
    const { keys } = write;
    const waitsFor = new Set<Holder>();
    for (const key of keys) {
      for (const holder of this.#holders.get(key) ?? [])
        if (holder.leaseUntilMs > this.clock.now()) waitsFor.add(holder);
    }
    if (waitsFor.size === 0) return waitsFor;
    this.waits++;
    // An invalidation stands for the intent: it takes a revision and changes no value.
    this.storage.apply(
      keys.map((key) => ({
        kind: "invalidate",
        key,
        opId: scopeOpId("authority", uuidv7(this.clock, this.random)),
      })),
    );
    const { revision, epoch } = this.storage.position;
    const invalidation = {
      shard: 0,
      epoch,
      revision: revision - keys.length + 1,
      keys,
      prefixes: [],
      tags: [],
    };
    for (const session of this.sessions) {
      const { holder } = session;
      if (!waitsFor.has(holder)) continue;
      session.send(() => {
        for (const listener of session.listeners) listener.invalidate(invalidation);
        this.requests.push(() => {
          write.waitsFor?.delete(holder);
          this.pump();
        });
      });
    }
    this.pushAll();
    return waitsFor;
  }

  /** Sends each session the entries that it was not sent yet. */
  pushAll(): void {
    for (const session of this.sessions) session.push();
  }
}

/** A node's session, its sockets replaced by a test's choices. */
export class Session implements Pushes {
  readonly listeners = new Set<PushListener>();
  readonly outbox: Message[] = [];
  isOpen = true;
  holder: Holder = { leaseUntilMs: Number.NEGATIVE_INFINITY };
  readonly #space: PushedSpace;
  #tenure = 1;
  #servesUntilMs = Number.NEGATIVE_INFINITY;
  #pushedTo: number;
  #deliveredTo: number;

  constructor(space: PushedSpace) {
    this.#space = space;
    this.#pushedTo = space.storage.position.revision;
    this.#deliveredTo = this.#pushedTo;
  }

  get tenure(): number {
    return this.#tenure;
  }

  listen(listener: PushListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  servesUntilMs(_shard: number, tenure: number): number {
    return this.isOpen && tenure === this.#tenure ? this.#servesUntilMs : Number.NEGATIVE_INFINITY;
  }

  send(deliver: () => void, drop: () => void = () => undefined): void {
    if (this.isOpen) this.outbox.push({ deliver, drop });
    else drop();
  }

  push(): void {
    const { position } = this.#space.storage;
    const after = this.#pushedTo;
    if (!this.isOpen || position.revision === after) return;
    this.#pushedTo = position.revision;
    const { changes, gap } = this.#space.storage.changes({ ...position, revision: after }, 10_000);
    if (gap !== undefined) {
      this.#gap();
      return;
    }
    const pushed = { shard: 0, epoch: position.epoch, after, to: position.revision, changes };
    this.send(() => {
      // Some never come, some come twice.
      const times = this.#space.random.below(10);
      this.#deliveredTo = pushed.to;
      for (const listener of this.listeners) {
        if (times > 0) listener.changes(pushed);
        if (times > 8) listener.changes(pushed);
      }
    });
  }

  renew(): void {
    const { clock, requests } = this.#space;
    const { holder } = this;
    const sentAtMs = clock.now();
    requests.push(() => {
      if (!this.isOpen || this.holder !== holder) return;
      holder.leaseUntilMs = clock.now() + leaseMs * (1 + margin);
      this.send(() => {
        // Between the leases changes may have been committed without telling.
        if (this.#servesUntilMs <= clock.now()) this.#tenure++;
        this.#servesUntilMs = sentAtMs + leaseMs * (1 - margin);
      });
    });
  }

  cut(): void {
    this.isOpen = false;
    for (const { drop } of this.outbox.splice(0)) drop();
    for (const listener of this.listeners) listener.lost(0);
  }

  /** Opens anew: with what was missed, with a gap, or with neither. */
  reopen(): void {
    this.isOpen = true;
    this.#tenure++;
    this.#servesUntilMs = Number.NEGATIVE_INFINITY;
    this.holder = { leaseUntilMs: Number.NEGATIVE_INFINITY };
    const { position } = this.#space.storage;
    const how = this.#space.random.below(3);
    this.#pushedTo = how === 0 ? this.#deliveredTo : position.revision;
    this.push();
    if (how === 1) this.#gap();
  }

  #gap(): void {
    const { position } = this.#space.storage;
    this.send(() => {
      for (const listener of this.listeners) listener.gap(position);
    });
  }
}

/** A node's way to the space. */
class PushedAdapter extends ScriptedAdapter {
  readonly session: Session;
  readonly #space: PushedSpace;

  constructor(space: PushedSpace, session: Session) {
    super(memoryAdapter({ storage: space.storage }), {}, session);
    this.#space = space;
    this.session = session;
  }

  override getMany(...[keys, options]: Parameters<ScriptedAdapter["getMany"]>) {
    return this.#ask<readonly ReadAnswer[]>((reply, session) => {
      const holds = options?.strong === "hold" ? session : undefined;
      const answers = this.inner.getMany(keys);
      const held = keys.map((key) => holds !== undefined && this.#space.hold(key, holds));
      reply(() => {
        const { tenure } = this.session;
        return answers.then((list) =>
          list.map((answer, at) =>
            held[at] === true && answer.entry !== undefined ? { ...answer, tenure } : answer,
          ),
        );
      });
    });
  }

  override batch(...[mutations]: Parameters<ScriptedAdapter["batch"]>) {
    return this.#ask<Awaited<ReturnType<ScriptedAdapter["batch"]>>>((reply) => {
      const keys = mutations.flatMap((mutation) => ("key" in mutation ? mutation.key : []));
      this.#space.write(keys, () => {
        const answers = this.inner.batch(mutations);
        // The push of a change may be sent before the reply that tells of it.
        if (this.#space.random.below(2) === 0) this.#space.pushAll();
        reply(() => answers);
      });
    });
  }

  override changes(...args: Parameters<ScriptedAdapter["changes"]>) {
    return this.#ask<Awaited<ReturnType<ScriptedAdapter["changes"]>>>((reply) => {
      const answer = this.inner.changes(...args);
      reply(() => answer);
    });
  }

  /** A request and its reply, over the session where there is one. `session` is undefined where it is another one by then. */
  #ask<T>(
    act: (reply: (answer: () => Promise<T>) => void, session: Session | undefined) => void,
  ): Promise<T> {
    const { session } = this;
    const space = this.#space;
    const { holder } = session;
    const isSent = session.isOpen;
    return new Promise<T>((resolve, reject) => {
      const lose = (): void => reject(new WarpError("unavailable", "planned", { outcome: "unknown" }));
      space.requests.push(() => {
        const isSame = isSent && session.isOpen && session.holder === holder;
        act(
          (answer) => {
            const deliver = (): void => void answer().then(resolve, reject);
            if (!isSent) space.loose.push(deliver);
            else if (session.holder === holder) session.send(deliver, lose);
            else lose();
          },
          isSame ? session : undefined,
        );
      });
    });
  }
}
