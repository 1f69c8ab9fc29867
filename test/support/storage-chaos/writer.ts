import { setTimeout as sleep } from "node:timers/promises";
import { newOpId } from "../http-client.ts";
import type { Seeded } from "../seeded.ts";
import { type ChangeCall, type Ended, failed, isVerdict, type Value } from "../twin/calls.ts";
import type { IsolateNode } from "../twin/isolate.ts";

/** What was last told of a key that only one client writes. */
export interface KeyState {
  readonly value: Value;
  /** Of its last change. */
  readonly version: number;
}

/** What all clients of a run saw. */
export class ChaosTally {
  /** Writes that were acknowledged. */
  acked = 0;
  /** Attempts that ended as unknown, operations that had one, and how those became known. */
  unknown = 0;
  doubtful = 0;
  readonly resolved = new Map<string, number>();
  /** Refusals, and how attempts failed. */
  readonly codes = new Map<string, number>();
  readonly violations: string[] = [];

  count(in_: Map<string, number>, name: string): void {
    in_.set(name, (in_.get(name) ?? 0) + 1);
  }
}

type One = Extract<ChangeCall, { readonly do: "set" | "delete" | "merge" | "cas" }>;

/**
 * One client with keys of its own, one change after the other: so it knows what each of them is. It also adds to counters that all share. No change is left unknown: it is repeated
 * under its op id, or sealed, until it is known.
 */
export class ChaosWriter {
  readonly space: string;
  readonly states = new Map<string, KeyState>();
  /** What it has added to each counter. */
  readonly added = new Map<string, number>();
  readonly #name: string;
  readonly #keys: readonly string[];
  readonly #counters: readonly string[];
  readonly #isolates: readonly IsolateNode[];
  readonly #random: Seeded;
  readonly #tally: ChaosTally;
  #values = 0;

  constructor(options: {
    readonly space: string;
    readonly name: string;
    readonly keys: number;
    readonly counters: readonly string[];
    readonly isolates: readonly IsolateNode[];
    readonly random: Seeded;
    readonly tally: ChaosTally;
  }) {
    const { space, name, keys, counters, isolates, random, tally } = options;
    this.space = space;
    this.#name = name;
    this.#keys = Array.from({ length: keys }, (_, at) => `${name}:${at}`);
    this.#counters = counters;
    this.#isolates = isolates;
    this.#random = random;
    this.#tally = tally;
  }

  get keys(): readonly string[] {
    return this.#keys;
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      if (this.#random.below(5) === 0) {
        await this.#many();
        continue;
      }
      const call = this.#next();
      const ended = await this.#carryOut(call);
      if (ended === undefined) continue;
      if (ended.ok) this.#acknowledge(call, ended);
      else {
        this.#tally.count(this.#tally.codes, `${ended.code} refused`);
        // Its own keys are what it knows of them.
        if (ended.code === "precondition_failed") this.#wrong(call, "its comparison did not hold");
        await sleep(20 + this.#random.below(60));
      }
    }
  }

  #next(): One {
    const random = this.#random;
    const opId = newOpId();
    const dice = random.below(100);
    if (dice < 15)
      return { do: "merge", key: random.pick(this.#counters), amount: 1 + random.below(9), opId };
    // Some are written again and again.
    const key = random.below(4) === 0 ? random.pick(this.#keys) : (this.#keys[random.below(3)] ?? "");
    const value = ++this.#values;
    if (dice < 25) return { do: "delete", key, opId };
    if (dice < 40) return { do: "cas", key, expected: this.states.get(key)?.value ?? null, value, opId };
    return { do: "set", key, value, opId };
  }

  /** Its end; undefined: it was never carried out, and never will be. */
  async #carryOut(call: One): Promise<Ended | undefined> {
    let unknown = 0;
    for (let tries = 0; tries < 400; tries++) {
      const isolate = this.#random.pick(this.#isolates);
      if (unknown > 0 && this.#random.below(3) === 0) {
        const sealed = await this.#seal(isolate, call);
        if (sealed === undefined) continue;
        return sealed === "never" ? undefined : sealed;
      }
      const answer = await isolate.call({ ...call, timeoutMs: 8_000 });
      if (answer.ok || isVerdict(answer, unknown)) {
        if (unknown > 0)
          this.#tally.count(this.#tally.resolved, answer.ok ? "repeated" : "refused when repeated");
        return answer as Ended;
      }
      if (answer.outcome === "unknown") {
        this.#tally.unknown++;
        if (unknown++ === 0) this.#tally.doubtful++;
      }
      this.#tally.count(this.#tally.codes, `${answer.code} ${answer.outcome}`);
      await sleep(100 + this.#random.below(200));
    }
    this.#wrong(call, "it stayed unknown");
    return undefined;
  }

  /** Sets of several of its keys in one call, repeated until each is known. */
  async #many(): Promise<void> {
    const from = this.#random.below(this.#keys.length);
    let left = Array.from({ length: 6 }, (_, at): Extract<One, { do: "set" }> => {
      const key = this.#keys[(from + at) % this.#keys.length] ?? "";
      return { do: "set", key, value: ++this.#values, opId: newOpId() };
    });
    const doubtful = new Set<string>();
    for (let tries = 0; left.length > 0 && tries < 400; tries++) {
      if (tries > 0) await sleep(100 + this.#random.below(200));
      const isolate = this.#random.pick(this.#isolates);
      const sets = left.map(({ key, value, opId }) => ({ key, value, opId }));
      const answer = await isolate.call({ do: "batch", sets, opId: newOpId(), timeoutMs: 8_000 });
      const again: typeof left = [];
      for (const [at, call] of left.entries()) {
        const ended = answer.ok ? answer.ended[at] : answer;
        if (ended === undefined) throw new Error("fewer verdicts than operations");
        if (ended.ok || isVerdict(ended, doubtful.has(call.opId) ? 1 : 0)) {
          if (doubtful.has(call.opId)) this.#tally.count(this.#tally.resolved, "repeated in a batch");
          if (ended.ok) this.#acknowledge(call, ended);
          else this.#tally.count(this.#tally.codes, `${ended.code} refused`);
          continue;
        }
        if (ended.outcome === "unknown") {
          this.#tally.unknown++;
          if (!doubtful.has(call.opId)) this.#tally.doubtful++;
          doubtful.add(call.opId);
        }
        this.#tally.count(this.#tally.codes, `${ended.code} ${ended.outcome}`);
        again.push(call);
      }
      left = again;
    }
    for (const call of left) this.#wrong(call, "it stayed unknown");
  }

  /** Undefined: still not known. */
  async #seal(isolate: IsolateNode, { key, opId }: One): Promise<Ended | "never" | undefined> {
    const path = `/operations/${opId}/seal`;
    const told = await isolate.ask<{ state: string; version?: number; error?: { code: string } }>(
      "POST",
      path,
      {
        body: { key },
        timeoutMs: 8_000,
      },
    );
    if (!("state" in told)) {
      this.#tally.count(this.#tally.codes, `seal ${told.code}`);
      await sleep(100 + this.#random.below(200));
      return undefined;
    }
    this.#tally.count(this.#tally.resolved, `sealed: ${told.state}`);
    if (told.state === "ok") return { ok: true, version: told.version ?? 0, existed: true, replayed: true };
    if (told.state === "fail") return failed(told.error?.code ?? "", "as resolve tells", "fail");
    return told.state === "sealed" ? "never" : undefined;
  }

  #acknowledge(call: One, { version }: Extract<Ended, { ok: true }>): void {
    this.#tally.acked++;
    if (call.do === "merge") {
      this.added.set(call.key, (this.added.get(call.key) ?? 0) + call.amount);
      return;
    }
    const before = this.states.get(call.key);
    // A deletion has no version; what comes after it has a higher one than what was before.
    if (call.do === "delete") {
      this.states.set(call.key, { value: null, version: before?.version ?? 0 });
      return;
    }
    if (version <= (before?.version ?? 0)) this.#wrong(call, `version ${version} after ${before?.version}`);
    this.states.set(call.key, { value: call.value, version });
  }

  #wrong(call: One, what: string): void {
    this.#tally.violations.push(`${this.space}: ${this.#name}: ${JSON.stringify(call)}: ${what}`);
  }
}
