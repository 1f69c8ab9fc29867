import { resolveSettings } from "../../src/core/policy.ts";
import { WarpError } from "../../src/errors.ts";
import type { RelayApi, RelayShardApi } from "../../src/protocol/relay.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import type { ClientFrame } from "../../src/protocol/wire/frames.ts";
import { Relay, type RelayOptions } from "../../src/relay/relay.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { Hub } from "../../src/shard/hub/hub.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { TestSocket } from "./hub-bed.ts";
import { type Seeded, seeded } from "./seeded.ts";
import { WatchBed } from "./watch-bed.ts";
import type { WatchClient } from "./watch-client.ts";

/** One instance of an object: what it has begun ends with it, and whoever waits for its answer learns of that. */
export class Life {
  isOver = false;
  /** Calls that it makes, or answers. */
  calls = 0;
  timers = 0;
  readonly #ended: (() => void)[] = [];

  end(): void {
    this.isOver = true;
    for (const tell of this.#ended.splice(0)) tell();
  }

  /** Rejects when it ends. */
  ended(): Promise<never> {
    return new Promise((_, reject) => this.#ended.push(() => reject(new Error("the instance has ended"))));
  }
}

/** How the ways between a shard and its relays behave. */
export interface Faults {
  /** Of 100 messages each way so many are lost, or arrive twice. */
  readonly lost: number;
  readonly doubled: number;
  /** Longest time that one takes, in ms. */
  readonly delayMs: number;
}

/** One relay's object. */
export class RelaySite {
  life = new Life();
  relay: Relay;
  hub: Hub;
  readonly sockets: TestSocket[] = [];
  alarmMs: number | undefined;
  readonly #bed: RelayBed;
  readonly #sql: Sql;
  readonly #at: number;
  readonly #sizes: Pick<RelayOptions, "sizes" | "replicaSize">;

  constructor(bed: RelayBed, sql: Sql, at: number, sizes: Pick<RelayOptions, "sizes" | "replicaSize">) {
    this.#bed = bed;
    this.#sql = sql;
    this.#at = at;
    this.#sizes = sizes;
    ({ relay: this.relay, hub: this.hub } = this.#make());
  }

  get isIdle(): boolean {
    return this.life.calls === 0 && this.life.timers === 0;
  }

  /** The next instance. Sockets stay with one that slept, not with one that broke. */
  restart(stay: boolean): void {
    this.life.end();
    this.life = new Life();
    if (!stay) for (const socket of this.sockets) socket.closedWith ??= { code: 1006, reason: "" };
    ({ relay: this.relay, hub: this.hub } = this.#make());
  }

  async open(caller: Caller): Promise<TestSocket> {
    const socket = new TestSocket(this.#bed.clock);
    socket.answer = (n) => void this.say(socket, { t: "seen", n });
    const { relay, hub } = this;
    relay.begin({ space: caller.space, shard: caller.shard, relay: this.#at });
    await relay.ready();
    this.sockets.push(socket);
    hub.accept(socket, caller);
    return socket;
  }

  async say(socket: TestSocket, frame: ClientFrame): Promise<void> {
    if (socket.closedWith !== undefined) return;
    const { relay, hub, life } = this;
    life.calls++;
    try {
      const ready = relay.ready();
      if (ready !== undefined) await ready;
      if (!life.isOver) await hub.message(socket, socket.codec.encode(frame));
    } catch {
      socket.close(4100, "");
    }
    life.calls--;
  }

  #make(): { relay: Relay; hub: Hub } {
    const { life } = this;
    const { clock } = this.#bed;
    const timers = {
      after: (delayMs: number, run: () => void) => {
        life.timers++;
        let isDone = false;
        const done = () => {
          if (!isDone) life.timers--;
          isDone = true;
        };
        const stop = clock.after(delayMs, () => {
          done();
          if (!life.isOver) run();
        });
        return () => {
          done();
          stop();
        };
      },
    };
    const relay = new Relay({
      sql: this.#sql,
      clock,
      timers,
      random: this.#bed.bed.random,
      alarm: {
        set: (atMs) => {
          this.alarmMs = atMs;
        },
      },
      shard: () => this.#bed.toShard(life),
      fault: (error) =>
        WarpError.from(error, "unavailable", "the shard can't be reached", { outcome: "unknown" }),
      report: (error) => void this.#bed.broken.push(error),
      ...this.#sizes,
    });
    const hub = new Hub({
      shard: relay.shard,
      clock,
      timers,
      random: this.#bed.bed.random,
      sockets: () => this.sockets.filter(({ closedWith }) => closedWith === undefined),
      checkSettings: resolveSettings,
      watchers: 1_000,
      left: () => relay.left(),
      report: (error) => void this.#bed.reported.push(error),
    });
    relay.count(() => hub.size);
    return { relay, hub };
  }
}

/** A shard with its hub and relays, the ways between them on a virtual clock, with what may go wrong there. */
export class RelayBed extends WatchBed {
  readonly sites: readonly RelaySite[];
  readonly random: Seeded;
  /** What failed on the ways. */
  readonly broken: unknown[] = [];
  faults: Faults = { lost: 0, doubled: 0, delayMs: 3 };
  /** Where the next sockets are opened; undefined: at the shard. */
  next: number | undefined = 0;
  /** How long what a relay answers to feeds is under way besides, in ms. */
  slowAnswers = 0;
  feeds = 0;
  pulls = 0;
  states = 0;
  #shardLife = new Life();
  readonly #placed = new Map<TestSocket, RelaySite>();

  constructor(
    sql: Sql,
    relays: number,
    options: Partial<ShardOptions> = {},
    relayOptions: Pick<RelayOptions, "sizes" | "replicaSize"> = {},
    seed = 1,
  ) {
    const first = new Life();
    super(sql, { ...options, relay: (name) => (this as RelayBed).toRelay(first, name) });
    this.#shardLife = first;
    this.random = seeded(seed);
    this.sites = Array.from(
      { length: relays },
      (_, at) => new RelaySite(this, asideOf(sql, at), at, relayOptions),
    );
    const { bed } = this;
    const restart = bed.restart.bind(bed);
    bed.restart = (more = {}) => {
      this.#shardLife.end();
      const life = new Life();
      this.#shardLife = life;
      restart({ ...more, relay: (name) => this.toRelay(life, name) });
    };
  }

  /** The host's alarms that are due go off. */
  ring(): void {
    const nowMs = this.clock.now();
    if (this.bed.alarmMs !== undefined && this.bed.alarmMs <= nowMs) {
      this.bed.alarmMs = undefined;
      this.bed.shard.onAlarm().catch(() => undefined);
    }
    for (const site of this.sites) {
      if (site.alarmMs === undefined || site.alarmMs > nowMs) continue;
      site.alarmMs = undefined;
      site.relay.onAlarm();
    }
  }

  /** Lets time pass, and what is due by alarms happen. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      await this.clock.advance(Math.min(250, ms - passed));
      this.ring();
    }
    await this.clock.settle();
  }

  override async connect(client: WatchClient, caller: Partial<Caller> = {}): Promise<TestSocket> {
    const site = this.next === undefined ? undefined : this.sites[this.next];
    if (site === undefined) return await super.connect(client, caller);
    const opening = site.open({
      space: "test",
      shard: 0,
      subject: "test",
      invalidates: true,
      locks: true,
      isAdmin: false,
      follows: false,
      ...caller,
    });
    const socket = await this.#within(opening);
    if (socket === undefined) {
      const refused = new TestSocket(this.clock);
      refused.closedWith = { code: 4100, reason: "" };
      return refused;
    }
    this.#placed.set(socket, site);
    socket.heard = (frame) => client.take(frame);
    await this.say(socket, { t: "hello", v: 1, node: "watcher-of-a-test", follow: false });
    return socket;
  }

  override async say(socket: TestSocket, frame: ClientFrame | string | Uint8Array): Promise<void> {
    const site = this.#placed.get(socket);
    if (site === undefined || typeof frame === "string" || frame instanceof Uint8Array) {
      if (socket.closedWith === undefined) await super.say(socket, frame);
      return;
    }
    void site.say(socket, frame);
    await this.clock.settle();
  }

  override closed(socket: TestSocket): void {
    const site = this.#placed.get(socket);
    if (site === undefined) super.closed(socket);
    else site.hub.closed(socket);
  }

  /** What a relay's instance calls its shard by. */
  toShard(from: Life): ShardApi & RelayShardApi {
    const relays = () => this.bed.shard.watching.relays;
    const way = <T>(work: () => Promise<T>) => this.#way(from, () => this.#shardLife, work);
    const own: RelayShardApi = {
      pullRelay: (request) => {
        this.pulls++;
        return way(() => relays().pullRelay(structuredClone(request)));
      },
      relayState: (request) => {
        this.states++;
        return way(() => relays().relayState(structuredClone(request)));
      },
    };
    return new Proxy(own as ShardApi & RelayShardApi, {
      get: (target, name) =>
        Reflect.get(target, name) ??
        ((...args: unknown[]) =>
          way(() => {
            const shard = this.bed.shard as unknown as Record<
              string | symbol,
              (...a: unknown[]) => Promise<unknown>
            >;
            return shard[name]?.(...args) as Promise<unknown>;
          })),
    });
  }

  /** What a shard's instance calls a relay by. */
  toRelay(from: Life, name: string): RelayApi {
    const site = this.sites[Number(name.split("/").at(-1))];
    if (site === undefined) throw new Error(`there is no relay ${name}`);
    return {
      feed: (feed) => {
        this.feeds++;
        return this.#way(
          from,
          () => site.life,
          async () => {
            const { slowAnswers } = this;
            const report = await site.relay.feed(structuredClone(feed));
            if (slowAnswers > 0) await new Promise<void>((done) => this.clock.after(slowAnswers, done));
            return report;
          },
        );
      },
    };
  }

  /** One call: it may take its time, be lost on its way there or back, arrive twice, or meet the end of either instance. */
  async #way<T>(from: Life, to: () => Life, work: () => Promise<T>): Promise<T> {
    const { random, faults } = this;
    const never = new Promise<never>(() => {});
    if (from.isOver) return await never;
    from.calls++;
    try {
      await this.#late();
      if (random.below(100) < faults.lost) throw new Error("lost on its way");
      const target = to();
      target.calls++;
      let answer: T;
      try {
        if (random.below(100) < faults.doubled) work().catch(() => undefined);
        answer = structuredClone(await Promise.race([work(), target.ended()]));
      } finally {
        target.calls--;
      }
      await this.#late();
      if (target.isOver || random.below(100) < faults.lost) throw new Error("lost on its way back");
      return from.isOver ? await never : answer;
    } catch (error) {
      if (from.isOver) return await never;
      throw error;
    } finally {
      from.calls--;
    }
  }

  #late(): Promise<void> {
    return new Promise((resolve) => this.clock.after(this.random.below(this.faults.delayMs + 1), resolve));
  }

  /** What comes of it while a little time passes; undefined: nothing did. */
  async #within<T>(work: Promise<T>): Promise<T | undefined> {
    let found: T | undefined;
    let isOver = false;
    work.then(
      (value) => {
        found = value;
        isOver = true;
      },
      () => {
        isOver = true;
      },
    );
    await this.clock.settle();
    for (let ms = 0; !isOver && ms < 100; ms++) await this.clock.advance(1);
    return found;
  }
}

/** A database of a relay's own, within that of the shard: in workerd one object can't have the databases of others. */
function asideOf(sql: Sql, at: number): Sql {
  const own = (query: string) =>
    query.replaceAll(/(TABLE|FROM|INTO|name =) ('?)(relay|subscriptions)\b/g, `$1 $2$3_${at}`);
  return {
    all: (query, ...bindings) => sql.all(own(query), ...bindings),
    run: (query, ...bindings) => sql.run(own(query), ...bindings),
    transaction: (work) => sql.transaction(work),
  };
}
