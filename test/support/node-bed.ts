import type { Failover } from "../../src/adapter/failover/failover.ts";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { socketConnection } from "../../src/connection/socket/socket-connection.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { resolveSettings } from "../../src/core/policy.ts";
import type { WarpOptions } from "../../src/core/types.ts";
import { Warp } from "../../src/core/warp.ts";
import { shardLeases } from "../../src/lease/shard/shard-leases.ts";
import { sessionGrants } from "../../src/lock/shard/session-grants.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import type { FrameCodec } from "../../src/protocol/wire/frame-codec.ts";
import { readOffer } from "../../src/protocol/wire/subprotocols.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { Hub, type HubOptions } from "../../src/shard/hub/hub.ts";
import type { HubSocket } from "../../src/shard/hub/hub-socket.ts";
import { dropAll } from "../../src/shard/schema.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { shardWatchBus } from "../../src/watchbus/shard/shard-watch-bus.ts";
import { directConnection } from "./direct-connection.ts";
import { MortalSql } from "./mortal-sql.ts";
import { seeded } from "./seeded.ts";
import { ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";
import { VirtualWire, type WireEnd, type WireEndEvents } from "./virtual-wire.ts";

/** A node over sockets, and the wire that it is on. */
export interface WiredNode {
  readonly warp: Warp;
  readonly client: SpaceClient;
  readonly wire: VirtualWire;
  readonly errors: unknown[];
}

/** The shard's end of a socket, from instance to instance. */
interface Line {
  readonly end: WireEnd;
  attachment: unknown;
  /** As the present instance sees it. */
  socket: HubSocket;
}

/** One instance of a shard's object. */
interface Instance {
  readonly sql: MortalSql;
  readonly hub: Hub;
}

/** A real shard with its hub, nodes over sockets to it, and nodes that call it without one, all in virtual time. */
export class NodeBed {
  readonly clock: VirtualClock;
  readonly bed: ShardBed;
  /** What the hub could not make sense of, and what failed behind: must stay empty. */
  readonly reported: unknown[] = [];
  readonly #sql: Sql;
  readonly #lines = new Set<Line>();
  readonly #options: Partial<WarpOptions>;
  readonly #caller: Partial<Caller>;
  readonly #hub: Partial<HubOptions>;
  #instance: Instance;
  #cancelAlarm: () => void = () => {};
  #nodes = 0;

  /** `caller`: who the nodes over sockets are. */
  constructor(
    sql: Sql,
    options: Partial<WarpOptions> = {},
    caller: Partial<Caller> = {},
    shard: Partial<ShardOptions> = {},
    { clock = virtualClock(), ...hub }: Partial<HubOptions> & { readonly clock?: VirtualClock } = {},
  ) {
    this.clock = clock;
    this.#hub = hub;
    this.#sql = sql;
    this.#caller = caller;
    this.#options = options;
    const mortal = new MortalSql(sql);
    this.bed = new ShardBed(sql, { clock, timers: clock, ...shard, ...this.#host(mortal) });
    Object.defineProperty(this.bed, "nowMs", { get: () => this.clock.now() });
    this.#instance = this.#begin(mortal);
  }

  /** A node over a socket; with a `delayMs` of 0 messages arrive in a turn of the same moment. */
  node(
    options: Partial<WarpOptions> & {
      readonly delayMs?: number;
      readonly codec?: FrameCodec;
      readonly failover?: Failover;
    } = {},
  ): WiredNode {
    const { delayMs = 1, codec, failover, ...rest } = options;
    const seed = ++this.#nodes;
    const wire = this.wire({}, delayMs);
    const connection = socketConnection({
      url: "http://warp.test",
      space: "test",
      node: `node-${String(seed).padStart(4, "0")}`,
      sockets: wire,
      timers: this.clock,
      clock: this.clock,
      random: seeded(seed),
      around: failover?.around,
      ...(codec === undefined ? {} : { codec }),
    });
    const client = new SpaceClient({ connection, timers: this.clock });
    const over = failover && { adapter: failover.over(shardAdapter(client)) };
    return { wire, client, ...this.#warp(client, seed, { ...over, ...rest }) };
  }

  /** Sockets to the shard, for a caller; with a `delayMs` of 0 messages arrive in a turn of the same moment. */
  wire(caller: Partial<Caller>, delayMs: number): VirtualWire {
    const timers = delayMs === 0 ? atOnce(this.clock) : this.clock;
    return new VirtualWire(timers, (end) => this.accept(end, { ...this.#caller, ...caller }), delayMs);
  }

  /** Sockets that the shard has. */
  get sockets(): number {
    return this.#lines.size;
  }

  /** A node that calls the shard without a session, as a Worker isolate does. */
  door(options: Partial<WarpOptions> = {}): Pick<WiredNode, "warp" | "errors"> {
    const connection = directConnection("test", () => this.bed.shard);
    return this.#warp(new SpaceClient({ connection, timers: this.clock }), ++this.#nodes, options);
  }

  /** Another instance of the shard; the one before is dead. Open sockets stay, or break. */
  restart(stay: boolean): void {
    this.#instance.sql.isDead = true;
    const mortal = new MortalSql(this.#sql);
    this.bed.restart(this.#host(mortal));
    if (!stay) {
      for (const { end } of this.#lines) end.close(1006, "");
      this.#lines.clear();
    }
    this.#instance = this.#begin(mortal);
  }

  #warp(client: SpaceClient, seed: number, options: Partial<WarpOptions>) {
    const errors: unknown[] = [];
    const warp = new Warp({
      adapter: shardAdapter(client),
      locks: shardLocks({ client, ...(client.pushes !== undefined && { sessions: sessionGrants }) }),
      leases: shardLeases(client),
      watches: shardWatchBus({ client, timers: this.clock }),
      cache: memoryCache({}),
      clock: this.clock,
      timers: this.clock,
      random: seeded(seed),
      background: { run: (work) => void work.catch((error: unknown) => this.reported.push(error)) },
      ...this.#options,
      ...options,
    });
    warp.on("error", ({ error }) => errors.push(error));
    return { warp, errors };
  }

  /** What a host gives an instance; what is dead gets nothing of it. */
  #host(sql: MortalSql): Partial<ShardOptions> {
    const { clock } = this;
    return {
      sql,
      durable: () => sql.durable(),
      wipe: async () => dropAll(sql),
      timers: { after: (delayMs, run) => clock.after(delayMs, () => sql.isDead || run()) },
      alarm: {
        set: (atMs) => {
          this.#cancelAlarm();
          if (atMs === undefined) return;
          this.#cancelAlarm = clock.after(
            Math.max(0, atMs - clock.now()),
            () => void this.bed.shard.onAlarm(),
          );
        },
      },
    };
  }

  #begin(sql: MortalSql): Instance {
    for (const line of this.#lines) line.socket = this.#socket(line, sql);
    const { clock } = this;
    const hub = new Hub({
      shard: this.bed.shard,
      clock,
      timers: { after: (delayMs, run) => clock.after(delayMs, () => sql.isDead || run()) },
      random: this.bed.random,
      sockets: () => [...this.#lines].map(({ socket }) => socket),
      checkSettings: resolveSettings,
      report: (error) => sql.isDead || this.reported.push(error),
      ...this.#hub,
    });
    return { sql, hub };
  }

  #socket(line: Line, sql: MortalSql): HubSocket {
    return {
      get attachment() {
        return line.attachment;
      },
      set attachment(value) {
        line.attachment = value;
      },
      send: (data) => {
        if (!sql.isDead) line.end.send(data);
      },
      close: (code, reason) => {
        if (sql.isDead) return;
        this.#lines.delete(line);
        line.end.close(code, reason);
      },
    };
  }

  /** Takes the shard's end of a socket. */
  accept(end: WireEnd, as: Partial<Caller> = this.#caller): WireEndEvents {
    const { hub, sql } = this.#instance;
    const line: Line = { end, attachment: undefined, socket: undefined as unknown as HubSocket };
    line.socket = this.#socket(line, sql);
    this.#lines.add(line);
    const caller = {
      space: "test",
      shard: 0,
      subject: "node",
      invalidates: true,
      locks: true,
      isAdmin: false,
    } as const;
    const { codec } = readOffer(end.protocols.join());
    const coded = codec === "msgpack" ? { codec } : {};
    hub.accept(line.socket, { ...caller, zone: "here", ...coded, ...as });
    return {
      message: (data) => {
        if (this.#lines.has(line)) void this.#instance.hub.message(line.socket, data);
      },
      closed: () => {
        if (this.#lines.delete(line)) this.#instance.hub.closed(line.socket);
      },
    };
  }
}

/** Timers of a clock, those that are due now in the next turn. */
function atOnce(clock: VirtualClock): Pick<VirtualClock, "now" | "after"> {
  return {
    now: () => clock.now(),
    after(delayMs, run) {
      if (delayMs > 0) return clock.after(delayMs, run);
      let isCancelled = false;
      void Promise.resolve().then(() => isCancelled || run());
      return () => {
        isCancelled = true;
      };
    },
  };
}
