import { expect, it } from "vitest";
import { host } from "#host";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { shardWatchBus } from "../../src/watchbus/shard/shard-watch-bus.ts";
import type { Watch, WatchBus, WatchItem } from "../../src/watchbus/watchbus.ts";
import { directConnection } from "../support/direct-connection.ts";
import { NodeBed } from "../support/node-bed.ts";
import { type Seeded, seeded } from "../support/seeded.ts";

const runs = 60;

interface Written {
  readonly revision: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: string | undefined;
}

/** An application that keeps the state up to date by a watch, and holds what it is told against what was written. */
class Application {
  readonly state = new Map<string, string | undefined>();
  readonly #written: readonly Written[];
  #at: number | undefined;
  /** Behind the last item that was taken; undefined: the state has to come again. */
  cursor: string | undefined;
  gaps = 0;
  events = 0;

  constructor(written: readonly Written[]) {
    this.#written = written;
  }

  get position(): number | undefined {
    return this.#at;
  }

  take(item: WatchItem): void {
    this.cursor = item.cursor;
    if (item.kind === "missed") throw new Error("publications were not asked for");
    if (item.kind === "gap") {
      this.gaps++;
      this.#at = undefined;
      this.state.clear();
    } else if (item.kind === "snapshot") {
      if (item.first) this.state.clear();
      this.#at = undefined;
      for (const { key, payload } of item.entries)
        this.state.set(key, fromUtf8(payload?.bytes ?? new Uint8Array()));
      if (item.done) this.#at = revisionOf(item.cursor);
    } else {
      const { revision, key, payload } = item;
      const value = payload === undefined ? undefined : fromUtf8(payload.bytes);
      if (this.#at !== undefined) {
        const from = this.#at;
        // No hole, nothing twice, nothing out of order.
        const due = this.#written.filter((entry) => entry.revision > from && entry.revision <= revision);
        expect(due).toEqual([{ revision, key, value }]);
        this.#at = revision;
        this.events++;
      }
      if (item.kind === "set") this.state.set(key, value);
      else this.state.delete(key);
    }
  }
}

function revisionOf(cursor: string | undefined): number {
  return Number(cursor?.split(".")[1]);
}

/** An application with the watch that it has now, read a step at a time. */
class Reader {
  readonly #bus: WatchBus;
  readonly #bed: NodeBed;
  readonly app: Application;
  #watch: Watch | undefined;
  #steps: AsyncIterator<readonly WatchItem[]> | undefined;
  #next: Promise<void> | undefined;

  constructor(bus: WatchBus, bed: NodeBed, app: Application) {
    this.#bus = bus;
    this.#bed = bed;
    this.app = app;
  }

  /** Lets go of the watch, and opens the next where the last item was. */
  async reopen(): Promise<void> {
    this.#watch?.end();
    await this.#next;
    const { cursor } = this.app;
    const opening = this.#bus.watch(
      { prefix: "k" },
      { ops: ["set", "delete"], from: cursor === undefined ? "snapshot" : { cursor } },
    );
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    opening.then(over, over);
    while (!isOver) await this.#bed.clock.advance(10);
    this.#watch = await opening;
    this.#steps = this.#watch[Symbol.asyncIterator]();
    this.#next = undefined;
  }

  /** Begins to take the next items, unless it waits for some already. */
  read(): void {
    this.#next ??= this.#steps?.next().then(({ value = [] }) => {
      for (const item of value) this.app.take(item);
      this.#next = undefined;
    });
  }
}

/** One run; gives how much happened in it. */
async function run(seed: number): Promise<{ readonly gaps: number; readonly events: number }> {
  return await host.withSql(async (sql) => {
    const random: Seeded = seeded(seed);
    const bed = new NodeBed(
      sql,
      {},
      { subject: "test", isAdmin: true },
      {
        logMaxAgeMs: 1_000,
        watchSizes: {
          entries: 4 + random.below(4),
          keys: 1 + random.below(4),
          bytes: 10 + random.below(300),
          pages: 1 + random.below(3),
        },
      },
    );
    await bed.bed.create();
    const { clock } = bed;
    const connection = directConnection("test", () => bed.bed.shard);
    const writer = new SpaceClient({ connection, timers: clock });
    const written: Written[] = [];
    const write = async (): Promise<void> => {
      const key = `k${random.below(12)}`;
      const opId = scopeOpId("bed", uuidv7(clock, random));
      const value = random.below(4) === 0 ? undefined : `${written.length}`;
      const payload = { bytes: utf8(value ?? ""), contentType: "text/plain" };
      const [answers] = await writer.mutate([
        value === undefined ? { kind: "delete", opId, key } : { kind: "set", opId, key, payload },
      ]);
      const verdict = answers?.[0].answer;
      if (verdict?.outcome !== "ok") throw new Error("the write failed");
      // A delete of what is not there changes nothing.
      if (verdict.revision > 0) written.push({ revision: verdict.revision, key, value });
    };
    for (let i = random.below(20); i >= 0; i--) await write();
    const { client, wire } = bed.node({ delayMs: 1 });
    const bus = shardWatchBus({ client, timers: clock });
    const readers = [0, 1].map(() => new Reader(bus, bed, new Application(written)));
    for (const reader of readers) await reader.reopen();
    for (let step = 0; step < 60; step++) {
      const dice = random.below(20);
      if (dice === 0) wire.cut();
      else if (dice === 1) bed.restart(random.below(2) === 0);
      else if (dice === 2) {
        await clock.advance(400_000);
        await write();
      } else if (dice === 3) await random.pick(readers).reopen();
      else if (dice < 7) await clock.advance(random.below(40));
      else if (dice < 12) random.pick(readers).read();
      else await write();
    }
    await clock.advance(60_000);
    const last = written.at(-1)?.revision ?? 0;
    for (const reader of readers) {
      const { app } = reader;
      for (let turns = 0; turns < 200 && (app.position ?? -1) < last; turns++) {
        reader.read();
        await clock.advance(20);
      }
      const state = new Map<string, string>();
      for (const { key, value } of written) {
        if (value === undefined) state.delete(key);
        else state.set(key, value);
      }
      expect([...app.state].sort()).toEqual([...state].sort());
    }
    expect(bed.reported).toEqual([]);
    const sum = (of: (app: Application) => number) => readers.reduce((all, { app }) => all + of(app), 0);
    return { gaps: sum(({ gaps }) => gaps), events: sum(({ events }) => events) };
  });
}

it(`WA2 WA3 WA4 over ${runs} seeds of cuts, ended instances, a trimmed log, slow and resumed readers: each change once and in order, or a gap and then the state`, async () => {
  let [gaps, events] = [0, 0];
  for (let seed = 1; seed <= runs; seed++) {
    const told = await run(seed).catch((cause: unknown) => {
      throw new Error(`seed ${seed}`, { cause });
    });
    gaps += told.gaps;
    events += told.events;
  }
  // That it shows something.
  expect(gaps).toBeGreaterThan(runs / 20);
  expect(events).toBeGreaterThan(runs * 10);
}, 120_000);
