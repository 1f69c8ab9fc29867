import { Redis } from "@upstash/redis/cloudflare";
import { type ErrorOutcome, WarpError } from "../errors.ts";
import { type CallLimits, checkCallLimits } from "../runtime/call-limits.ts";
import { fraction } from "../runtime/random.ts";
import { redisCode, storageFailure } from "./failure.ts";
import { type Reply, readReply } from "./reply.ts";
import type { Script } from "./script.ts";
import { type ResolvedUpstash, resolveUpstash, type UpstashOptions } from "./upstash-options.ts";

/** What a call does there: a `read` may be sent again, a `write` never is, since no one knows what became of the first. */
export type Effect = "read" | "write";

/** The longest wait before the second attempt of a read, in ms; it doubles with each. */
const backoffBaseMs = 50;

/**
 * An Upstash database over REST. It closes what the client beneath leaves open: nothing is sent twice behind the caller's back, a time-out is an
 * error and not an absent value, answers are bytes and not what they look like, calls are not gathered and reordered, and errors quote neither
 * values nor tokens. Make one for a database and share it.
 */
export class UpstashRedis {
  readonly maxRequestBytes: number;
  /** Of a call that says nothing about its time. */
  readonly timeoutMs: number;
  readonly #options: ResolvedUpstash;
  readonly #redis: Redis;
  readonly #inFlight = new Set<AbortController>();
  #signal = new AbortController().signal;
  #closed = false;

  /** Throws `invalid_argument`. */
  constructor(options: UpstashOptions) {
    this.#options = resolveUpstash(options);
    this.maxRequestBytes = this.#options.maxRequestBytes;
    this.timeoutMs = this.#options.timeoutMs;
    const { url, token } = this.#options;
    this.#redis = new Redis({
      url,
      token,
      // `false` would still make two attempts.
      retry: { retries: 0, backoff: () => 0 },
      // As a function: a signal that is an object turns what it ends into an absent value.
      signal: () => this.#signal,
      enableAutoPipelining: false,
      automaticDeserialization: false,
      // It reads base64 as UTF-8, which bytes don't survive: the header below asks for it, `readReply` reads it.
      responseEncoding: false,
      enableTelemetry: false,
      latencyLogging: false,
      keepAlive: false,
    });
    this.#redis.use((request, next) =>
      next({ ...request, headers: { ...request.headers, "Upstash-Encoding": "base64" } }),
    );
  }

  /**
   * Carries a command out. Arguments are text: bytes need a form that is ASCII. Throws `storage_timeout`, `storage_unavailable`, `aborted`
   * (of a write that had left with outcome `unknown`, unless Redis refused it), `batch_too_large`, `invalid_argument`, `warp_closed`.
   */
  async command(words: readonly string[], effect: Effect, limits?: CallLimits): Promise<Reply> {
    return await this.#bounded(effect, limits, async (attempt) => await this.#send(words, attempt));
  }

  /** Carries a script out, by its name where the server knows it. Throws as {@link command}. */
  async script(
    script: Script,
    keys: readonly string[],
    values: readonly string[],
    effect: Effect,
    limits?: CallLimits,
  ): Promise<Reply> {
    const rest = [`${keys.length}`, ...keys, ...values];
    return await this.#bounded(effect, limits, async (attempt) => {
      try {
        return await this.#send(["EVALSHA", script.sha, ...rest], attempt);
      } catch (error) {
        // It was refused before it began, so that this is no second attempt: what now ends before it is sent has done nothing.
        if (redisCode(error) !== "NOSCRIPT") throw error;
        attempt.left = false;
        return await this.#send(["EVAL", script.text, ...rest], attempt);
      }
    });
  }

  /** Ends what is under way; calls after it are `warp_closed`. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const controller of this.#inFlight) controller.abort();
  }

  /** Runs attempts until one answers, or the caller's time is over. */
  async #bounded(
    effect: Effect,
    limits: CallLimits | undefined,
    work: (attempt: Attempt) => Promise<Reply>,
  ): Promise<Reply> {
    if (this.#closed) throw closed("fail");
    checkCallLimits(limits);
    const { timers, timeoutMs } = this.#options;
    const { signal, timeoutMs: mostMs = timeoutMs } = limits ?? {};
    const attempt: Attempt = { controller: new AbortController(), left: false };
    const outcome = (): ErrorOutcome => (effect === "write" && attempt.left ? "unknown" : "fail");
    let why = (): WarpError => closed(outcome());
    const { controller } = attempt;
    const onAbort = (): void => {
      why = () =>
        new WarpError("aborted", "the caller gave up", { outcome: outcome(), cause: signal?.reason });
      controller.abort();
    };
    const onTime = (): void => {
      why = () =>
        new WarpError("storage_timeout", `the storage gave no answer within ${mostMs} ms`, {
          outcome: outcome(),
        });
      controller.abort();
    };
    const cancel = timers.after(mostMs, onTime, { awaited: true });
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#inFlight.add(controller);
    const ended = new Promise<never>((_, reject) =>
      controller.signal.addEventListener("abort", () => reject(why()), { once: true }),
    );
    try {
      return await Promise.race([this.#attempts(effect, attempt, work), ended]);
    } catch (error) {
      throw controller.signal.aborted ? why() : storageFailure(error, outcome());
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
      this.#inFlight.delete(controller);
    }
  }

  async #attempts(
    effect: Effect,
    attempt: Attempt,
    work: (attempt: Attempt) => Promise<Reply>,
  ): Promise<Reply> {
    const attempts = effect === "read" ? this.#options.attempts : 1;
    for (let tried = 1; ; tried++) {
      try {
        return await work(attempt);
      } catch (error) {
        if (tried >= attempts || attempt.controller.signal.aborted) throw error;
        if (!storageFailure(error, "fail").retryable) throw error;
        await this.#wait(backoffBaseMs * 2 ** (tried - 1) * fraction(this.#options.random));
      }
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.timers.after(ms, resolve, { awaited: true });
    });
  }

  async #send(words: readonly string[], attempt: Attempt): Promise<Reply> {
    const [command = "", ...rest] = words;
    const { signal } = attempt.controller;
    if (signal.aborted) throw new WarpError("aborted", "the caller gave up");
    this.#checkSize(words);
    attempt.left = true;
    // The client asks for the signal in the same turn.
    this.#signal = signal;
    return readReply(await this.#redis.exec<unknown>([command, ...rest]));
  }

  /** What would be refused anyway is not sent. Its size is at least this: characters, quotes and commas. */
  #checkSize(words: readonly string[]): void {
    const bytes = words.reduce((total, word) => total + word.length + 3, 2);
    if (bytes <= this.maxRequestBytes) return;
    throw new WarpError("batch_too_large", `the request has ${bytes} bytes; the storage takes less`, {
      details: { bytes, max: this.maxRequestBytes },
    });
  }
}

interface Attempt {
  readonly controller: AbortController;
  /** Whether a request has left. */
  left: boolean;
}

function closed(outcome: ErrorOutcome): WarpError {
  return new WarpError("warp_closed", "the way to the storage is closed", { outcome });
}
