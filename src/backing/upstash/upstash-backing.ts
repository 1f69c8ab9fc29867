import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { backingExpiryGraceMs, maxBackingBatchBytes } from "../../runtime/backing-limits.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { CallBudget } from "../../upstash/call-budget.ts";
import { spacePrefix } from "../../upstash/keys.ts";
import { listOf, type Reply, stringOf, textOf } from "../../upstash/reply.ts";
import type { Script } from "../../upstash/script.ts";
import type { UpstashOptions } from "../../upstash/upstash-options.ts";
import { type Effect, UpstashRedis } from "../../upstash/upstash-redis.ts";
import type {
  Backing,
  BackingBatch,
  BackingEntry,
  BackingPage,
  BackingPosition,
  BackingSupports,
  BackingVerdict,
} from "../backing.ts";
import { checkBatch, checkReadKeys, checkScanLimit, netChanges } from "../batch.ts";
import { entryOf, formOf, positionText, readPosition } from "./forms.ts";
import { applyScript, bindScript, clearScript, positionScript, readScript, scanScript } from "./scripts.ts";

/** What an Upstash backing is made of. */
export type UpstashBackingOptions = (
  | UpstashOptions
  /** One database for several spaces or drivers. It is not closed with the backing. */
  | { readonly redis: UpstashRedis }
) & {
  /** 1 to 64 of `a-z 0-9 . _ -`. All keys in Redis begin with `warp:{space}:`. */
  readonly space: string;
  /** This side's: lives that have ended are judged by it. */
  readonly clock: Clock;
};

const supports: BackingSupports = Object.freeze({
  atomicBatch: true,
  expiry: true,
  scan: true,
  persistent: true,
});

/**
 * Storage behind the shards of a space in Upstash Redis: each call is one script, so one request, and atomic. See `docs/upstash-backing.md` for what it promises and
 * costs. Throws `invalid_argument`, `invalid_space`.
 */
export function upstashBacking(options: UpstashBackingOptions): UpstashBacking {
  return new UpstashBacking(options);
}

/** See {@link upstashBacking}. */
export class UpstashBacking implements Backing {
  readonly supports = supports;
  readonly maxBatchBytes: number;
  readonly #redis: UpstashRedis;
  readonly #ownsRedis: boolean;
  readonly #clock: Clock;
  readonly #positions: string;
  /** Where `clear` goes on, and whether its present round has found anything. */
  #clearing = { cursor: "0", found: 0 };
  #closed = false;

  constructor(options: UpstashBackingOptions) {
    this.#ownsRedis = !("redis" in options);
    this.#clock = options.clock;
    this.#positions = `${spacePrefix(options.space)}pos`;
    this.#redis = "redis" in options ? options.redis : new UpstashRedis(options);
    // What is sent is larger than what it holds: values in base64, tags with escapes.
    this.maxBatchBytes = Math.min(maxBackingBatchBytes, Math.floor(this.#redis.maxRequestBytes * 0.42));
  }

  async position(shard: number, limits?: CallLimits): Promise<BackingPosition | null> {
    this.#begin(limits);
    return readPosition(stringOf(await this.#run(positionScript, [`${shard}`], "read", limits)));
  }

  async bind(
    shard: number,
    expected: BackingPosition | null,
    next: BackingPosition,
    limits?: CallLimits,
  ): Promise<boolean> {
    this.#begin(limits);
    const words = [`${shard}`, positionText(expected), positionText(next)];
    return (await this.#run(bindScript, words, "write", limits)) === 1;
  }

  async apply(batch: BackingBatch, limits?: CallLimits): Promise<BackingVerdict> {
    this.#begin(limits);
    const next = checkBatch(batch);
    const { shard, after } = batch;
    const words = [`${shard}`, positionText(after), positionText(next), ...this.#wordsOf(batch)];
    const reply = stringOf(await this.#run(applyScript, words, "write", limits));
    if (reply === "applied" || reply === "repeated") return { state: reply };
    return { state: "elsewhere", found: readPosition(reply.slice(1)) };
  }

  async read(keys: readonly string[], limits?: CallLimits): Promise<readonly (BackingEntry | null)[]> {
    this.#begin(limits);
    checkReadKeys(keys);
    const budget = new CallBudget(this.#clock, limits, this.#redis.timeoutMs);
    const entries: (BackingEntry | null)[] = [];
    while (entries.length < keys.length) {
      // An answer holds as many as fit.
      const asked = keys.slice(entries.length);
      const told = listOf(await this.#run(readScript, asked, "read", budget.next())).map(stringOf);
      if (told.length < 2) {
        throw new WarpError("storage_unavailable", "the storage gave no answer for a key");
      }
      const nowMs = this.#clock.now();
      for (let i = 0; i + 1 < told.length; i += 2) {
        entries.push(entryOf(asked[i / 2] ?? "", told[i] ?? "", told[i + 1] ?? "", nowMs));
      }
    }
    return entries;
  }

  async scan(
    { limit, cursor = "0" }: { readonly limit: number; readonly cursor?: string },
    limits?: CallLimits,
  ): Promise<BackingPage> {
    this.#begin(limits);
    checkScanLimit(limit);
    if (!/^[0-9]{1,20}$/.test(cursor)) {
      throw new WarpError("invalid_cursor", "a scan's cursor is what the page before it gave, unchanged");
    }
    const [next, names = []] = listOf(await this.#run(scanScript, [cursor, `${limit}`], "read", limits));
    const keys = listOf(names).flatMap((name) => keyOf(stringOf(name)));
    return next === "0" ? { keys } : { keys, cursor: stringOf(next) };
  }

  async clear(limits?: CallLimits): Promise<boolean> {
    this.#begin(limits);
    const { cursor, found } = this.#clearing;
    const [next, count] = listOf(await this.#run(clearScript, [cursor], "write", limits));
    const foundNow = found + Number(count);
    if (next !== "0") {
      this.#clearing = { cursor: stringOf(next), found: foundNow };
      return false;
    }
    this.#clearing = { cursor: "0", found: 0 };
    // A round that the server's restart has cut in two may have missed some: the last one has to find nothing.
    if (foundNow > 0) return false;
    await this.#redis.command(["DEL", this.#positions], "write", limits);
    return true;
  }

  close(): void {
    this.#closed = true;
    if (this.#ownsRedis) this.#redis.close();
  }

  #begin(limits: CallLimits | undefined): void {
    if (this.#closed) throw new WarpError("warp_closed", "the way to the storage is closed");
    checkCallLimits(limits);
  }

  async #run(
    script: Script,
    words: readonly string[],
    effect: Effect,
    limits: CallLimits | undefined,
  ): Promise<Reply> {
    return await this.#redis.script(script, [this.#positions], words, effect, limits);
  }

  /** What a batch comes to: values without an end, those with one, deletions. */
  #wordsOf({ after, changes }: BackingBatch): readonly string[] {
    const [lasting, ending, deleted]: [string[], string[], string[]] = [[], [], []];
    // The shard ends lives and tells of it. Redis's own end is for what would otherwise stay, and comes later: its clock is another one.
    const overMs = this.#clock.now() - backingExpiryGraceMs;
    for (const change of netChanges(changes)) {
      const { key } = change;
      if (change.kind === "delete" || (change.expiresAtMs ?? Infinity) <= overMs) {
        deleted.push(key);
        continue;
      }
      const form = formOf(change, after.epoch);
      if (change.expiresAtMs === undefined) lasting.push(key, form);
      else ending.push(key, form, `${Math.ceil(change.expiresAtMs) + backingExpiryGraceMs}`);
    }
    return [`${lasting.length / 2}`, `${ending.length / 3}`, ...lasting, ...ending, ...deleted];
  }
}

/** Others may have names there that can be no keys. */
function keyOf(name: string): readonly string[] {
  try {
    const key = textOf(name);
    checkKey(key);
    return [key];
  } catch {
    return [];
  }
}
