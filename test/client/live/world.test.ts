import { expect, it } from "vitest";
import { host } from "#host";
import type { ClientWatch, Settled, WatchedItem } from "../../../src/client/live/types.ts";
import { shardOf } from "../../../src/protocol/key.ts";
import { parseWatchCursor } from "../../../src/watchbus/cursor.ts";
import { type ClientBed, withClients } from "../../support/client-bed.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";

/** By hand: more of them with WARP_TEST_SEEDS. */
const runs = Number(
  (globalThis as { process?: { env: Record<string, string> } }).process?.env.WARP_TEST_SEEDS ?? 40,
);

interface Logged {
  readonly shard: number;
  readonly revision: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
}

/** An application that keeps the state up to date by a watch, and holds what it is told against what was written. */
class Application {
  readonly state = new Map<string, string | undefined>();
  readonly #shards: number;
  /** Of each shard: how far its log was told; undefined: its state has to come. */
  readonly #at: (number | undefined)[];
  #holding: readonly (number | undefined)[];
  cursor: string | undefined;
  gaps = 0;
  events = 0;

  constructor(shards: number) {
    this.#shards = shards;
    this.#at = Array.from({ length: shards }, () => undefined);
    this.#holding = this.#at;
  }

  /** It begins anew, from its cursor or from the state. */
  reopened(): void {
    this.#holding =
      this.cursor === undefined
        ? []
        : parseWatchCursor(this.cursor, this.#shards).map(({ revision }) => revision);
    for (let shard = 0; shard < this.#shards; shard++) this.#at[shard] = this.#holding[shard];
  }

  take(item: WatchedItem<string>, log: readonly Logged[]): void {
    this.cursor = item.cursor;
    if (item.kind === "missed" || item.kind === "publish" || item.kind === "publishPrefix")
      throw new Error("publications were not asked for");
    const { shard } = item;
    if (item.kind === "gap") {
      this.gaps++;
      this.#at[shard] = undefined;
      this.#drop(shard);
    } else if (item.kind === "snapshot") {
      if (item.first) this.#drop(shard);
      expect(item.done).toBe(item.cursor !== undefined);
      this.#at[shard] = undefined;
      for (const { key, value } of item.entries) this.state.set(key, value);
      if (item.cursor !== undefined)
        for (const [at, { revision }] of parseWatchCursor(item.cursor, this.#shards).entries())
          this.#at[at] ??= revision;
    } else {
      const { revision, key } = item;
      const value = item.kind === "set" ? item.value : undefined;
      const from = this.#at[shard];
      if (from !== undefined) {
        // No hole, nothing twice, nothing out of order.
        const due = log.filter(
          (one) => one.shard === shard && one.revision > from && one.revision <= revision,
        );
        expect(due).toEqual([{ shard, revision, key, value }]);
        this.#at[shard] = revision;
        this.events++;
      }
      if (item.kind === "set") this.state.set(key, value);
      else this.state.delete(key);
    }
  }

  #drop(shard: number): void {
    for (const key of [...this.state.keys()])
      if (shardOf(key, this.#shards) === shard) this.state.delete(key);
  }
}

/** An application with the watch that it has now, read a step at a time. */
class Reader {
  readonly app: Application;
  readonly #open: (cursor: string | undefined) => ClientWatch<string>;
  readonly #log: readonly Logged[];
  watch: ClientWatch<string> | undefined;
  #steps: AsyncIterator<WatchedItem<string>> | undefined;
  #next: Promise<void> | undefined;

  constructor(app: Application, log: readonly Logged[], open: Reader["Open"]) {
    this.app = app;
    this.#log = log;
    this.#open = open;
  }

  declare readonly Open: (cursor: string | undefined) => ClientWatch<string>;

  /** Lets go of the watch, and opens the next where the last item was. */
  async reopen(): Promise<void> {
    this.watch?.close();
    await this.#next;
    this.app.reopened();
    this.watch = this.#open(this.app.cursor);
    this.#steps = this.watch[Symbol.asyncIterator]();
    this.#next = undefined;
  }

  /** Begins to take the next item, unless it waits for one already. */
  read(): void {
    this.#next ??= this.#steps?.next().then(({ value, done }) => {
      if (done !== true) this.app.take(value, this.#log);
      this.#next = undefined;
    });
  }
}

interface Seen {
  readonly gaps: number;
  readonly events: number;
  readonly queued: number;
}

async function world(bed: ClientBed, random: Seeded, shards: number): Promise<Seen> {
  const { clock } = bed;
  const log: Logged[] = [];
  const write = async (): Promise<void> => {
    const key = `k${random.below(12)}`;
    const value = random.below(4) === 0 ? undefined : `${log.length}`;
    const revision = await bed.write(key, value);
    // A delete of what is not there changes nothing.
    if (revision > 0) log.push({ shard: shardOf(key, shards), revision, key, value });
  };
  for (let i = random.below(20); i >= 0; i--) await write();
  const sides = [0, 1].map(() => {
    const { client, wire, signals } = bed.client({ token: () => `guest;k;${clock.now() + 200_000}` });
    const reader = new Reader(new Application(shards), log, (cursor) =>
      client.watch<string>(
        { prefix: "k" },
        { ops: ["set", "delete"], from: cursor === undefined ? "snapshot" : { cursor } },
      ),
    );
    const settled: Settled[] = [];
    client.queue.settled((one) => settled.push(one));
    return { client, wire, signals, reader, settled };
  });
  let queued = 0;
  for (const { reader } of sides) await reader.reopen();
  for (let step = 0; step < 70; step++) {
    const side = random.pick(sides);
    const dice = random.below(24);
    if (dice === 0) side.wire.cut(random.pick([1006, 4200, 4101]));
    else if (dice === 1) random.pick(bed.shards).restart(random.below(2) === 0);
    else if (dice === 2) {
      await clock.advance(400_000);
      await write();
    } else if (dice === 3) await side.reader.reopen();
    else if (dice === 4) side.signals.give(side.signals.isOffline ? "online" : "offline");
    else if (dice === 5) side.signals.give(random.pick(["hidden", "visible", "frozen", "resumed"]));
    else if (dice === 6) side.wire.silence();
    else if (dice === 7 && side.client.status === "offline" && side.client.queue.size < 5) {
      queued++;
      const written = await side.client.set(`q${random.below(3)}`, `${queued}`).catch(() => undefined);
      if (written === undefined) queued--;
    } else if (dice < 12) await clock.advance(random.below(40));
    else if (dice < 17) side.reader.read();
    else await write();
  }
  for (const { signals } of sides) {
    signals.give("resumed");
    signals.give("visible");
    signals.give("online");
  }
  await clock.advance(120_000);
  const state = new Map<string, string>();
  for (const { key, value } of log) {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
  }
  const wanted = JSON.stringify([...state].sort());
  for (const { reader, client } of sides) {
    for (let turns = 0; turns < 2_000 && JSON.stringify([...reader.app.state].sort()) !== wanted; turns++) {
      reader.read();
      await clock.advance(turns % 20 === 19 ? 20 : 0);
    }
    expect(JSON.stringify([...reader.app.state].sort())).toBe(wanted);
    expect([client.status, reader.watch?.status, client.queue.size]).toEqual(["online", "live", 0]);
    reader.watch?.close();
    await client.close();
  }
  const all = (of: (app: Application) => number): number =>
    sides.reduce((sum, { reader }) => sum + of(reader.app), 0);
  // What was queued outside the token's prefix is refused, each told once.
  const told = sides.flatMap(({ settled }) => settled);
  expect(told.length).toBe(queued);
  expect(told.every((one) => one.outcome === "fail" && one.error.code === "forbidden")).toBe(true);
  return { gaps: all(({ gaps }) => gaps), events: all(({ events }) => events), queued };
}

it(`WA2 WA3 WA4 WA12 over ${runs} seeds of cuts, silence, sleep, ended instances, a trimmed log and slow readers: each change once and in order, or a gap and then the state`, async () => {
  const seen = { gaps: 0, events: 0, queued: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    const random = seeded(seed);
    // workerd lets a turn touch one object's storage alone.
    const shards = host.name === "node" ? 1 + random.below(2) : 1;
    const sizes = {
      entries: 4 + random.below(4),
      keys: 1 + random.below(4),
      bytes: 10 + random.below(300),
      pages: 1 + random.below(3),
    };
    await withClients(
      async (bed) => {
        const { gaps, events, queued } = await world(bed, random, shards);
        seen.gaps += gaps;
        seen.events += events;
        seen.queued += queued;
      },
      { shards, shard: { logMaxAgeMs: 1_000, watchSizes: sizes } },
    ).catch((cause: unknown) => {
      throw new Error(`seed ${seed}`, { cause });
    });
  }
  console.log(`client world: ${JSON.stringify(seen)} in ${runs} seeds`);
  // That it shows something.
  expect(seen.gaps).toBeGreaterThan(runs / 20);
  expect(seen.events).toBeGreaterThan(runs * 5);
  expect(seen.queued).toBeGreaterThan(0);
}, 900_000);
