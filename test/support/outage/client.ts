import { setTimeout as sleep } from "node:timers/promises";
import { newOpId } from "../http-client.ts";
import type { Seeded } from "../seeded.ts";
import { type ChangeCall, type Ended, isVerdict, type TwinNode } from "../twin/calls.ts";
import { IsolateNode } from "../twin/isolate.ts";
import type { Notes } from "./notes.ts";

export interface OutageClientOptions {
  readonly name: string;
  readonly node: TwinNode;
  readonly notes: Notes;
  readonly random: Seeded;
  /** Keys of all clients, this one's among them. */
  readonly all: () => readonly string[];
  readonly isOver: () => boolean;
  /** In which part of the run we are: `before`, `outage`, `after`. */
  readonly phase: () => string;
}

export const counters = Array.from({ length: 6 }, (_, at) => `c:${at}`);
const timeoutMs = 2_500;

/** One client of one node with eventual keys of its own; it adds to shared counters and to a list of its own, and tries what must not work without the shard. */
export class OutageClient {
  readonly keys: readonly string[];
  readonly list: string;
  readonly #options: OutageClientOptions;
  #values: number;

  constructor(options: OutageClientOptions, number: number) {
    this.#options = options;
    this.keys = Array.from({ length: 4 }, (_, at) => `e:${options.name}:${at}`);
    this.list = `l:${options.name}`;
    this.#values = number * 1_000_000;
  }

  async run(): Promise<void> {
    const { isOver, random } = this.#options;
    while (!isOver()) {
      const dice = random.below(100);
      if (dice < 30) await this.#set();
      else if (dice < 40) await this.#merge(random.pick(counters), 1 + random.below(9));
      else if (dice < 48) await this.#merge(this.list, ++this.#values);
      else if (dice < 84) await this.#read();
      else await this.#strong();
      await sleep(random.below(60));
    }
  }

  async #set(): Promise<void> {
    const { random, notes, node } = this.#options;
    const key = random.pick(this.keys);
    const value = ++this.#values;
    const sentMs = performance.now();
    const ended = await this.#change({ do: "set", key, value, opId: newOpId() });
    const provisional = ended.provisional === true;
    notes.writes.push({ key, value, node: node.name, sentMs, ackMs: performance.now(), provisional });
  }

  async #merge(key: string, amount: number): Promise<void> {
    const { notes } = this.#options;
    await this.#change({ do: "merge", key, amount, opId: newOpId() });
    if (key === this.list) notes.append(key, String(amount));
    else notes.add(key, amount);
  }

  /** Repeats it until it is known; an eventual change is never refused for good. */
  async #change(call: ChangeCall & { do: "set" | "merge" }): Promise<Extract<Ended, { ok: true }>> {
    const { node, notes, phase } = this.#options;
    for (let unknown = 0; ; ) {
      const during = phase();
      const ended = (await node.call({ ...call, timeoutMs })) as Ended;
      if (ended.ok) {
        notes.end(node.name, during, call.do, ended.provisional === true ? "provisional" : "ok");
        return ended;
      }
      notes.end(node.name, during, call.do, `${ended.code} ${ended.outcome}`);
      if (ended.outcome === "unknown" && unknown++ === 0) notes.unknown++;
      if (isVerdict(ended, unknown) && !retryable.has(ended.code)) {
        notes.violations.push(`${node.name}: ${JSON.stringify(call)} was refused: ${JSON.stringify(ended)}`);
        throw new Error(`${node.name}: ${call.key}: ${ended.code}: ${ended.message}`);
      }
      await sleep(200);
    }
  }

  async #read(): Promise<void> {
    const { node, notes, phase, random, all } = this.#options;
    const key = random.below(3) === 0 ? random.pick(this.keys) : random.pick(all());
    const during = phase();
    const sentMs = performance.now();
    const answer = await node.call({ do: "get", key, timeoutMs });
    if (!answer.ok) {
      notes.end(node.name, during, "get", answer.code);
      return;
    }
    const { value, cache, stale, provisional } = answer.seen;
    const marked = stale || provisional === true;
    notes.end(node.name, during, "get", marked ? "marked" : cache === "hit" ? "fresh copy" : "loaded");
    notes.reads.push({ key, value, node: node.name, sentMs, ackMs: performance.now(), cache, marked });
  }

  /** What needs the shard. */
  async #strong(): Promise<void> {
    const { node, notes, phase, random } = this.#options;
    const during = phase();
    const key = `s:${random.below(4)}`;
    const opId = newOpId();
    const value = ++this.#values;
    const dice = random.below(5);
    const told = (kind: string, answer: { readonly ok: boolean; readonly code?: string }): void =>
      notes.end(
        node.name,
        phase() === during ? during : "between",
        kind,
        answer.ok ? "ok" : (answer.code ?? ""),
      );
    if (dice === 0) told("strong set", await node.call({ do: "set", key, value, opId, timeoutMs }));
    else if (dice === 1) told("strong get", await node.call({ do: "get", key, timeoutMs }));
    else if (dice === 2) {
      const answer = await node.call({
        do: "cas",
        key: random.pick(this.keys),
        expected: -1,
        value,
        opId,
        timeoutMs,
      });
      // That it does not hold is an answer of the shard's.
      told("compare", !answer.ok && answer.code === "precondition_failed" ? { ok: true } : answer);
    } else if (dice === 3) {
      const success = [{ op: "set", key: `t:${random.below(4)}`, value } as const];
      told("transaction", await node.call({ do: "txn", compare: [], success, failure: [], opId, timeoutMs }));
    } else if (node instanceof IsolateNode) {
      const path = `/locks/${encodeURIComponent(`lock:${this.list}`)}`;
      const body = { owner: this.#options.name, ttlMs: 1_000 };
      const answer = await node.ask<{ fence: number }>("POST", path, { body, timeoutMs });
      const isHeld = "ok" in answer && (answer.code === "lock_held" || answer.code === "not_owner");
      told("lock", "ok" in answer && !isHeld ? answer : { ok: true });
    }
  }
}

const retryable: ReadonlySet<string> = new Set([
  "unavailable",
  "overloaded",
  "deadline_exceeded",
  "storage_unavailable",
  "storage_timeout",
  "aborted",
  "session_ended",
]);
