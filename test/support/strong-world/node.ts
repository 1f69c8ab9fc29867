import type { ReadReply } from "../../../src/protocol/shard-api.ts";
import type { Invalidation } from "../../../src/shard/members.ts";

/** What a shard sends to a session, in order. */
export type Message =
  | {
      readonly t: "read";
      readonly keys: readonly string[];
      readonly reply: ReadReply;
      readonly seen: readonly number[];
    }
  | { readonly t: "inv"; readonly n: number; readonly invalidation: Invalidation }
  | { readonly t: "lease"; readonly sentAtMs: number; readonly leaseMs: number };

/** A node with an L1 of strong keys, as the rules for nodes have it, and no kinder to the shard than they ask. */
export class ModelNode {
  readonly name: string;
  /** How fast its clock runs. */
  readonly rate: number;
  session = "";
  inbox: Message[] = [];
  /** The highest invalidation that it has carried out and not acknowledged. */
  unsaid: number | undefined;
  readonly #copies = new Map<string, { readonly version: number; readonly text: string }>();
  readonly #floors = new Map<string, number>();
  #floor = 0;
  #servesUntilMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, rate: number) {
    this.name = name;
    this.rate = rate;
  }

  /** A new session: nothing of before counts. */
  begin(session: string): void {
    this.session = session;
    this.inbox = [];
    this.unsaid = undefined;
    this.#copies.clear();
    this.#servesUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** It serves nothing any more, whatever is still on its way to it. */
  stop(): void {
    this.inbox = [];
    this.#servesUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Its own time at `nowMs`. */
  time(nowMs: number): number {
    return nowMs * this.rate;
  }

  take(message: Message): void {
    if (message.t === "lease") {
      this.#servesUntilMs = Math.max(this.#servesUntilMs, message.sentAtMs + message.leaseMs * 0.99);
    } else if (message.t === "inv") {
      const { keys, prefixes, revision } = message.invalidation;
      for (const key of keys) {
        this.#copies.delete(key);
        this.#floors.set(key, Math.max(revision, this.#floors.get(key) ?? 0));
      }
      for (const prefix of prefixes) {
        for (const key of [...this.#copies.keys()]) if (key.startsWith(prefix)) this.#copies.delete(key);
      }
      if (prefixes.length > 0) this.#floor = Math.max(this.#floor, revision);
      this.unsaid = message.n;
    } else {
      for (const at of message.reply.held ?? []) {
        const key = message.keys[at] ?? "";
        const entry = message.reply.entries[at];
        const floor = Math.max(this.#floor, this.#floors.get(key) ?? 0);
        if (entry == null || message.reply.asOf < floor) continue;
        if (entry.version < (this.#copies.get(key)?.version ?? 0)) continue;
        this.#copies.set(key, {
          version: entry.version,
          text: new TextDecoder().decode(entry.payload.bytes),
        });
      }
    }
  }

  /** What it would answer from its L1. */
  serve(key: string, nowMs: number): { readonly version: number; readonly text: string } | undefined {
    return this.time(nowMs) < this.#servesUntilMs ? this.#copies.get(key) : undefined;
  }
}
