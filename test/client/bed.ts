import { HttpClient, type HttpClientOptions } from "../../src/client/http.ts";
import type { HeldLocks } from "../../src/protocol/fence.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Fetch, WebRequest } from "../../src/runtime/fetch.ts";
import { coreBed, secret } from "../http/bed.ts";
import { virtualClock } from "../support/virtual-clock.ts";

/** A client of `fetch`, on a clock that stands still. */
export function clientOf(fetch: Fetch, changes: Partial<HttpClientOptions> = {}) {
  const clock = virtualClock(1_800_000_000_000);
  const random = { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) };
  const options = { url: "http://localhost", token: secret, fetch, clock, timers: clock, random };
  return { clock, client: new HttpClient({ ...options, ...changes }) };
}

/** A client of the real routes over the real core, and every request that it made. */
export function appClient(locks?: HeldLocks) {
  const { app } = coreBed({}, locks);
  const sent: { url: string; request: WebRequest }[] = [];
  const fetch: Fetch = async (url, request) => {
    sent.push({ url, request });
    return await app.request(url, { ...request, body: bodyOf(request.body) });
  };
  return { ...clientOf(fetch), fetch, sent };
}

/** What every host's Request takes: workerd's knows no iterables. */
function bodyOf(body: WebRequest["body"]): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null {
  if (body === undefined) return null;
  if (body instanceof Uint8Array) return body;
  const source = body[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
}

/** A fetch that answers everything with one status and body. */
export function answering(status: number, body: string, headers: Record<string, string> = {}): Fetch {
  return async () => new Response(utf8(body), { status, headers });
}

/** A fetch that never answers and ends only by its signal. */
export const silent: Fetch = (_, { signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("aborted")));
  });

/** A fetch that fails as a host's does: with the system's code in the cause. */
export function failing(code: string): Fetch {
  return async () => {
    throw new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });
  };
}

/** `parts` as a stream of bytes. */
export async function* chunks(...parts: readonly (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === "string" ? utf8(part) : part;
}
