import { memoryBacking } from "../../../src/backing/memory/memory-backing.ts";
import type { MemoryCall, MemoryFault } from "../../../src/backing/memory/memory-faults.ts";
import { formatETag } from "../../../src/protocol/position.ts";
import { isRefusal, type Mutation, type Refusal, scopeOpId } from "../../../src/protocol/shard-api.ts";
import type { StoredEntry } from "../../../src/protocol/stored.ts";
import { fromUtf8, utf8 } from "../../../src/runtime/bytes.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import { blob, type Sql } from "../../../src/runtime/sql.ts";
import { dropAll } from "../../../src/shard/schema.ts";
import { Shard } from "../../../src/shard/shard.ts";
import { memoryRegistry } from "../../support/backed-shard.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";
import { VolatileSql } from "../../support/strong-world/volatile-sql.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { ObservedStorage } from "./observed-storage.ts";

const words = ["p:a", "p:b", "q:c", "q:d"];
const numbers = ["n:e", "n:f"];
const keys = [...words, ...numbers];
const merging = { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, merge: "sum" } as const;
const storageCodes = ["storage_unavailable", "storage_timeout", "decode_failed", "warp_closed"];

/** What a world came to, for figures. */
export interface SupplyRun {
  reads: number;
  absences: number;
  refusals: number;
  adopted: number;
  foreign: number;
  noticed: number;
  merges: number;
  drops: number;
  instances: number;
}

interface Begun {
  readonly tick: number;
  readonly atMs: number;
  readonly sql: VolatileSql;
  /** Keys whose end the storage had yet to hear of. */
  readonly ending: ReadonlySet<string>;
  /** Keys of which it had yet to hear something. */
  readonly waiting: ReadonlySet<string>;
}

/** An invalidation that was answered: what was seen before it began says nothing any more. */
interface Invalidated {
  readonly begun: number;
  readonly answered: number;
  readonly covers: (key: string) => boolean;
}

interface State {
  readonly revision: number;
  /** Undefined: absent. */
  readonly text: string | undefined;
}

/**
 * A shard that keeps few or no values, before a storage into which others write too. Calls to the storage are late or lost, instances end at any moment, with or without
 * what was not durable. Every answer is held against the shard's log, which has the value of each version, and against what the storage was seen to have.
 */
export class SupplyWorld {
  readonly figures: SupplyRun = {
    reads: 0,
    absences: 0,
    refusals: 0,
    adopted: 0,
    foreign: 0,
    noticed: 0,
    merges: 0,
    drops: 0,
    instances: 0,
  };
  readonly trace: string[] = [];
  readonly #seed: number;
  readonly #random: Seeded;
  readonly #clock = virtualClock(1_700_000_000_000);
  readonly #raw: Sql;
  readonly #storage = new ObservedStorage();
  readonly #keepBytes: number | undefined;
  #sql: VolatileSql;
  #shard: Shard;
  #alarmMs: number | undefined;
  #weather: "fair" | "slow" | "tired" | "lossy" | "down" = "fair";
  #spaceId: string | undefined;
  #registrations = 0;
  #invalidated: Invalidated[] = [];
  /** For each key when its last deletion that was acknowledged had begun, and where the log was by its end. */
  #deleted = new Map<string, { readonly begun: number; readonly revision: number }>();
  #values = 0;
  #checkedTo = 0;
  #trouble: Error | undefined;

  constructor(sql: Sql, seed: number) {
    this.#raw = sql;
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#keepBytes = this.#random.pick([0, 0, 8, undefined]);
    this.#storage.nowMs = () => this.#clock.now();
    this.#storage.looked = (key, text) => this.#note(`looked: ${key} ${text}`);
    this.#storage.changedAt = (key) => this.#stateAt(key, Number.MAX_SAFE_INTEGER).revision;
    this.#sql = new VolatileSql(sql);
    this.#shard = this.#start();
  }

  async run(steps = 150): Promise<SupplyRun> {
    await this.#found();
    for (let step = 0; step < steps; step++) {
      await this.#step();
      this.#checkLog();
      if (this.#trouble !== undefined) throw this.#trouble;
    }
    await this.#heal();
    if (this.#trouble !== undefined) throw this.#trouble;
    return this.figures;
  }

  async #found(): Promise<void> {
    await this.#insist(async () => {
      const keep = this.#keepBytes === undefined ? {} : { keepBytes: this.#keepBytes };
      const reply = await this.#shard.createSpace("test", {
        storage: { name: "memory", write: "behind", ...keep },
      });
      if (isRefusal(reply)) return false;
      this.#spaceId = reply.space.id;
      const registered = await this.#shard.register({ ...this.#scope(), pattern: "n:*", settings: merging });
      if (isRefusal(registered)) return false;
      this.#registrations = registered.registrations;
      return true;
    });
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const die = random.below(100);
    if (die < 34) this.#read();
    else if (die < 50) this.#write();
    else if (die < 58) this.#merge();
    else if (die < 66) this.#transact();
    else if (die < 78) this.#foreign();
    else if (die < 86) this.#invalidate();
    else if (die < 90) {
      this.#weather = random.pick(["fair", "fair", "slow", "tired", "tired", "lossy", "down"]);
      this.#note(`weather: ${this.#weather}`);
    } else if (die < 92) this.#end();
    else if (die < 95) this.#list();
    await this.#pass(random.pick([0, 0, 1, 3, 10, 40, 200, 2_000, random.below(40) === 0 ? 61_000 : 5]));
  }

  async #pass(ms: number): Promise<void> {
    const untilMs = this.#clock.now() + ms;
    do {
      if (this.#random.below(3) > 0) this.#sql.flush();
      await this.#clock.advance(
        Math.min(this.#random.below(ms > 1_000 ? 1_000 : 20), Math.max(0, untilMs - this.#clock.now())),
      );
      if (this.#alarmMs !== undefined && this.#alarmMs <= this.#clock.now()) {
        this.#alarmMs = undefined;
        void this.#shard.onAlarm().catch(() => {});
      }
    } while (this.#clock.now() < untilMs);
    await this.#clock.settle();
  }

  // What goes on.

  #read(): void {
    const random = this.#random;
    const asked = keys.filter(() => random.below(3) === 0);
    if (asked.length === 0) return;
    const strong = random.below(3) === 0 ? { strong: true as const } : {};
    this.#call(
      `read ${asked.join()}`,
      (shard) => shard.read({ ...this.#scope(), keys: asked, ...strong }),
      (reply, begun) => {
        for (const [at, key] of asked.entries())
          this.#checkEntry(key, reply.entries[at] ?? null, reply.asOf, begun);
      },
    );
  }

  #list(): void {
    this.#call(
      "list",
      (shard) => shard.list({ ...this.#scope(), prefix: "p:", limit: 10, values: true }),
      (reply) => {
        for (const { key, payload, version } of reply.items) {
          const state = this.#stateAt(key, reply.asOf);
          if (payload === undefined) this.#fail(`${key} was listed without its value`);
          else if (state.text !== fromUtf8(payload.bytes) || state.revision !== version)
            this.#fail(`${key} was listed as ${fromUtf8(payload.bytes)}@${version}, it was ${show(state)}`);
        }
      },
    );
  }

  #write(): void {
    const random = this.#random;
    const key = random.pick(words);
    const opId = this.#opId();
    const die = random.below(10);
    const when =
      die < 2
        ? ({ noneOf: "*" } as const)
        : die < 4
          ? ({ anyOf: "*" } as const)
          : die < 5
            ? { anyOf: [formatETag(this.#epoch(), this.#stateAt(key, Number.MAX_SAFE_INTEGER).revision)] }
            : undefined;
    const condition = when === undefined ? {} : { when };
    const mutation: Mutation =
      random.below(4) === 0
        ? { kind: "delete", opId, key, ...condition }
        : {
            kind: "set",
            opId,
            key,
            payload: this.#text(`v${++this.#values}`),
            ...condition,
            ...(random.below(6) === 0 ? { expiresInMs: 1 + random.below(3_000) } : {}),
            ...(random.below(3) === 0 ? { tags: ["t"] } : {}),
          };
    this.#call(
      `${mutation.kind} ${key} ${when === undefined ? "" : JSON.stringify(when)}`,
      (shard) => shard.mutate({ ...this.#scope(), mutations: [mutation] }),
      ({ verdicts: [verdict], asOf }, begun) => {
        if (verdict?.outcome !== "ok") return;
        const { revision, existed } = verdict;
        const before = this.#stateAt(key, revision === 0 ? asOf : revision - 1);
        if (revision > 0 && this.#opIdAt(revision) !== opId) this.#fail(`${key}@${revision} is another's`);
        if (when !== undefined && "noneOf" in when) {
          if (before.text !== undefined) this.#fail(`${key} was created over ${show(before)}`);
          this.#justify(key, begun, "was created");
        }
        if (when !== undefined && "anyOf" in when && before.text === undefined && revision > 0)
          this.#fail(`${key} was changed as if it were there`);
        if (existed && before.text === undefined && revision > 0) this.#fail(`${key} did not exist`);
        if (mutation.kind === "delete")
          this.#deleted.set(key, { begun: begun.tick, revision: revision === 0 ? asOf : revision });
      },
    );
  }

  #merge(): void {
    const key = this.#random.pick(numbers);
    const operand = 1 + this.#random.below(9);
    const opId = this.#opId();
    this.#call(
      `merge ${key} ${operand}`,
      (shard) =>
        shard.mutate({
          ...this.#scope(),
          mutations: [
            {
              kind: "merge",
              opId,
              key,
              operand: { bytes: utf8(String(operand)), contentType: "application/json" },
            },
          ],
        }),
      ({ verdicts: [verdict] }, begun) => {
        if (verdict?.outcome !== "ok") return this.#fail(`${key} was not merged: ${JSON.stringify(verdict)}`);
        this.figures.merges++;
        const before = this.#stateAt(key, verdict.revision - 1);
        const after = this.#stateAt(key, verdict.revision);
        if (before.text === undefined) this.#justify(key, begun, "was merged with nothing");
        if (Number(after.text) !== Number(before.text ?? 0) + operand)
          this.#fail(`${key} went from ${show(before)} by ${operand} to ${show(after)}`);
      },
    );
  }

  #transact(): void {
    const key = this.#random.pick(words);
    const other = this.#random.pick(words.filter((one) => one !== key));
    const guess = this.#stateAt(key, Number.MAX_SAFE_INTEGER).text ?? "nothing";
    this.#call(
      `transact ${key}=${guess} ${other}`,
      (shard) =>
        shard.transact({
          ...this.#scope(),
          transaction: {
            opId: this.#opId(),
            compare: [{ key, value: utf8(guess) }],
            success: [
              { kind: "set", key, payload: this.#text(`v${++this.#values}`) },
              { kind: "get", key: other },
            ],
            failure: [{ kind: "get", key }],
          },
        }),
      ({ verdict, asOf }, begun) => {
        if (verdict.outcome !== "ok") return;
        const at = verdict.succeeded ? verdict.revision : asOf;
        const compared = this.#stateAt(key, verdict.succeeded ? at - 1 : at);
        if (verdict.succeeded !== (compared.text === guess))
          this.#fail(`${key} was compared with ${guess}, it was ${show(compared)}`);
        for (const result of verdict.results)
          if (result.kind === "get") this.#checkEntry(result.key, result.entry, at, begun);
      },
    );
  }

  #foreign(): void {
    const key = this.#random.pick(keys);
    const isGone = this.#random.below(4) === 0;
    const text = numbers.includes(key) ? String(1_000 * ++this.#values) : `f${++this.#values}`;
    this.figures.foreign++;
    this.#storage.act(key, isGone ? undefined : text);
    this.#note(`others: ${key} ${isGone ? "removed" : text}`);
  }

  #invalidate(): void {
    const random = this.#random;
    const key = random.pick(keys);
    const opId = this.#opId();
    const [mutation, covers] = random.pick<readonly [Mutation, (key: string) => boolean]>([
      [{ kind: "invalidate", opId, key }, (one) => one === key],
      [{ kind: "invalidatePrefix", opId, prefix: key.slice(0, 2) }, (one) => one.startsWith(key.slice(0, 2))],
      [{ kind: "invalidatePrefix", opId, prefix: "" }, () => true],
      // What tags a key has that is not here, nobody knows; of those that are here the checks don't say.
      [{ kind: "invalidateTag", opId, tag: "t" }, () => false],
    ]);
    this.#call(
      `${mutation.kind} ${key}`,
      (shard) => shard.mutate({ ...this.#scope(), mutations: [mutation] }),
      ({ verdicts: [verdict] }, { tick }) => {
        if (verdict?.outcome !== "ok")
          return this.#fail(`an invalidation failed: ${JSON.stringify(verdict)}`);
        this.#invalidated.push({ begun: tick, answered: ++this.#storage.tick, covers });
      },
    );
  }

  #call<R extends object>(
    what: string,
    send: (shard: Shard) => Promise<R | Refusal>,
    told: (reply: Exclude<R, Refusal>, begun: Begun) => void,
  ): void {
    const begun: Begun = {
      tick: ++this.#storage.tick,
      atMs: this.#clock.now(),
      sql: this.#sql,
      ending: new Set(keys.filter((key) => this.#isEnding(key))),
      waiting: new Set(keys.filter((key) => this.#isPending(key))),
    };
    this.#note(`${begun.tick} ${what}`);
    const ended = (reply: R | Refusal): void => {
      // What an instance that is not any more would say reaches nobody.
      if (begun.sql.state !== "alive") return;
      if (isRefusal(reply)) {
        this.figures.refusals++;
        this.#note(`${begun.tick} refused: ${reply.refused.code}`);
        if (!storageCodes.includes(reply.refused.code)) this.#fail(`${what}: ${reply.refused.message}`);
        return;
      }
      this.#note(`${begun.tick} answered: ${brief(reply)}`);
      told(reply as Exclude<R, Refusal>, begun);
    };
    void send(this.#shard)
      .then(ended, (error: unknown) => {
        if (begun.sql.state === "alive") this.#fail(`${what}: ${String(error)}`);
      })
      .catch((error: unknown) => {
        this.#trouble ??= error as Error;
      });
  }

  // What must hold.

  /** An answer is what the log says; what the log has never heard of, or has ended, the storage must have been asked for. */
  #checkEntry(key: string, entry: StoredEntry | null, asOf: number, begun: Begun): void {
    this.figures.reads++;
    const state = this.#stateAt(key, asOf);
    const text = entry === null ? undefined : fromUtf8(entry.payload.bytes);
    if (text !== state.text || (entry !== null && entry.version !== state.revision))
      this.#fail(`${key} was answered as ${text}@${entry?.version}, at ${asOf} it was ${show(state)}`);
    if (entry === null) {
      this.figures.absences++;
      this.#justify(key, begun, "was said to be absent");
    }
    this.#checkNoticed(key, text, begun);
  }

  /** The storage was seen not to have a key, recently and since the last invalidation; or it has yet to hear that it is gone. */
  #justify(key: string, begun: Begun, what: string): void {
    const since = this.#invalidatedBefore(key, begun);
    const looks = this.#storage.looks.get(key) ?? [];
    const isSeen = looks.some(
      ({ tick, atMs, text }) => tick > since && atMs >= begun.atMs - 60_000 && text === undefined,
    );
    // It waits for the storage, or did when the call began, or was carried out there since.
    const ended = this.#storage.ended.get(key) ?? 0;
    if (isSeen || this.#isEnding(key) || begun.ending.has(key) || ended > begun.tick) return;
    this.#fail(`${key} ${what}, and nobody has looked`);
  }

  /** What others did is seen by whoever reads after an invalidation, unless the shard's own writes came after it. */
  #checkNoticed(key: string, text: string | undefined, begun: Begun): void {
    const act = this.#storage.acts.get(key);
    if (act === undefined || act.tick > this.#invalidatedBefore(key, begun)) return;
    if (this.#storage.text(key) !== act.text) return;
    // An own write that waits (or did when the call began), or that came there since they acted, is newer.
    if (begun.waiting.has(key) || this.#isPending(key) || (this.#storage.told.get(key) ?? 0) > act.tick)
      return;
    this.figures.noticed++;
    if (text !== act.text) this.#fail(`${key} was answered as ${text}, others had made it ${act.text}`);
  }

  /** Each adoption is of something that was seen in the storage after the key's last change; what was deleted does not come back. */
  #checkLog(): void {
    const head = Number(this.#raw.all("SELECT max(revision) AS head FROM log")[0]?.head ?? 0);
    // What was not durable may have been lost with its instance.
    this.#checkedTo = Math.min(this.#checkedTo, head);
    const rows = this.#raw.all(
      "SELECT revision, kind, key, op_id, value FROM log WHERE revision > ? AND op_id IS NULL AND kind IN ('set', 'delete') ORDER BY revision, seq",
      this.#checkedTo,
    );
    this.#checkedTo = head;
    for (const row of rows) {
      const key = fromUtf8(blob(row.key));
      if (this.#isOfTransaction(Number(row.revision))) continue;
      const text = row.kind === "set" ? fromUtf8(blob(row.value)) : undefined;
      this.figures.adopted++;
      const before = this.#stateAt(key, Number(row.revision) - 1);
      // What the storage had lost from sight was told to it once more.
      if (text !== undefined && text === before.text) continue;
      const looks = this.#storage.looks.get(key) ?? [];
      const look = looks.find((one) => one.text === text && one.changedAt === before.revision);
      if (look === undefined)
        this.#fail(`${key}@${row.revision} was adopted as ${text} over ${show(before)}, which nobody saw`);
      const act = this.#storage.acts.get(key);
      const deleted = this.#deleted.get(key);
      const isAfter = deleted !== undefined && Number(row.revision) > deleted.revision;
      if (text !== undefined && act?.text === text && isAfter && deleted.begun > act.tick)
        this.#fail(`${key} was deleted and came back as ${text}`);
    }
  }

  /** Entries of transactions have no op id either. */
  #isOfTransaction(revision: number): boolean {
    const like = `%"revision":${revision},%`;
    return this.#raw.all("SELECT 1 FROM verdicts WHERE verdict LIKE ?", like).length > 0;
  }

  #stateAt(key: string, revision: number): State {
    const [row] = this.#raw.all(
      "SELECT revision, kind, value FROM log WHERE key = ? AND revision <= ? AND kind IN ('set', 'delete', 'expire') ORDER BY revision DESC, seq DESC LIMIT 1",
      utf8(key),
      revision,
    );
    if (row === undefined) return { revision: 0, text: undefined };
    return {
      revision: Number(row.revision),
      text: row.kind === "set" ? fromUtf8(blob(row.value)) : undefined,
    };
  }

  #opIdAt(revision: number): string {
    return String(this.#raw.all("SELECT op_id FROM log WHERE revision = ?", revision)[0]?.op_id);
  }

  #isEnding(key: string): boolean {
    return this.#raw.all("SELECT 1 FROM outbox WHERE version = 0 AND key = ?", utf8(key)).length > 0;
  }

  #isPending(key: string): boolean {
    return this.#raw.all("SELECT 1 FROM outbox WHERE key = ?", utf8(key)).length > 0;
  }

  #invalidatedBefore(key: string, { tick }: Begun): number {
    const ticks = this.#invalidated
      .filter(({ answered, covers }) => answered <= tick && covers(key))
      .map(({ begun }) => begun);
    return Math.max(0, ...ticks);
  }

  // The rest.

  #note(line: string): void {
    this.trace.push(`${this.#clock.now() - 1_700_000_000_000} ${line}`);
  }

  #text(value: string) {
    return { bytes: utf8(value), contentType: "text/plain" };
  }

  #epoch(): string {
    return String(this.#raw.all("SELECT value FROM meta WHERE name = 'epoch'")[0]?.value);
  }

  #scope() {
    return { space: "test", shard: 0, spaceId: this.#spaceId, registrations: this.#registrations };
  }

  #opId(): string {
    return scopeOpId("test", uuidv7(this.#clock, this.#random));
  }

  #end(): void {
    this.#note("the instance ends");
    this.#sql.die(this.#random.below(2) === 0);
    this.#sql = new VolatileSql(this.#raw);
    this.#shard = this.#start();
  }

  #start(): Shard {
    this.figures.instances++;
    const sql = this.#sql;
    const clock = this.#clock;
    return new Shard({
      sql,
      clock,
      random: this.#random,
      timers: {
        after: (delayMs, run) =>
          clock.after(delayMs, () => {
            if (sql.state === "alive") run();
          }),
      },
      alarm: {
        set: (atMs) => {
          this.#alarmMs = Math.min(this.#alarmMs ?? atMs, atMs);
        },
      },
      durable: () => sql.settled(),
      wipe: async () => dropAll(sql),
      databaseBytes: () => 0,
      home: () => this.#shard,
      maxValueBytes: 1_048_576,
      logMaxEntries: 100_000,
      logMaxAgeMs: 86_400_000,
      statics: [],
      backings: memoryRegistry(() =>
        memoryBacking({ clock, timers: clock, storage: this.#storage, faults: (call) => this.#fault(call) }),
      ),
    });
  }

  #fault(call: MemoryCall): MemoryFault | undefined {
    const random = this.#random;
    const late = random.below(6) === 0 ? { copyAfterMs: random.below(3_000) } : {};
    switch (this.#weather) {
      case "fair":
        return random.below(2) === 0
          ? undefined
          : { beforeMs: random.below(30), afterMs: random.below(30), ...late };
      // Reads are answered long after they were carried out, and much may have happened meanwhile.
      case "tired":
        return call === "read" ? { afterMs: random.below(4_900) } : undefined;
      case "slow":
        return { beforeMs: random.below(7_000), afterMs: random.below(3_000), ...late };
      case "lossy":
        return { beforeMs: random.below(20), lose: random.pick(["before", "after", "after"]), ...late };
      case "down":
        return { beforeMs: random.below(20), lose: "before" };
    }
  }

  /** All goes well again: in the end the shard says what the storage has. */
  async #heal(): Promise<void> {
    this.#weather = "fair";
    await this.#insist(async () => {
      // An alarm may have gone off for an instance that ended: a call wakes the next one.
      await this.#shard.usage(this.#scope());
      return this.#raw.all("SELECT 1 FROM outbox LIMIT 1").length === 0;
    });
    for (let second = 0; second < 20; second++) await this.#pass(1_000);
    await this.#insist(async () => {
      const reply = await this.#shard.mutate({
        ...this.#scope(),
        mutations: [{ kind: "invalidatePrefix", opId: this.#opId(), prefix: "" }],
      });
      return !isRefusal(reply);
    });
    await this.#insist(async () => {
      const reply = await this.#shard.read({ ...this.#scope(), keys });
      if (isRefusal(reply)) return false;
      for (const [at, key] of keys.entries()) {
        const entry = reply.entries[at];
        const text = entry ? fromUtf8(entry.payload.bytes) : undefined;
        if (text !== this.#storage.text(key))
          this.#fail(`in the end ${key} is ${text} here and ${this.#storage.text(key)} there`);
      }
      return true;
    });
    if (this.#keepBytes === undefined) return;
    for (let second = 0; second < 3; second++) await this.#pass(1_000);
    const [row] = this.#raw.all(
      "SELECT ifnull(sum(length(value)), 0) AS bytes, count(away) AS away FROM keys",
    );
    this.figures.drops += Number(row?.away);
    if (Number(row?.bytes) > this.#keepBytes)
      this.#fail(`${row?.bytes} bytes of values are kept, ${this.#keepBytes} are allowed`);
  }

  async #insist(done: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      const trial = { is: false };
      void done().then(
        (is) => {
          trial.is = is;
        },
        (error: unknown) => {
          if (error instanceof WorldError) this.#trouble ??= error;
        },
      );
      for (let wait = 0; wait < 10 && !trial.is; wait++) {
        this.#sql.flush();
        await this.#pass(200);
        if (this.#trouble !== undefined) throw this.#trouble;
      }
      if (trial.is) return;
    }
    this.#fail("it has not settled");
  }

  #fail(what: string): never {
    const error = new WorldError(`seed ${this.#seed}: ${what}`);
    this.#trouble ??= error;
    throw error;
  }
}

class WorldError extends Error {}

function show({ text, revision }: State): string {
  return `${text}@${revision}`;
}

function brief(reply: object): string {
  return JSON.stringify(reply, (_, value) => (value instanceof Uint8Array ? fromUtf8(value) : value)).slice(
    0,
    300,
  );
}
