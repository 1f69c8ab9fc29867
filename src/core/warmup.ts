import { WarpError } from "../errors.ts";
import { checkPattern } from "../protocol/key.ts";
import { defaultTimeoutMs, maxListLimit } from "../runtime/limits.ts";
import { abortedError } from "./call.ts";
import type { DemandBook } from "./demand.ts";
import type { Need } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import type { Parts } from "./parts.ts";
import { checkRange } from "./policy.ts";
import type { Registry } from "./registry.ts";
import type { WarmupOptions, WarmupProgress } from "./types.ts";

/** Keys of one load: enough to fill a call, few enough that a failing one costs little to try again one by one. */
const chunkKeys = 50;

/** One run of a warm-up (rule CO7). */
export class Warmup {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #loader: Loader;
  readonly #demand: DemandBook;
  readonly #options: WarmupOptions;
  readonly #done = new Set<string>();
  #loaded = 0;
  #failed = 0;
  #taken = 0;
  #errors: { readonly key: string; readonly code: string }[] = [];

  /** Throws `invalid_argument`, `invalid_pattern`. */
  constructor(parts: Parts, registry: Registry, loader: Loader, demand: DemandBook, options: WarmupOptions) {
    this.#parts = parts;
    this.#registry = registry;
    this.#loader = loader;
    this.#demand = demand;
    this.#options = options;
    checkRange("invalid_argument", "width", options.width ?? 8, 1, 64);
    if (options.limit !== undefined) {
      checkRange("invalid_argument", "limit", options.limit, 1, Number.MAX_SAFE_INTEGER);
    }
    for (const pattern of options.patterns ?? []) checkPattern(pattern);
  }

  async *run(): AsyncGenerator<WarmupProgress, void, void> {
    this.#check();
    await this.#registry.ready(this.#options.signal === undefined ? {} : { signal: this.#options.signal });
    const patterns = this.#options.patterns ?? (await this.#registry.list()).map(({ pattern }) => pattern);
    const prefixes = outermost(patterns.filter(isPrefix).map((pattern) => pattern.slice(0, -1)));
    const covered = (key: string): boolean => prefixes.some((prefix) => key.startsWith(prefix));
    const exact = patterns.filter((pattern) => !isPrefix(pattern) && !covered(pattern));
    const wanted = new Set(exact);
    // What this node knows to be hot goes first; whether it is still there, its load will tell.
    const hot = this.#demand.hottest().filter((key) => covered(key) || wanted.has(key));
    // Listed keys are told apart from these, so that none is loaded twice.
    for (const keys of [hot, exact]) {
      if (keys.length === 0) continue;
      await this.#load(keys, true);
      yield this.#progress();
    }
    for (const prefix of prefixes) {
      yield* this.#adopt(prefix);
      let cursor: string | undefined;
      do {
        if (this.#room() === 0) break;
        const page = await this.#list(prefix, cursor);
        await this.#load(page.keys, false);
        cursor = page.cursor;
        yield this.#progress();
      } while (cursor !== undefined);
    }
    yield { ...this.#progress(), total: this.#loaded + this.#failed };
  }

  /** What stands in a storage behind the authority comes first: the authority may know only some of it, and lists that. */
  async *#adopt(prefix: string): AsyncGenerator<WarmupProgress, void, void> {
    const { adapter } = this.#parts;
    let cursor: string | undefined;
    do {
      if (this.#room() === 0 || adapter.stored === undefined) return;
      this.#check();
      let page: Awaited<ReturnType<NonNullable<typeof adapter.stored>>>;
      try {
        page = await adapter.stored(prefix, cursor, this.#callOptions());
      } catch (error) {
        this.#check();
        this.#fail(`${prefix}*`, error);
        return;
      }
      await this.#load(page.keys, true);
      cursor = page.cursor;
      if (page.keys.length > 0) yield this.#progress();
    } while (cursor !== undefined);
  }

  async #list(prefix: string, cursor: string | undefined) {
    this.#check();
    const page = await this.#parts.adapter.list({
      ...this.#callOptions(),
      prefix,
      limit: maxListLimit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    this.#check();
    return { keys: page.items.map(({ key }) => key), cursor: page.cursor };
  }

  /** Loads keys, `width` chunks at a time. `marks`: they may come again in a list. */
  async #load(keys: readonly string[], marks: boolean): Promise<void> {
    const needs: Need[] = [];
    for (const key of keys) {
      if (this.#room() === 0) break;
      if (this.#done.has(key)) continue;
      if (marks) this.#done.add(key);
      const settings = this.#policy(key);
      if (settings === undefined) continue;
      this.#taken++;
      needs.push({ key, settings });
    }
    const chunks: Need[][] = [];
    for (let at = 0; at < needs.length; at += chunkKeys) chunks.push(needs.slice(at, at + chunkKeys));
    const lane = async (): Promise<void> => {
      for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) await this.#fill(chunk);
    };
    await Promise.all(Array.from({ length: Math.min(this.#options.width ?? 8, chunks.length) }, lane));
  }

  /** A key's policy; undefined for one that L1 does not serve, or that a strict space does not know. */
  #policy(key: string): Need["settings"] | undefined {
    try {
      const settings = this.#registry.resolve(key);
      return settings.mode === "strong" && this.#parts.adapter.supports.storage ? undefined : settings;
    } catch (error) {
      this.#fail(key, error);
      return undefined;
    }
  }

  async #fill(needs: readonly Need[]): Promise<void> {
    this.#check();
    try {
      const there = await this.#loader.fill(needs, this.#callOptions());
      this.#loaded += there.filter(Boolean).length;
    } catch (error) {
      this.#check();
      const [only] = needs;
      if (needs.length === 1 && only !== undefined) this.#fail(only.key, error);
      // One of them may have failed all: each has its own chance.
      else for (const need of needs) await this.#fill([need]);
    }
  }

  #fail(key: string, error: unknown): void {
    this.#failed++;
    this.#errors.push({ key, code: WarpError.from(error, "internal", "the load failed").code });
  }

  #room(): number {
    return Math.max(0, (this.#options.limit ?? Number.POSITIVE_INFINITY) - this.#taken);
  }

  #progress(): WarmupProgress {
    const errors = this.#errors;
    this.#errors = [];
    return { loaded: this.#loaded, failed: this.#failed, errors };
  }

  #check(): void {
    this.#parts.lifetime.check();
    if (this.#options.signal?.aborted === true) throw abortedError(this.#options.signal);
  }

  #callOptions() {
    const { signal } = this.#options;
    return { timeoutMs: defaultTimeoutMs, ...(signal === undefined ? {} : { signal }) };
  }
}

function isPrefix(pattern: string): boolean {
  return pattern.endsWith("*");
}

/** Prefixes without those that another one covers. */
function outermost(prefixes: readonly string[]): string[] {
  const different = [...new Set(prefixes)];
  return different.filter((one) => !different.some((other) => other !== one && one.startsWith(other)));
}
