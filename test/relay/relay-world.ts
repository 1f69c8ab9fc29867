import type { WatchKind, WatchMode, WatchOperation, WatchTarget } from "../../src/protocol/watch.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import { blob, type Sql } from "../../src/runtime/sql.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import type { TestSocket } from "../support/hub-bed.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { WatchBed } from "../support/watch-bed.ts";
import { type ClientWatch, WatchClient } from "../support/watch-client.ts";

/** An entry as it was written, whatever becomes of it later. */
interface Entry {
  readonly revision: number;
  readonly kind: WatchKind;
  readonly key: string;
  readonly text: string;
}

/** Watches, and the socket over which they go, if there is one. */
interface Application {
  readonly client: WatchClient;
  socket: TestSocket | undefined;
}

const keys = ["a", "ab", "abc", "b", "ba", "\u00e9", "\u{1f600}", "line\nbreak"];
const targets: readonly WatchTarget[] = [
  { prefix: "" },
  { prefix: "a" },
  { prefix: "ab" },
  { key: "a" },
  { key: "b" },
  { prefix: "zz" },
];
const someOps: readonly (readonly WatchOperation[] | undefined)[] = [
  undefined,
  undefined,
  undefined,
  ["publish"],
  ["set", "delete"],
];
const modes: readonly WatchMode[] = ["all", "all", "latest", "keys"];

/** What is around the shard of a world, where that is not its own hub alone. */
export interface Around {
  readonly bed?: (options: Partial<ShardOptions>) => WatchBed;
  /** Something happens there. */
  readonly disturb?: (random: Seeded) => Promise<void>;
  /** Lets time pass until all that is under way has come to its end. */
  readonly settle?: () => Promise<void>;
}

/** A shard and its relays, a few applications that watch there, and everything that may go wrong between them: `resume-world.ts` with ways that take time. */
export class RelayWorld {
  readonly #random: Seeded;
  readonly #bed: WatchBed;
  readonly #sql: Sql;
  readonly #log: Entry[] = [];
  #seen = 0;
  readonly #clients: Application[] = [];
  #ids = 0;
  /** Up to where the log was durable at some time. */
  #durable = 0;
  /** Instances so far; one that has ended does nothing more. */
  #lives = 0;
  gaps = 0;
  events = 0;
  resumes = 0;

  readonly #around: Around;

  constructor(sql: Sql, seed: number, around: Around = {}) {
    this.#around = around;
    this.#random = seeded(seed);
    this.#sql = sql;
    const random = this.#random;
    const { bed = (options) => new WatchBed(sql, options) } = around;
    this.#bed = bed({
      logMaxAgeMs: 400_000,
      // Small pages, so that much happens between two of them.
      watchSizes: {
        entries: 4 + random.below(4),
        keys: 1 + random.below(4),
        bytes: 10 + random.below(300),
        pages: 1 + random.below(3),
      },
      durable: () => {
        const life = this.#lives;
        return new Promise((resolve) => {
          this.#bed.clock.after(random.below(4), () => void (life === this.#lives && resolve()));
        });
      },
    });
  }

  async run(steps: number): Promise<void> {
    const creating = this.#bed.bed.create();
    await this.#bed.clock.advance(20);
    await creating;
    for (let at = 0; at < 3; at++) this.#clients.push({ client: new WatchClient(), socket: undefined });
    for (let step = 0; step < steps; step++) {
      await this.#step();
      this.#record();
    }
    await this.#settle();
  }

  async #step(): Promise<void> {
    const what = this.#random.below(100);
    const bed = this.#bed;
    const one = this.#random.pick(this.#clients);
    if (what < 45) this.#write();
    else if (what < 60) await bed.clock.advance(this.#random.below(30));
    else if (what < 66) await this.#open(one);
    else if (what < 70) this.#close(one);
    else if (what < 76) await this.#reconnect(one);
    else if (what < 82) this.#cut(one);
    else if (what < 86 && one.socket !== undefined) one.socket.reads = false;
    else if (what < 91 && one.socket !== undefined) {
      one.socket.reads = true;
      one.socket.catchUp();
    } else if (what < 94) await this.#restart();
    else if (what < 96) {
      // The log grows old.
      await bed.clock.advance(200_000);
      void bed.bed.shard.onAlarm();
      for (const client of this.#clients) if (client.socket?.closedWith !== undefined) this.#cut(client);
    } else await this.#around.disturb?.(this.#random);
    for (const client of this.#clients) if (client.socket?.closedWith !== undefined) this.#cut(client);
  }

  #write(): void {
    const { bed } = this.#bed;
    const key = this.#random.pick(keys);
    const kind = this.#random.below(12);
    const value = `${this.#random.below(1_000)}`.repeat(1 + this.#random.below(kind === 0 ? 8_000 : 3));
    const work =
      kind < 6
        ? bed.set(key, value)
        : kind < 8
          ? bed.delete(key)
          : kind === 8
            ? bed.set(key, value, { expiresInMs: 1 + this.#random.below(200) })
            : kind === 9
              ? this.#bed.publish({ prefix: this.#random.pick(["", "a", "abc"]) }, value, true)
              : kind === 10
                ? this.#bed.publish({ key }, value, true)
                : bed.mutate(
                    ...[0, 1, 2].map((at) => ({
                      kind: "set" as const,
                      opId: bed.opId(),
                      key: keys[(this.#random.below(2) + at * 2) % keys.length] as string,
                      payload: { bytes: new Uint8Array([0x30 + at]), contentType: "text/plain" },
                    })),
                  );
    // An instance that ends takes what it has not answered with it.
    work.catch(() => undefined);
  }

  async #open(one: Application): Promise<void> {
    if (one.socket === undefined) return;
    const from = this.#random.pick(["now", "snapshot"] as const);
    const ops = this.#random.pick(someOps);
    const target = this.#random.pick(targets);
    const filter = { target, mode: this.#random.pick(modes), ...(ops === undefined ? {} : { ops }) };
    await this.#bed.watch({ socket: one.socket, client: one.client }, ++this.#ids, filter, from);
  }

  #close(one: Application): void {
    const id = [...one.client.watches.keys()][0];
    if (id === undefined || one.socket === undefined) return;
    void this.#bed.say(one.socket, { t: "unsub", id });
    this.check(one.client.watches.get(id) as ClientWatch);
    one.client.watches.delete(id);
  }

  #cut(one: Application): void {
    const { socket } = one;
    if (socket === undefined) return;
    one.socket = undefined;
    socket.heard = () => {};
    if (socket.closedWith === undefined) {
      socket.closedWith = { code: 1006, reason: "" };
      this.#bed.closed(socket);
    }
    for (const watch of one.client.watches.values()) watch.isLive = false;
  }

  async #reconnect(one: Application): Promise<void> {
    if (one.socket?.closedWith !== undefined) this.#cut(one);
    if (one.socket !== undefined) return;
    this.resumes++;
    one.socket = await this.#bed.connect(one.client);
    const { socket } = one;
    const heard = socket.heard;
    socket.heard = (frame) => {
      const to = "to" in frame ? frame.to : undefined;
      // While a new epoch is not durable, what was so before is, and the shard does not say what that was.
      const { position, written } = this.#bed.bed.shard.published;
      this.#durable = Math.max(this.#durable, (position ?? written).revision);
      if (to !== undefined && to > this.#durable)
        throw new Error(`told of ${to}, durable is ${this.#durable}`);
      heard(frame);
    };
    for (const [id, watch] of one.client.watches) {
      const { target, mode, ops } = watch.filter;
      // A snapshot that was cut begins again.
      const from = watch.isSnapshot ? "snapshot" : (watch.position ?? "now");
      const which = { ...target, mode, ...(ops === undefined ? {} : { ops }) };
      await this.#bed.say(socket, { t: "sub", id, ...which, from });
    }
  }

  async #restart(): Promise<void> {
    const stay = this.#random.below(2) === 0;
    // Sockets outlive an instance that had nothing more to do, not one that broke.
    if (stay) await this.#bed.clock.advance(60);
    // The next one begins when this one has done its last.
    await this.#bed.clock.settle();
    this.#record();
    this.#lives++;
    this.#bed.restart(stay);
    for (const one of this.#clients) {
      if (one.socket?.closedWith !== undefined) this.#cut(one);
    }
  }

  /** Notes the entries that have come since the last time. */
  #record(): void {
    const rows = this.#sql.all(
      "SELECT revision, kind, key, value FROM log WHERE revision > ? AND kind NOT IN ('register', 'intent') ORDER BY revision, seq",
      this.#seen,
    );
    for (const row of rows) {
      const [revision, kind, key] = [Number(row.revision), row.kind as WatchKind, fromUtf8(blob(row.key))];
      const isValue = kind === "set" || kind.startsWith("publish");
      const value = !isValue ? "" : row.value === null ? " ~" : ` ${fromUtf8(blob(row.value))}`;
      this.#log.push({ revision, kind, key, text: `${revision} ${kind} ${key}${value}` });
      this.#seen = revision;
    }
  }

  /** Everybody is connected, takes in what comes, and has all. */
  async #settle(): Promise<void> {
    // A snapshot leaves out what is due, also before the log says so.
    await this.#bed.clock.advance(300);
    await Promise.race([this.#bed.bed.shard.onAlarm(), this.#bed.clock.advance(20)]);
    for (let round = 0; round < 4; round++) {
      for (const one of this.#clients) {
        if (one.socket !== undefined) {
          one.socket.reads = true;
          one.socket.catchUp();
        }
        await this.#reconnect(one);
      }
      await this.#bed.clock.advance(100);
      await this.#around.settle?.();
      this.#record();
    }
    if (this.#bed.reported.length > 0) throw this.#bed.reported[0];
    for (const { client } of this.#clients) {
      for (const [id, watch] of client.watches) {
        if (!watch.isLive) throw new Error(`watch ${id} is not live: ${watch.told.slice(-5).join(", ")}`);
        this.check(watch);
        this.#checkEnd(watch);
      }
    }
  }

  /** What it was told is what there was to tell: each entry once, in order, or a gap and then the state. */
  check(watch: ClientWatch): void {
    const { mode } = watch.filter;
    const wanted = this.#log.filter(({ kind, key }) => watch.wants(kind, key));
    let last: number | undefined;
    let inSnapshot = false;
    for (const told of watch.told) {
      if (told.startsWith("gap")) this.gaps++;
      if (told.startsWith("gap") || told === "snapshot") {
        last = undefined;
        inSnapshot = told === "snapshot";
        continue;
      }
      if (told === "done") {
        inSnapshot = false;
        last = undefined;
        continue;
      }
      this.events++;
      const at = wanted.findIndex(({ text, revision, kind, key }) =>
        mode === "keys" ? told === `${revision} ${kind} ${key}` || told === text : text === told,
      );
      if (at < 0)
        throw new Error(
          `${told} was never so (${JSON.stringify(watch.filter)}): ${watch.told
            .slice(-12)
            .map((one) => one.slice(0, 40))
            .join(
              ", ",
            )} || ${this.#log.filter(({ revision }) => told.startsWith(`${revision} `)).map(({ text }) => text)}`,
        );
      const follows = last === undefined || (mode === "all" && !inSnapshot ? at === last + 1 : at > last);
      if (!follows) throw new Error(`${told} follows ${wanted[last ?? 0]?.text} (${mode})`);
      last = at;
    }
  }

  /** A watch that is live and knows the state knows the state; nothing is missing at the end. */
  #checkEnd(watch: ClientWatch): void {
    const wanted = this.#log.filter(({ kind, key }) => watch.wants(kind, key));
    const lastEvent = watch.told.findLast((told) => /^\d/.test(told));
    const lastMark = watch.told.findLastIndex((told) => !/^\d/.test(told));
    const newest = wanted.at(-1);
    const anyEvent = watch.told.slice(lastMark + 1).length > 0;
    if (anyEvent && newest !== undefined && !lastEvent?.startsWith(`${newest.revision} `)) {
      throw new Error(`the end is ${newest.text}, it was told ${lastEvent}`);
    }
    // Who does not hear of every change does not know the state.
    if (watch.state === undefined || watch.filter.ops !== undefined) return;
    const truth = new Map<string, number>();
    for (const { kind, key, revision } of this.#log) {
      if (kind === "set" && watch.wants(kind, key)) truth.set(key, revision);
      else if (kind === "delete" || kind === "expire") truth.delete(key);
    }
    const sorted = (state: Map<string, number>) => JSON.stringify([...state].sort());
    if (sorted(truth) !== sorted(watch.state)) {
      throw new Error(`the state is ${sorted(truth)}, it was told ${sorted(watch.state)}`);
    }
  }
}
