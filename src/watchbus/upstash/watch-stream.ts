import type { CallLimits } from "../../runtime/call-limits.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { Random } from "../../runtime/random.ts";
import { spacePrefix } from "../../upstash/keys.ts";
import { listOf, type Reply, stringOf } from "../../upstash/reply.ts";
import { asUnreachable } from "../../upstash/unreachable.ts";
import type { UpstashRedis } from "../../upstash/upstash-redis.ts";
import { readPlace, readWatchEntry, type StreamPlace, type WatchEntry } from "./watch-entry.ts";
import { appendScript, headScript, lookScript, readScript } from "./watch-scripts.ts";

/** The place of an entry, with what tells that it is the very one; without `id`: behind all of that revision. */
export interface WatchPlace extends StreamPlace {
  readonly epoch: string;
  readonly id: string | undefined;
}

/** What is to be appended. */
export interface Append {
  /** By what it is remembered; undefined: it is told and not kept. */
  readonly kept: { readonly minute: number; readonly opId: string; readonly print: string } | undefined;
  readonly text: string;
}

/** What became of it. `reused`: its op id was another's. */
export type Appended = { readonly epoch: string; readonly revision: number } | "reused";

/** The stream of a space's watches: `warp:{space}:watch`, of a bounded length. All calls throw `unavailable`, `deadline_exceeded`. */
export class WatchStream {
  readonly #redis: UpstashRedis;
  readonly #random: Random;
  readonly #keys: readonly [string];
  readonly #maxEntries: number;
  /** The newest revision that any answer has named, of the last epoch. */
  #seen = { epoch: "", revision: 0 };

  /** Throws `invalid_space`. */
  constructor(redis: UpstashRedis, random: Random, space: string, maxEntries: number) {
    this.#redis = redis;
    this.#random = random;
    this.#keys = [`${spacePrefix(space)}watch`];
    this.#maxEntries = maxEntries;
  }

  /** The longest that one request takes, in ms. */
  get timeoutMs(): number {
    return this.#redis.timeoutMs;
  }

  /** The newest entry; where there is none, a mark is written. To repeat it does no harm. */
  async head(limits?: CallLimits): Promise<WatchPlace> {
    const reply = await asUnreachable(() =>
      this.#redis.script(headScript, this.#keys, this.#first(), "read", limits),
    );
    return this.#headOf(reply);
  }

  /** What changes when something is appended. */
  async look(): Promise<string> {
    return JSON.stringify(await asUnreachable(() => this.#redis.script(lookScript, this.#keys, [], "read")));
  }

  /** All or none. Outcome `unknown` where it may stand there; then what is kept can be appended again. */
  async append(appends: readonly Append[]): Promise<readonly Appended[]> {
    const words = appends.flatMap(({ kept, text }) => {
      const id = randomHex(this.#random, 8);
      return kept === undefined
        ? ["p", "", "", "", id, text]
        : ["k", `${kept.minute}`, kept.opId, kept.print, id, text];
    });
    const reply = await asUnreachable(() =>
      this.#redis.script(appendScript, this.#keys, [...this.#first(), ...words], "write"),
    );
    const [head, answers] = listOf(reply);
    const { epoch } = this.#headOf(head ?? []);
    return listOf(answers ?? []).map((answer) => {
      const text = stringOf(answer);
      return text === "U" ? "reused" : { epoch, revision: Number(text.slice(1)) };
    });
  }

  /** Entries behind a place, some at a time; undefined: what stood there is gone, and nobody can say what followed. */
  async after({ revision, seq, id, epoch }: WatchPlace): Promise<readonly WatchEntry[] | undefined> {
    const from = id === undefined ? `${revision + 1}-0` : `${revision}-${seq}`;
    const reply = await asUnreachable(() => this.#redis.script(readScript, this.#keys, [from], "read"));
    const entries = listOf(reply).map((one) => {
      const [place, fields] = listOf(one);
      return readWatchEntry(stringOf(place), listOf(fields ?? []));
    });
    const [first, ...rest] = entries;
    const last = entries.at(-1);
    // What is read is seen: were it lost, its revisions must not be given to others in the same epoch.
    if (last !== undefined && last.epoch === this.#seen.epoch) this.#note(last);
    if (first === undefined || first.epoch !== epoch) return undefined;
    if (id === undefined) return first.revision === revision + 1 && first.seq === 0 ? entries : undefined;
    return first.revision === revision && first.seq === seq && first.id === id ? rest : undefined;
  }

  #first(): readonly string[] {
    const { epoch, revision } = this.#seen;
    return [
      randomHex(this.#random, 8),
      epoch,
      `${revision}`,
      `${this.#maxEntries}`,
      randomHex(this.#random, 8),
    ];
  }

  #headOf(reply: Reply): WatchPlace {
    const [place, epochOf, id] = listOf(reply);
    const [at, epoch] = [readPlace(stringOf(place)), stringOf(epochOf)];
    this.#note({ epoch, revision: at.revision });
    return { ...at, epoch, id: stringOf(id) };
  }

  #note({ epoch, revision }: { readonly epoch: string; readonly revision: number }): void {
    const isSame = epoch === this.#seen.epoch;
    this.#seen = { epoch, revision: isSame ? Math.max(this.#seen.revision, revision) : revision };
  }
}
