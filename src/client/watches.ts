import { type ErrorData, isWarpError, WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import type { Timers } from "../runtime/clock.ts";
import { keepAliveMs, reconnectBaseMs, reconnectCapMs } from "../runtime/limits.ts";
import { fraction, type Random } from "../runtime/random.ts";
import { eventsOf } from "./event-stream.ts";
import type { HttpClient } from "./http.ts";
import { queryText, resourcePath, spacePath } from "./path.ts";
import type { ValueRecord } from "./record.ts";

/** What is told of a key: a change, a publication, or what a snapshot found. */
export interface ToldKey extends ValueRecord {
  readonly key: string;
  readonly version: number;
  readonly omitted?: true;
}

/** What `GET /v1/{space}/watch` tells; `docs/http.md` says what each is. */
export type ToldItem = { readonly cursor?: string } & (
  | (ToldKey & {
      readonly kind: "set" | "delete" | "expire" | "publish" | "publishPrefix";
      readonly revision: number;
      readonly shard: number;
    })
  | {
      readonly kind: "snapshot";
      readonly shard: number;
      readonly first: boolean;
      readonly done: boolean;
      readonly entries: readonly ToldKey[];
    }
  | { readonly kind: "gap"; readonly why: string; readonly shard: number }
  | { readonly kind: "missed" }
);

/** What {@link watchKeys} watches, and from where. */
export interface WatchAsked {
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  /** `now` (default), `snapshot`, or a cursor. */
  readonly from?: string | undefined;
  readonly mode?: string | undefined;
  /** Names with commas between them. */
  readonly ops?: string | undefined;
}

/** What a watch by streams asks of its host. */
export interface WatchHost {
  readonly timers: Timers;
  readonly random: Random;
  /** The stream broke, and is opened anew in so many ms. */
  readonly broke?: (error: WarpError, waitMs: number) => void | Promise<void>;
}

/** A stream that is silent for longer has broken: it says something every 15 s. */
const silenceMs = 2.5 * keepAliveMs;

/**
 * What happens to a key or a prefix, for as long as it is read: when a stream ends or breaks, the next one goes on where it was. Throws what keeps the first one from
 * beginning, and what can't be repeated: `forbidden`, `token_expired`, `space_not_found`.
 */
export async function* watchKeys(
  client: HttpClient,
  space: string,
  asked: WatchAsked,
  { timers, random, broke }: WatchHost,
): AsyncGenerator<ToldItem> {
  const path = `${spacePath(space)}/watch${queryText({ ...asked })}`;
  let id: string | undefined;
  let failures = 0;
  const pause = (waitMs: number): Promise<void> =>
    new Promise((resolve) => timers.after(waitMs, resolve, { awaited: true }));
  for (let hasBegun = false; ; ) {
    try {
      const headers: Record<string, string> = id === undefined ? {} : { "Last-Event-ID": id };
      const { chunks } = await client.stream({ method: "GET", path, headers }, silenceMs);
      hasBegun = true;
      for await (const event of eventsOf(chunks)) {
        failures = 0;
        const item = event.data === undefined ? undefined : itemOf(event.data);
        // What comes before the reader has had it is told again.
        if (item !== undefined) yield event.id === undefined ? item : { ...item, cursor: event.id };
        id = event.id;
      }
      // Where something on the way ends every stream at once, the next one ends so, too.
      await pause(fraction(random) * reconnectBaseMs);
    } catch (error) {
      if (!hasBegun || !isWarpError(error) || !error.retryable) throw error;
      const waitMs =
        fraction(random) * Math.min(reconnectCapMs, reconnectBaseMs * 2 ** Math.min(20, ++failures));
      await broke?.(error, waitMs);
      await pause(waitMs);
    }
  }
}

/** Undefined: the stream says that it ends, and what comes after it goes on. Throws where the watch has ended. */
function itemOf(data: string): ToldItem | undefined {
  const item = parsed(data);
  if (item.kind === "end") {
    const { code, detail, outcome } = item;
    throw new WarpError(code, detail, { outcome });
  }
  return item.kind === "rotate" ? undefined : item;
}

function parsed(data: string): ToldItem | { readonly kind: "rotate" } | EndItem {
  try {
    return JSON.parse(data) as ReturnType<typeof parsed>;
  } catch (cause) {
    throw new WarpError("decode_failed", "an event of the server is not JSON", { cause });
  }
}

interface EndItem extends Pick<ErrorData, "code" | "outcome"> {
  readonly kind: "end";
  readonly detail: string;
}

/** Where a publication stands. */
export interface PublishedTo {
  readonly opId: string;
  /** In each log that keeps it. */
  readonly revisions: readonly string[];
}

/** Tells a value to those who watch a key, or whom a prefix concerns. Throws what the server refuses. */
export async function publishTo(
  client: HttpClient,
  space: string,
  name: string,
  payload: Payload,
  options: {
    readonly prefix?: boolean;
    readonly retained?: boolean;
    readonly opId?: string | undefined;
  } = {},
): Promise<PublishedTo> {
  const { prefix = false, retained = false, opId = client.newOpId() } = options;
  const query = queryText({ prefix: prefix || undefined, retained: retained || undefined });
  return await client.json<PublishedTo>({
    method: "POST",
    path: resourcePath(space, "publish", name) + query,
    headers: { "Content-Type": payload.contentType },
    body: new Uint8Array(payload.bytes),
    opId,
  });
}
