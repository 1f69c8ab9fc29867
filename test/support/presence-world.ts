import { resolveSettings } from "../../src/core/policy.ts";
import { WarpError } from "../../src/errors.ts";
import type { RelayApi, RelayShardApi } from "../../src/protocol/relay.ts";
import type { ShardApi } from "../../src/protocol/shard-api.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import type { ClientFrame } from "../../src/protocol/wire/frames.ts";
import { Relay } from "../../src/relay/relay.ts";
import type { Timers } from "../../src/runtime/clock.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { Hub } from "../../src/shard/hub/hub.ts";
import { TestSocket } from "./hub-bed.ts";
import { seeded } from "./seeded.ts";
import { ShardBed } from "./shard-bed.ts";
import { virtualClock } from "./virtual-clock.ts";

const caller: Caller = {
  space: "test",
  shard: 0,
  subject: "test",
  follows: false,
  invalidates: false,
  locks: false,
  isAdmin: false,
};

interface Life {
  isOver: boolean;
  /** What it waits for: it can't sleep meanwhile. */
  timers: number;
}

/** One object with sockets: the shard, or one of its relays. */
interface Site {
  hub: Hub;
  readonly sockets: TestSocket[];
  /** Undefined for the shard. */
  relay: Relay | undefined;
  life: Life;
}

/** A shard and its relays, and sessions that show themselves at the key `room`. Calls between them may be lost before or after they had their effect. */
export class PresenceWorld {
  readonly clock = virtualClock();
  readonly reported: unknown[] = [];
  readonly sites: Site[];
  /** Of 100 calls between objects so many are lost. */
  lost = 0;
  readonly #random;
  readonly #bed: ShardBed;
  readonly #sqls: readonly Sql[];

  constructor(sql: Sql, relays: number, seed = 1) {
    this.#random = seeded(seed);
    const sqls = Array.from({ length: relays }, (_, at) => asideOf(sql, at + 1));
    this.#sqls = sqls;
    const life = { isOver: false, timers: 0 };
    this.#bed = new ShardBed(sql, {
      clock: this.clock,
      timers: this.#timers(life),
      relay: (name) => this.#relayOf(name),
    });
    Object.defineProperty(this.#bed, "nowMs", { get: () => this.clock.now() });
    const shard = { sockets: [], relay: undefined, life, hub: undefined as unknown as Hub };
    this.sites = [
      shard,
      ...sqls.map(() => ({ ...shard, sockets: [], relay: undefined, life: { isOver: true, timers: 0 } })),
    ];
    for (const at of this.sites.keys()) this.#begin(at);
  }

  async create(): Promise<void> {
    await this.#bed.create();
    await this.#bed.set("first", "1");
  }

  /** The next instance of an object; its sockets stay. False: it is busy, and can't sleep. */
  restart(at: number): boolean {
    const site = this.#site(at);
    if (site.life.timers > 0) return false;
    site.life.isOver = true;
    site.life = { isOver: false, timers: 0 };
    if (at === 0) this.#bed.restart({ timers: this.#timers(site.life) });
    this.#begin(at);
    return true;
  }

  /** A session at an object that is told who is there, and shows `data` unless that is null. */
  async join(at: number, data: unknown = null): Promise<TestSocket> {
    const site = this.#site(at);
    const socket = new TestSocket(this.clock);
    socket.answer = (n) => void this.say(at, socket, { t: "seen", n });
    if (site.relay !== undefined) {
      site.relay.begin({ space: "test", shard: 0, relay: at });
      await this.#done(site.relay.ready());
    }
    site.sockets.push(socket);
    site.hub.accept(socket, caller);
    await this.say(at, socket, { t: "hello", v: 1, node: "a-node-of-many", follow: false });
    await this.say(at, socket, { t: "sub", id: 1, key: "room", mode: "all", from: "now", presence: true });
    if (data !== null) await this.show(at, socket, data);
    return socket;
  }

  /** The log has grown: relays are fed. */
  async write(): Promise<void> {
    await this.#bed.set("first", "2");
    await this.clock.advance(100);
  }

  async show(at: number, socket: TestSocket, data: unknown): Promise<void> {
    await this.say(at, socket, { t: "here", id: 1, data });
  }

  cut(at: number, socket: TestSocket): void {
    socket.closedWith ??= { code: 1006, reason: "" };
    this.#site(at).hub.closed(socket);
    this.#site(at).relay?.left();
  }

  async say(at: number, socket: TestSocket, frame: ClientFrame): Promise<void> {
    const { hub, relay } = this.#site(at);
    await this.#done(relay?.ready());
    void hub.message(socket, socket.codec.encode(frame));
    await this.clock.settle();
  }

  /** Lets time go on until it is done; what fails is tried again. */
  async #done(work: Promise<void> | undefined): Promise<void> {
    let isOver = work === undefined;
    const end = (): void => {
      isOver = true;
    };
    work?.then(end, end);
    await this.clock.settle();
    for (let steps = 0; steps < 50 && !isOver; steps++) await this.clock.advance(1);
  }

  #site(at: number): Site {
    const site = this.sites[at];
    if (site === undefined) throw new Error(`there is no object ${at}`);
    return site;
  }

  #begin(at: number): void {
    const site = this.#site(at);
    if (at > 0) site.life = { isOver: false, timers: 0 };
    const timers = this.#timers(site.life);
    const { clock } = this;
    const sql = this.#sqls[at - 1];
    if (sql !== undefined) {
      site.relay = new Relay({
        sql,
        clock,
        timers,
        random: this.#bed.random,
        alarm: { set: () => {} },
        shard: () => this.#shardApi(),
        fault: (error) => WarpError.from(error, "unavailable", "the shard can't be reached"),
        report: () => {},
      });
    }
    site.hub = new Hub({
      shard: site.relay?.shard ?? this.#bed.shard,
      clock,
      timers,
      random: this.#bed.random,
      sockets: () => site.sockets.filter(({ closedWith }) => closedWith === undefined),
      checkSettings: resolveSettings,
      watchers: 1_000,
      left: () => site.relay?.left(),
      report: (error) => void this.reported.push(error),
    });
    site.relay?.count(() => site.hub.size);
  }

  #timers(life: Life): Timers {
    return {
      after: (delayMs, run) => {
        let isDone = false;
        const done = (): void => {
          if (!isDone) life.timers--;
          isDone = true;
        };
        life.timers++;
        const stop = this.clock.after(delayMs, () => {
          done();
          if (!life.isOver) run();
        });
        return () => {
          done();
          stop();
        };
      },
    };
  }

  #relayOf(name: string): RelayApi {
    const at = Number(name.split("/").at(-1));
    return {
      feed: (feed) =>
        this.#call(async () => {
          const { relay } = this.#site(at);
          if (relay === undefined) throw new Error("there is no such relay");
          return await relay.feed(structuredClone(feed));
        }),
    };
  }

  #shardApi(): ShardApi & RelayShardApi {
    const { shard } = this.#bed;
    const { relays } = shard.watching;
    return Object.assign(Object.create(shard) as ShardApi, {
      pullRelay: (pull) => this.#call(() => relays.pullRelay(structuredClone(pull))),
      relayState: (request) => this.#call(() => relays.relayState(request)),
    } satisfies RelayShardApi);
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    const dice = this.#random.below(200);
    if (dice < this.lost) throw new Error("lost on its way");
    const answer = await work();
    if (dice >= 200 - this.lost) throw new Error("its answer was lost");
    return answer;
  }
}

/** A database beside that of the shard, in the same file: tables of its own. */
function asideOf(sql: Sql, at: number): Sql {
  const named = (query: string): string =>
    query.replace(/((?:TABLE|FROM|INTO) |')(relay|subscriptions)\b/g, `$1$2_${at}`);
  return {
    all: (query, ...bindings) => sql.all(named(query), ...bindings),
    run: (query, ...bindings) => sql.run(named(query), ...bindings),
    transaction: (work) => sql.transaction(work),
  };
}
