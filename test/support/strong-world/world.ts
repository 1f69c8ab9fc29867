import type { LeaseCommand } from "../../../src/protocol/lease.ts";
import type { Mutation, ReadReply } from "../../../src/protocol/shard-api.ts";
import { isRefusal, scopeOpId } from "../../../src/protocol/shard-api.ts";
import type { Transaction } from "../../../src/protocol/transaction.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import type { Clock } from "../../../src/runtime/clock.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import type { Invalidation, LeaseGrants, Member, MemberEvents, Members } from "../../../src/shard/members.ts";
import { Shard } from "../../../src/shard/shard.ts";
import { seeded } from "../seeded.ts";
import { strongKeys } from "../strong-bed.ts";
import { type VirtualClock, virtualClock } from "../virtual-clock.ts";
import { type Message, ModelNode } from "./node.ts";
import { restore, VolatileSql } from "./volatile-sql.ts";

/** One instance of the shard, and the sockets that end at it. */
class Instance implements Members {
  readonly sql: VolatileSql;
  readonly shard: Shard;
  readonly leases: LeaseGrants;
  readonly nodes = new Map<string, ModelNode>();
  readonly sent: Map<string, number>;
  events: MemberEvents | undefined;

  constructor(sql: VolatileSql, sent: Map<string, number>, make: (sql: VolatileSql) => Shard) {
    this.sql = sql;
    this.sent = sent;
    this.shard = make(sql);
    this.leases = this.shard.serve(this);
  }

  all(): readonly Member[] {
    return [...this.nodes].map(([session, { name }]) => ({ session, node: name, zone: name }));
  }

  get(session: string): Member | undefined {
    return this.all().find((member) => member.session === session);
  }

  send(session: string, invalidation: Invalidation): number | undefined {
    const node = this.nodes.get(session);
    if (node === undefined) return undefined;
    const n = (this.sent.get(session) ?? 0) + 1;
    this.sent.set(session, n);
    this.say(session, { t: "inv", n, invalidation });
    return n;
  }

  listen(events: MemberEvents): void {
    this.events = events;
  }

  /** Queues a message for a session: it leaves when what was written is durable. */
  say(session: string, message: Message): void {
    void this.sql.settled().then(() => {
      const node = this.nodes.get(session);
      if (node?.session === session) node.inbox.push(message);
    });
  }
}

export interface WorldOptions {
  readonly seed: number;
  readonly steps: number;
}

const keys = ["k1", "k2", "q1"];

/** A shard, three nodes and whoever writes, in an order that a seed chooses. Throws where a strong read would be out of order. */
export class StrongWorld {
  readonly #random: ReturnType<typeof seeded>;
  readonly #time: VirtualClock = virtualClock();
  readonly #sql: Sql;
  readonly #spare: Sql | undefined;
  readonly #nodes: ModelNode[];
  readonly #options: WorldOptions;
  /** The newest version of each key that anyone was told of. */
  readonly #seen = new Map<string, number>();
  readonly #failed = new Set<string>();
  /** Keys that the end of a lease may have deleted: they may be absent. */
  readonly #ended = new Set<string>();
  readonly #writes = new Set<object>();
  #instance: Instance;
  #old: Instance | undefined;
  #spaceId: string | undefined;
  #count = 0;
  #violation: string | undefined;
  /** What happened, for the report of a violation. */
  readonly trace: string[] = [];
  readonly figures = { written: 0, failed: 0, served: 0, ends: 0, superseded: 0, leases: 0 };

  /** `spare`: a database for instances that live on after they were superseded; without it instances only end. */
  constructor(sql: Sql, spare: Sql | undefined, options: WorldOptions) {
    this.#sql = sql;
    this.#spare = spare;
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#nodes = ["a", "b", "c"].map((name) => new ModelNode(name, this.#rate()));
    this.#instance = this.#newInstance(new Map());
  }

  async run(): Promise<void> {
    const created = this.#instance.shard.createSpace("test", {});
    await this.#calm();
    const space = await created;
    if (isRefusal(space)) throw new Error("no space");
    this.#spaceId = space.space.id;
    for (const node of this.#nodes) this.#connect(node);
    for (let step = 0; step < this.#options.steps; step++) {
      await this.#step();
      this.#check();
    }
    await this.#end();
  }

  /** Leaves both databases empty. */
  async clear(): Promise<void> {
    for (const sql of [this.#sql, this.#spare])
      if (sql !== undefined) restore(sql, { schema: [], tables: new Map() });
  }

  #rate(): number {
    return 0.995 + this.#random.below(11) / 1_000;
  }

  #newInstance(sent: Map<string, number>): Instance {
    const time = this.#time;
    const rate = this.#rate();
    const elapsed: Clock = { now: () => time.now() * rate };
    const statics = [strongKeys("k*"), strongKeys("q*", { quorum: 1 })];
    return new Instance(
      new VolatileSql(this.#sql),
      sent,
      (sql) =>
        new Shard({
          sql,
          clock: time,
          elapsed,
          timers: time,
          random: this.#random,
          alarm: { set: () => {} },
          durable: () => sql.settled(),
          wipe: async () => {},
          databaseBytes: () => 0,
          home: () => {
            throw new Error("there is one shard");
          },
          maxValueBytes: 1_000,
          logMaxEntries: 100_000,
          logMaxAgeMs: 86_400_000,
          statics,
        }),
    );
  }

  #scope() {
    return { space: "test", shard: 0, spaceId: this.#spaceId, registrations: 0 };
  }

  #connect(node: ModelNode): void {
    this.#drop(node);
    const session = `${node.name}${++this.#count}`;
    node.begin(session);
    const instance = this.#old !== undefined && this.#random.below(4) === 0 ? this.#old : this.#instance;
    instance.nodes.set(session, node);
    instance.events?.joined(session);
    this.trace.push(`${session} joins ${instance === this.#old ? "the old" : ""}`);
  }

  /** The shard learns that a socket is gone; the node may not know. */
  #drop(node: ModelNode): void {
    for (const instance of [this.#instance, this.#old]) {
      if (instance?.nodes.delete(node.session)) instance.events?.left(node.session);
    }
  }

  #home(node: ModelNode): Instance | undefined {
    return [this.#instance, this.#old].find((instance) => instance?.nodes.has(node.session));
  }

  async #step(): Promise<void> {
    const node = this.#random.pick(this.#nodes);
    const dice = this.#random.below(100);
    if (dice < 2) this.#endLease();
    else if (dice < 12) this.#write(node);
    else if (dice < 20) this.#read(node);
    else if (dice < 27) this.#read(undefined);
    else if (dice < 33) this.#ping(node);
    else if (dice < 45) this.#deliver(node);
    else if (dice < 53) this.#acknowledge(node);
    else if (dice < 66) this.#flush();
    else if (dice < 74) await this.#advance(this.#random.pick([1, 40, 400, 1_500, 3_900]));
    else if (dice < 90) await this.#warm(node);
    else if (dice < 91) this.#bye(node);
    else if (dice < 93) {
      this.trace.push(`${node.session} is cut off`);
      this.#drop(node);
    } else if (dice < 96) this.#connect(node);
    else if (dice < 98) void this.#instance.shard.onAlarm().catch(ignored);
    else this.#kill();
    await this.#time.settle();
  }

  /** A node does all that it needs to serve from its L1. */
  async #warm(node: ModelNode): Promise<void> {
    if (this.#home(node) === undefined) this.#connect(node);
    for (const act of [() => this.#ping(node), () => this.#read(node)]) {
      act();
      await this.#time.settle();
      this.#flush();
      await this.#time.settle();
      while (node.inbox.length > 0) this.#deliver(node);
    }
  }

  #flush(): void {
    this.trace.push("flush");
    this.#instance.sql.flush();
  }

  async #advance(ms: number): Promise<void> {
    this.trace.push(`+${ms} ms`);
    await this.#time.advance(ms);
  }

  #write(node: ModelNode): void {
    // Who writes at the old one waits for ever, and whatever that one has written keeps it silent: rarely.
    const isLate = this.#old !== undefined && this.#random.below(10) === 0;
    const instance = isLate ? (this.#old ?? this.#instance) : this.#instance;
    const session = this.#home(node) === instance && this.#random.below(2) === 0 ? node.session : undefined;
    const text = `v${++this.#count}`;
    const opId = (): string => scopeOpId("test", uuidv7(this.#time, this.#random));
    const payload = { bytes: utf8(text), contentType: "text/plain" };
    const written =
      this.#random.below(3) === 0 ? this.#random.pick([["k1", "k2"], keys]) : [this.#random.pick(keys)];
    this.trace.push(`write ${text} of ${written} by ${session ?? "someone"}`);
    const write = {};
    const isCurrent = instance === this.#instance;
    if (isCurrent) this.#writes.add(write);
    const ended = (versions: readonly (number | undefined)[]): void => {
      this.#writes.delete(write);
      this.trace.push(`written ${text}: ${versions}`);
      for (const [at, version] of versions.entries()) {
        if (version === undefined) {
          this.figures.failed++;
          this.#failed.add(`${written[at]} ${text}`);
        } else {
          this.figures.written++;
          this.#told(written[at] ?? "", version);
        }
      }
    };
    if (this.#random.below(4) === 0) {
      const success = written.map((key) => ({ kind: "set" as const, key, payload }));
      const transaction: Transaction = { opId: opId(), compare: [], success, failure: [] };
      void instance.shard.transact({ ...this.#scope(), transaction }, session).then((reply) => {
        if (isRefusal(reply)) return;
        const { verdict } = reply;
        ended(written.map(() => (verdict.outcome === "ok" ? verdict.revision : undefined)));
      }, ignored);
      return;
    }
    const mutations = written.map((key): Mutation => ({ kind: "set", opId: opId(), key, payload }));
    if (this.#random.below(8) === 0) {
      mutations.push({ kind: "invalidatePrefix", opId: opId(), prefix: this.#random.pick(["", "k"]) });
    }
    void instance.shard.mutate({ ...this.#scope(), mutations }, session).then((reply) => {
      if (isRefusal(reply)) return;
      ended(
        written.map((_, at) => {
          const verdict = reply.verdicts[at];
          return verdict?.outcome === "ok" ? verdict.version : undefined;
        }),
      );
    }, ignored);
  }

  /** A lease gets some keys and ends, which deletes them. */
  #endLease(): void {
    const opId = (): string => scopeOpId("test", uuidv7(this.#time, this.#random));
    const id = `lease${String(++this.#count).padStart(12, "0")}`;
    const attached = this.#random.below(2) === 0 ? keys : [this.#random.pick(keys)];
    const { shard } = this.#instance;
    const run = (commands: readonly LeaseCommand[]) => shard.lease({ ...this.#scope(), commands });
    this.trace.push(`${id} of ${attached}`);
    const end = {};
    this.#writes.add(end);
    void run([
      { kind: "grant", opId: opId(), id, ttlMs: 60_000, onEnd: "delete" },
      { kind: "attach", opId: opId(), id, keys: attached },
    ])
      .then(async () => {
        // Whatever anyone has been told of them by now is gone when the end is told.
        const before = attached.map((key) => this.#seen.get(key) ?? 0);
        for (const key of attached) this.#ended.add(key);
        const reply = await run([{ kind: "revoke", opId: opId(), id }]);
        this.#writes.delete(end);
        if (isRefusal(reply) || reply.verdicts[0]?.outcome !== "ok") return;
        this.trace.push(`${id} has ended`);
        this.figures.leases++;
        for (const [at, key] of attached.entries()) this.#gone(key, before[at] ?? 0);
      })
      .catch(ignored);
  }

  #read(node: ModelNode | undefined): void {
    const instance =
      node === undefined
        ? this.#random.pick([this.#instance, this.#old ?? this.#instance])
        : this.#home(node);
    if (instance === undefined) return;
    const asked = this.#random.below(3) === 0 ? keys : [this.#random.pick(keys)];
    const seen = asked.map((key) => this.#seen.get(key) ?? 0);
    const session = node?.session;
    const request = { ...this.#scope(), keys: asked, strong: true, hold: true } as const;
    this.trace.push(`read ${asked} by ${session ?? "someone"}`);
    void instance.shard.read(request, session).then((reply) => {
      if (isRefusal(reply)) return;
      const said = reply.entries.map((entry) => entry?.version ?? 0);
      this.trace.push(`answer to ${session ?? "someone"}: ${asked} = ${said}, held ${reply.held ?? ""}`);
      if (session !== undefined) instance.say(session, { t: "read", keys: asked, reply, seen });
      else void instance.sql.settled().then(() => this.#answered(asked, reply, seen));
    }, ignored);
  }

  #answered(asked: readonly string[], reply: ReadReply, seen: readonly number[]): void {
    for (const [at, entry] of reply.entries.entries()) {
      const key = asked[at] ?? "";
      const version = entry?.version ?? 0;
      if (!entry && this.#ended.has(key)) {
        this.#gone(key, seen[at] ?? 0);
        continue;
      }
      if (version < (seen[at] ?? 0))
        this.#violate(`a read of ${key} went back to ${version} from ${seen[at]}`);
      if (entry) this.#look(key, new TextDecoder().decode(entry.payload.bytes));
      this.#told(key, version);
    }
  }

  #ping(node: ModelNode): void {
    const instance = this.#home(node);
    if (instance === undefined) return;
    const { session } = node;
    const sentAtMs = node.time(this.#time.now());
    this.trace.push(`${session} asks for its lease`);
    void instance.leases.grant(session).then((leaseMs) => {
      this.trace.push(`${session} gets ${leaseMs}`);
      if (leaseMs !== undefined) instance.say(session, { t: "lease", sentAtMs, leaseMs });
    }, ignored);
  }

  #deliver(node: ModelNode): void {
    const message = node.inbox.shift();
    if (message === undefined) return;
    this.trace.push(`${node.session} takes ${JSON.stringify(message).slice(0, 80)}`);
    node.take(message);
    if (message.t === "read") this.#answered(message.keys, message.reply, message.seen);
  }

  #acknowledge(node: ModelNode): void {
    const n = node.unsaid;
    const instance = this.#home(node);
    if (n === undefined || instance === undefined) return;
    node.unsaid = undefined;
    this.trace.push(`${node.session} acknowledges ${n}`);
    instance.events?.acknowledged(node.session, n);
  }

  #bye(node: ModelNode): void {
    const instance = this.#home(node);
    if (instance === undefined) return;
    this.trace.push(`${node.session} says bye`);
    instance.leases.giveBack(node.session);
    this.#drop(node);
    node.stop();
  }

  /** The instance ends, or is superseded and does not know; another begins. */
  #kill(): void {
    const before = this.#instance;
    const isLost = this.#random.below(2) === 0;
    this.#writes.clear();
    if (this.#spare !== undefined && this.#random.below(2) === 0) {
      if (this.#old !== undefined) this.#old.sql.die(false);
      before.sql.supersede(isLost, this.#spare);
      this.#old = before;
      this.figures.superseded++;
      this.trace.push(`the instance is superseded${isLost ? ", what was not durable is lost" : ""}`);
      this.#instance = this.#newInstance(new Map());
      return;
    }
    this.figures.ends++;
    before.sql.die(isLost);
    const isKept = this.#random.below(2) === 0;
    this.trace.push(
      `the instance ends${isLost ? ", what was not durable is lost" : ""}${isKept ? ", sockets stay" : ""}`,
    );
    this.#instance = this.#newInstance(isKept ? new Map(before.sent) : new Map());
    if (isKept) for (const [session, node] of before.nodes) this.#instance.nodes.set(session, node);
  }

  #told(key: string, version: number): void {
    this.#seen.set(key, Math.max(version, this.#seen.get(key) ?? 0));
  }

  /** Nobody may be told of `key` at `version` or one before any more. */
  #gone(key: string, version: number): void {
    this.#told(key, Math.floor(version) + 0.5);
  }

  #look(key: string, text: string): void {
    if (this.#failed.has(`${key} ${text}`))
      this.#violate(`${key} = ${text} was read, whose write had failed`);
  }

  /** Whatever a node could serve now must be no older than what anyone was told. */
  #check(): void {
    for (const node of this.#nodes) {
      for (const key of keys) {
        const found = node.serve(key, this.#time.now());
        if (found === undefined) continue;
        this.figures.served++;
        const newest = this.#seen.get(key) ?? 0;
        if (found.version < newest) {
          this.#violate(`${node.session} may serve ${key} at ${found.version}; ${newest} was told`);
        }
        this.#look(key, found.text);
        this.#told(key, found.version);
      }
    }
    if (this.#violation !== undefined) throw new Error(this.#violation);
  }

  #violate(what: string): void {
    this.#violation ??= what;
    this.trace.push(`VIOLATION: ${what}`);
  }

  /** Everything becomes durable and nobody acknowledges: each write must come to an end. */
  async #end(): Promise<void> {
    for (const node of this.#nodes) this.#drop(node);
    for (let turn = 0; turn < 60; turn++) {
      this.#instance.sql.flush();
      await this.#time.advance(500);
      this.#check();
    }
    if (this.#writes.size > 0) this.#violate(`${this.#writes.size} writes never ended`);
    if (this.#violation !== undefined) throw new Error(this.#violation);
  }

  async #calm(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) {
      await this.#time.settle();
      this.#instance.sql.flush();
    }
    await this.#time.settle();
  }
}

/** A call whose instance ended: its outcome is unknown to the caller. */
function ignored(): void {}
