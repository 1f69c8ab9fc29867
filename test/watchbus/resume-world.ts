import type { WatchedItem } from "../../src/client/live/types.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { Payload } from "../../src/protocol/payload.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import type { WatchKind, WatchTarget } from "../../src/protocol/watch.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { type Codec, payloadCodec } from "../../src/runtime/codec.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { shardWatchBus } from "../../src/watchbus/shard/shard-watch-bus.ts";
import type { Watch, WatchBus, WatchItem, WatchOptions } from "../../src/watchbus/watchbus.ts";
import { directConnection } from "../support/direct-connection.ts";
import { loadedClient } from "../support/loaded-client.ts";
import { NodeBed } from "../support/node-bed.ts";
import { type Seeded, seeded } from "../support/seeded.ts";
import { VirtualWire } from "../support/virtual-wire.ts";

/** An entry of the log as it was written. */
interface Written {
  readonly revision: number;
  readonly kind: WatchKind;
  readonly key: string;
  readonly value: string | undefined;
}

/** An application that keeps the state up to date by a watch, and holds what it is told against what was written. */
class Application {
  readonly target: WatchTarget;
  readonly #written: readonly Written[];
  state = new Map<string, string | undefined>();
  /** How many of the entries that concern it were told; undefined: the state is not whole. */
  #told: number | undefined;
  /** Behind the last item that was taken; undefined: the state has to come again. */
  cursor: string | undefined;
  /** Publications that it has heard since its watch began. */
  readonly heard = new Set<string>();
  /** Those made since any may have been left out, and not heard yet. */
  due: string[] = [];
  gaps = 0;
  events = 0;

  constructor(target: WatchTarget, written: readonly Written[]) {
    this.target = target;
    this.#written = written;
  }

  /** All that is written was told. */
  get isUpToDate(): boolean {
    return this.#told === this.#concerning.length;
  }

  get #concerning(): readonly Written[] {
    return this.#written.filter(({ key }) => this.concerns(key));
  }

  concerns(key: string): boolean {
    return "key" in this.target ? key === this.target.key : key.startsWith(this.target.prefix);
  }

  /** The next watch begins behind `cursor`. */
  begins(cursor: string | undefined): void {
    this.cursor = cursor;
    this.heard.clear();
    this.due = [];
    this.#standsAt(cursor);
  }

  take(item: WatchItem): void {
    this.cursor = item.cursor;
    if (item.kind === "missed") this.due = [];
    else if (item.kind === "gap") {
      this.gaps++;
      this.#told = undefined;
      this.state.clear();
    } else if (item.kind === "snapshot") {
      if (item.first) this.state.clear();
      this.#told = undefined;
      for (const { key, payload } of item.entries) this.state.set(key, textOf(payload));
      if (item.done) this.#standsAt(item.cursor);
    } else if (textOf(item.payload)?.startsWith("passing")) this.#hear(textOf(item.payload) ?? "");
    else this.#event(item);
  }

  #hear(text: string): void {
    if (this.heard.has(text)) throw new Error(`${text} was told twice`);
    this.heard.add(text);
    this.due = this.due.filter((one) => one !== text);
  }

  #event(item: Extract<WatchItem, { revision: number }>): void {
    const { revision, kind, key, payload } = item;
    const value = textOf(payload);
    if (this.#told !== undefined) {
      // No hole, nothing twice, nothing out of order.
      const next = this.#concerning[this.#told];
      const [told, due] = [{ revision, kind, key, value }, next].map((one) =>
        one === undefined ? "nothing" : `${one.revision} ${one.kind} ${one.key} ${one.value}`,
      );
      if (told !== due) throw new Error(`told ${told}, next is ${due}`);
      this.#told++;
      this.events++;
      const isLast = this.#concerning[this.#told]?.revision !== revision;
      if (isLast && Number(item.cursor?.split(".")[1]) < revision) {
        throw new Error(`the cursor of ${told} is ${item.cursor}`);
      }
    }
    if (kind === "set") this.state.set(key, value);
    else if (kind === "delete") this.state.delete(key);
  }

  #standsAt(cursor: string | undefined): void {
    const revision = Number(cursor?.split(".")[1]);
    const told =
      cursor === undefined ? undefined : this.#concerning.filter((one) => one.revision <= revision).length;
    if (told !== undefined && this.#told !== undefined && told > this.#told) {
      throw new Error(`${cursor} says that ${told} were told, and it was ${this.#told}`);
    }
    this.#told = told;
  }

  checkEnd(): void {
    if (this.due.length > 0) throw new Error(`${this.due[0]} was left out in silence`);
    const state = new Map<string, string | undefined>();
    for (const { kind, key, value } of this.#concerning) {
      if (kind === "set") state.set(key, value);
      else if (kind === "delete") state.delete(key);
    }
    const [is, told] = [state, this.state].map((one) => JSON.stringify([...one].sort()));
    if (is !== told) throw new Error(`the state is ${is}, it was told ${told}`);
  }
}

function textOf(payload: Payload | undefined): string | undefined {
  return payload === undefined ? undefined : fromUtf8(payload.bytes);
}

/** An application with the watch that it has now, read an item at a time. */
class Reader {
  readonly #bus: Pick<WatchBus, "watch">;
  readonly #bed: NodeBed;
  readonly app: Application;
  #watch: Watch | undefined;
  #steps: AsyncIterator<readonly WatchItem[]> | undefined;
  #next: Promise<void> | undefined;
  #waiting: WatchItem[] = [];
  failure: unknown;

  constructor(bus: Pick<WatchBus, "watch">, bed: NodeBed, app: Application) {
    this.#bus = bus;
    this.#bed = bed;
    this.app = app;
  }

  /** Lets go of the watch, and opens the next where the last item was, or where the watch says that it was read to. */
  async reopen(random: Seeded): Promise<void> {
    const cursor = random.below(2) === 0 ? this.#watch?.cursor : this.app.cursor;
    this.#watch?.end();
    await this.#next;
    this.#waiting = [];
    this.app.begins(cursor);
    const opening = this.#bus.watch(this.app.target, {
      from: cursor === undefined ? "snapshot" : { cursor },
    });
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

  /** Takes so many items of those that wait, or begins to wait for the next. */
  read(count = Number.POSITIVE_INFINITY): void {
    if (this.#waiting.length > 0) {
      for (const item of this.#waiting.splice(0, count)) this.app.take(item);
      return;
    }
    this.#next ??= this.#steps?.next().then(
      ({ value = [] }) => {
        this.#waiting = [...value];
        this.#next = undefined;
      },
      (error: unknown) => {
        this.failure = error;
      },
    );
  }
}

/** How applications watch. */
export type Way = (bed: NodeBed, delayMs: number) => { bus: Pick<WatchBus, "watch">; wire: VirtualWire };

/** As a node does. */
export const byNode: Way = (bed, delayMs) => {
  const { client, wire } = bed.node({ delayMs });
  return { bus: shardWatchBus({ client, timers: bed.clock }), wire };
};

/** As `warp-edge/client` does. */
export const byClient: Way = (bed, delayMs) => {
  const { clock } = bed;
  const wire = new VirtualWire(clock, (end) => bed.accept(end, { follows: false }), delayMs);
  const client = loadedClient({
    url: "http://warp.test",
    space: "test",
    codec: payloadCodec as Codec<unknown>,
    host: {
      clock,
      elapsed: clock,
      timers: clock,
      random: seeded(7),
      sockets: wire,
      fetch: async () => new Response(),
    },
  });
  const watch = async (target: WatchTarget, { from = "now" }: WatchOptions = {}): Promise<Watch> => {
    const live = client.watch<Payload>(target, { from });
    await live.ready;
    let taken = live.cursor;
    return {
      // What was handed over counts as taken once more is asked for, as with the bus.
      get cursor() {
        return taken;
      },
      end: () => live.close(),
      async *[Symbol.asyncIterator]() {
        for await (const item of live) {
          yield [toItem(item)];
          taken = item.cursor;
        }
      },
    };
  };
  return { bus: { watch }, wire };
};

function toItem(item: WatchedItem<Payload>): WatchItem {
  const told =
    item.kind === "snapshot" ? { ...item, entries: item.entries.map(withPayload) } : withPayload(item);
  return told as unknown as WatchItem;
}

function withPayload({ value, ...rest }: object & { readonly value?: Payload | undefined }): object {
  return value === undefined ? rest : { ...rest, payload: value };
}

/** One run: a shard whose instances end, a wire that is cut, a log that is trimmed, and two applications. Throws what was wrong; gives how much happened. */
export async function resumeRun(
  sql: Sql,
  seed: number,
  way: Way = byNode,
): Promise<{ readonly gaps: number; readonly events: number }> {
  const random = seeded(seed);
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
  const opId = () => scopeOpId("bed", uuidv7(clock, random));
  const payloadOf = (text: string) => ({ bytes: utf8(text), contentType: "text/plain" });
  let count = 0;
  const { bus, wire } = way(bed, 1 + random.below(2) * 8);
  const publisher = shardWatchBus({ client: writer, timers: clock });
  const targets: readonly WatchTarget[] = [{ prefix: "k" }, { key: "k1" }, { prefix: "" }];
  const readers = targets.map((target) => new Reader(bus, bed, new Application(target, written)));
  const write = async (): Promise<void> => {
    const key = `k${random.below(12)}`;
    const what = random.below(10);
    const value = `${++count}${"x".repeat(random.below(60))}`;
    if (what === 0) {
      const [position] = await publisher.publish({ key }, payloadOf(value), { opId: opId(), retained: true });
      written.push({ revision: position?.revision ?? 0, kind: "publish", key, value });
    } else if (what === 1) {
      const text = `passing ${count}`;
      for (const { app } of readers) if (app.concerns(key)) app.due.push(text);
      await publisher.publish({ key }, payloadOf(text), { opId: opId() });
    } else if (what < 4) {
      const parts = ["k1", "k5", "k9"];
      const { answer } = await writer.transact({
        opId: opId(),
        compare: [],
        success: parts.map((part) => ({ kind: "set", key: part, payload: payloadOf(value) })),
        failure: [],
      });
      if (answer.outcome !== "ok") throw new Error("the transaction failed");
      for (const part of parts) written.push({ revision: answer.revision, kind: "set", key: part, value });
    } else {
      const isDelete = what === 4;
      const [answers] = await writer.mutate([
        isDelete
          ? { kind: "delete", opId: opId(), key }
          : { kind: "set", opId: opId(), key, payload: payloadOf(value) },
      ]);
      const verdict = answers?.[0].answer;
      if (verdict?.outcome !== "ok") throw new Error("the write failed");
      const entry = isDelete
        ? ({ kind: "delete", value: undefined } as const)
        : ({ kind: "set", value } as const);
      // A delete of what is not there changes nothing.
      if (verdict.revision > 0) written.push({ revision: verdict.revision, key, ...entry });
    }
  };
  for (let i = random.below(20); i >= 0; i--) await write();
  for (const reader of readers) await reader.reopen(random);
  for (let step = 0; step < 60; step++) {
    const dice = random.below(20);
    if (dice === 0) wire.cut();
    else if (dice === 1) bed.restart(random.below(2) === 0);
    else if (dice === 2) {
      await clock.advance(400_000);
      await write();
    } else if (dice === 3) await random.pick(readers).reopen(random);
    else if (dice === 4) {
      // It goes away in the middle of what it was handed.
      const reader = random.pick(readers);
      reader.read();
      await clock.advance(20);
      reader.read(1 + random.below(2));
      await reader.reopen(random);
    } else if (dice < 7) await clock.advance(random.below(40));
    else if (dice < 12) random.pick(readers).read(1 + random.below(6));
    else await write();
  }
  await clock.advance(60_000);
  for (const reader of readers) {
    for (let turns = 0; turns < 100 || (!reader.app.isUpToDate && turns < 300); turns++) {
      reader.read();
      await clock.advance(20);
    }
    if (reader.failure !== undefined) throw reader.failure;
    reader.app.checkEnd();
  }
  if (bed.reported.length > 0) throw bed.reported[0];
  const sum = (of: (app: Application) => number) => readers.reduce((all, { app }) => all + of(app), 0);
  return { gaps: sum(({ gaps }) => gaps), events: sum(({ events }) => events) };
}
