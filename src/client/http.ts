import { isWarpError, WarpError } from "../errors.ts";
import { fromUtf8, utf8 } from "../runtime/bytes.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Fetch, WebResponse } from "../runtime/fetch.ts";
import { uuidv7 } from "../runtime/ids.ts";
import { defaultTimeoutMs, maxTimeoutMs, maxTokenLength, minTimeoutMs } from "../runtime/limits.ts";
import type { Random } from "../runtime/random.ts";
import { Deadline } from "./deadline.ts";
import { causeText, isUnsent, networkCode } from "./network.ts";
import { errorOf } from "./problem.ts";
import { type Watched, watched } from "./upload.ts";

/** How a {@link HttpClient} reaches its deployment. */
export interface HttpClientOptions {
  /** `http://` or `https://`, host and port, and a path if the deployment stands below one. No user, query or fragment. */
  readonly url: string;
  /** The secret or a token: printable ASCII. Default: none. */
  readonly token?: string;
  /** How long a call may take: 100 to 120,000 ms; default 10,000. */
  readonly timeoutMs?: number;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** One call. */
export interface HttpCall {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "PATCH" | "DELETE";
  /** Path and query, encoded, from the slash on. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes go as they are; an `AsyncIterable` is sent as it comes (see {@link HttpClient.stream}). */
  readonly body?: Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
  /** Sent as JSON instead of `body`. */
  readonly json?: unknown;
  /** A mutation's op id; it also makes the outcome of a lost answer `unknown`. */
  readonly opId?: string;
  /** Says so of a call that changes something and takes no op id. Default: whether there is an `opId`. */
  readonly mutation?: boolean;
  /** Instead of the client's own, 1 to 120,000 ms; the server is told at least 100. */
  readonly timeoutMs?: number;
  /** Gives the call up. */
  readonly signal?: AbortSignal;
}

/** An answer that was read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** A header, null if it is not there. */
  header(name: string): string | null;
}

/** An answer that comes piece by piece. */
export interface HttpStream {
  readonly status: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** What the server has beyond the deadline that it was told, to say how a call ended. */
const graceMs = 500;

/**
 * Speaks HTTP with one deployment: problems become {@link WarpError}s, every call has a deadline, and what nobody knows is called
 * `unknown`. It never repeats a call by itself.
 */
export class HttpClient {
  readonly #base: string;
  readonly #options: HttpClientOptions;
  readonly #timeoutMs: number;

  /** Throws `invalid_argument`; never with the token in its message. */
  constructor(options: HttpClientOptions) {
    const { url, token, timeoutMs = defaultTimeoutMs } = options;
    if (!/^https?:\/\/[^/?#@\s]+(?:\/[^?#\s]*)?$/i.test(url)) {
      throw new WarpError(
        "invalid_argument",
        "the URL must be http:// or https:// with a host and no user, query or fragment",
        { details: { field: "url" } },
      );
    }
    if (token !== undefined && (!/^[\x21-\x7e]+$/.test(token) || token.length > maxTokenLength)) {
      throw new WarpError(
        "invalid_argument",
        `a token is 1 to ${maxTokenLength} printable ASCII characters without spaces`,
        { details: { field: "token" } },
      );
    }
    if (!(timeoutMs >= minTimeoutMs && timeoutMs <= maxTimeoutMs)) {
      throw new WarpError("invalid_argument", `a time-out is ${minTimeoutMs} to ${maxTimeoutMs} ms`, {
        details: { field: "timeoutMs", min: minTimeoutMs, max: maxTimeoutMs },
      });
    }
    this.#base = url.replace(/\/+$/, "");
    this.#options = options;
    this.#timeoutMs = Math.ceil(timeoutMs);
  }

  /** A fresh op id. */
  newOpId(): string {
    return uuidv7(this.#options.clock, this.#options.random);
  }

  /** Makes a call and reads the whole answer. Throws what the server refuses; `unavailable`; `deadline_exceeded`. */
  async call(call: HttpCall): Promise<HttpAnswer> {
    const { signal } = call;
    const deadline = new Deadline(this.#options.timers, (call.timeoutMs ?? this.#timeoutMs) + graceMs);
    const giveUp = (): void => deadline.abandon();
    if (signal?.aborted === true)
      throw new WarpError("aborted", "the caller gave up before the call was sent");
    signal?.addEventListener("abort", giveUp, { once: true });
    deadline.touch();
    try {
      const response = await this.#send(call, deadline);
      const bytes = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, bytes, header: (name) => response.headers.get(name) };
    } catch (error) {
      throw this.#failure(error, call, deadline);
    } finally {
      deadline.rest();
      signal?.removeEventListener("abort", giveUp);
    }
  }

  /** {@link HttpClient.call}, the answer parsed as JSON. Throws `decode_failed` where it is none. */
  async json<T>(call: HttpCall): Promise<T> {
    const { bytes } = await this.call(call);
    try {
      return JSON.parse(fromUtf8(bytes)) as T;
    } catch (cause) {
      throw new WarpError("decode_failed", "the server's answer is not JSON; is it the right URL?", {
        cause,
      });
    }
  }

  /**
   * Makes a call whose answer, and maybe its body, comes piece by piece. The deadline then bounds silence, not the whole: `silenceMs`
   * (default: the time-out) without a piece from the server. While the body's own source has nothing, nobody waits for the server. Leaving
   * `chunks` early gives the connection up.
   */
  async stream(call: HttpCall, silenceMs = this.#timeoutMs): Promise<HttpStream> {
    const deadline = new Deadline(this.#options.timers, silenceMs + graceMs);
    const streams = call.body !== undefined && !(call.body instanceof Uint8Array);
    const body = streams ? watched(call.body as AsyncIterable<Uint8Array>, deadline) : undefined;
    if (!streams) deadline.touch();
    try {
      const response = await this.#send(body === undefined ? call : { ...call, body: body.chunks }, deadline);
      return { status: response.status, chunks: this.#chunks(response, call, deadline, body) };
    } catch (error) {
      deadline.rest();
      throw body?.fault() ?? this.#failure(error, call, deadline);
    }
  }

  async *#chunks(
    response: WebResponse,
    call: HttpCall,
    deadline: Deadline,
    body: Watched | undefined,
  ): AsyncGenerator<Uint8Array> {
    let over = false;
    try {
      for await (const chunk of response.body ?? []) {
        if (body?.open() !== true) deadline.touch();
        yield chunk;
      }
      over = true;
    } catch (error) {
      throw body?.fault() ?? this.#failure(error, call, deadline);
    } finally {
      if (over) deadline.rest();
      else deadline.abandon();
    }
  }

  async #send(call: HttpCall, deadline: Deadline): Promise<WebResponse> {
    const { token, fetch } = this.#options;
    const body = call.json === undefined ? call.body : utf8(JSON.stringify(call.json));
    const headers: Record<string, string> = {
      "Warp-Timeout-Ms": String(toldMs(call.timeoutMs ?? this.#timeoutMs)),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(call.json === undefined ? {} : { "Content-Type": "application/json" }),
      ...(call.opId === undefined ? {} : { "Warp-Op-Id": call.opId }),
      ...call.headers,
    };
    const streams = body !== undefined && !(body instanceof Uint8Array);
    const response = await fetch(this.#base + call.path, {
      method: call.method,
      headers,
      signal: deadline.signal,
      redirect: "manual",
      ...(body === undefined ? {} : { body }),
      ...(streams ? { duplex: "half" } : {}),
    });
    if (response.status < 300) return response;
    throw errorOf({
      status: response.status,
      contentType: response.headers.get("Content-Type"),
      bytes: new Uint8Array(await response.arrayBuffer()),
      mutation: isMutation(call),
    });
  }

  /** What a call that got no whole answer comes to. */
  #failure(error: unknown, call: HttpCall, deadline: Deadline): WarpError {
    return named(this.#lost(error, call, deadline), call.opId);
  }

  #lost(error: unknown, call: HttpCall, deadline: Deadline): WarpError {
    if (isWarpError(error)) return error;
    const mutation = isMutation(call);
    if (call.signal?.aborted === true) {
      const outcome = mutation ? "unknown" : "fail";
      return new WarpError("aborted", "the caller gave up", { cause: error, outcome });
    }
    if (deadline.passed) {
      return new WarpError("deadline_exceeded", "the server did not answer in time", {
        cause: error,
        outcome: mutation ? "unknown" : "fail",
      });
    }
    const why = networkCode(error);
    const neverSent = why !== undefined && isUnsent(why);
    return new WarpError(
      "unavailable",
      neverSent ? `the server can't be reached (${why})` : `the call broke off (${why ?? causeText(error)})`,
      { cause: error, outcome: mutation && !neverSent ? "unknown" : "fail" },
    );
  }
}

/** An unknown outcome names its op id: the call can be repeated with it. */
function named(error: WarpError, opId: string | undefined): WarpError {
  if (error.outcome !== "unknown" || opId === undefined) return error;
  const { code, message, ...data } = error.toData();
  return new WarpError(code, message, { ...data, cause: error.cause, details: { ...data.details, opId } });
}

/** The deadline as the server may be told it. */
function toldMs(timeoutMs: number): number {
  return Math.min(maxTimeoutMs, Math.max(minTimeoutMs, Math.ceil(timeoutMs)));
}

function isMutation(call: HttpCall): boolean {
  return call.mutation ?? call.opId !== undefined;
}
