import { WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import { type ReadReply, scopeOpId } from "../../protocol/shard-api.ts";
import type { PublishReply, WatchTarget } from "../../protocol/watch.ts";
import type { ClientHost } from "../../runtime/client-host.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import { LiveCalls } from "./calls.ts";
import { bytesIn, plainFrames } from "./frames.ts";
import type { AnyParameters } from "./http.ts";
import { LiveLinks } from "./links.ts";
import { LiveQueue } from "./queue.ts";
import type { HttpAnswers, HttpArguments, HttpRoute } from "./routes.ts";
import type {
  ClientEntry,
  ClientGetOptions,
  ClientMutationOptions,
  ClientOptions,
  ClientPublishOptions,
  ClientSetOptions,
  ClientStatus,
  ClientWatch,
  ClientWatchOptions,
  ClientWriteOptions,
  WarpClient,
  Written,
} from "./types.ts";
import { decoded, encoded, plainValues } from "./values.ts";
import { WatchHandle } from "./watch-handle.ts";
import { type Change, LiveWrites } from "./writes.ts";

/** What is loaded when it is needed first. */
const onDemand = { watch: () => import("./watch.ts"), http: () => import("./http.ts") };

/** The one implementation of {@link WarpClient}. */
export class LiveClient implements WarpClient {
  readonly space: string;
  readonly queue: LiveQueue;
  readonly #options: ClientOptions & { readonly host: ClientHost };
  readonly #load: typeof onDemand;
  readonly #sockets: SocketFactory & { close?(): void };
  readonly #links: LiveLinks;
  readonly #calls: LiveCalls;
  readonly #writes: LiveWrites;

  constructor(options: ClientOptions & { readonly host: ClientHost }, load = onDemand) {
    this.#load = load;
    const { host, url, space, share, frames = plainFrames, timeoutMs = defaultTimeoutMs } = options;
    if (!/^https?:\/\/[^/?#\s]+[^?#\s]*$/i.test(url) || !space) {
      throw new WarpError("invalid_argument", "a client takes a url (http or https) and a space", {
        details: { field: "url" },
      });
    }
    this.space = space;
    this.#options = options;
    this.#sockets = share?.sockets(host) ?? host.sockets;
    this.#links = new LiveLinks(options, { sockets: this.#sockets, frames });
    this.#calls = new LiveCalls(space, this.#links, host.timers, timeoutMs);
    this.#writes = new LiveWrites(this.#calls, this.#links);
    this.queue = new LiveQueue(this.#links, this.#calls, this.#writes, options.queue);
    // Whoever shows a status wants to know it without a first call.
    this.#links
      .at(0)
      .ready()
      .catch(() => {});
  }

  get status(): ClientStatus {
    return this.#links.status;
  }

  onStatus(listener: (status: ClientStatus) => void): () => void {
    return this.#links.changes.listen(listener);
  }

  async get<T>(key: string, options: ClientGetOptions = {}): Promise<ClientEntry<T> | undefined> {
    const { entries, epoch, asOf } = await this.#calls.ask<ReadReply>(
      "read",
      (shards) => shardOf(key, shards),
      () => ({ keys: [key], strong: options.mode === "strong" || undefined }),
      options,
    );
    const [entry] = entries;
    if (!entry) return undefined;
    const { version, payload, expiresInMs } = entry;
    return {
      key,
      value: decoded<T>(this.#codec(options), { ...payload, bytes: bytesIn(payload.bytes) }),
      version,
      cursor: `${epoch}.${asOf}`,
      contentType: payload.contentType,
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
    };
  }

  async set(key: string, value: unknown, options: ClientSetOptions = {}): Promise<Written> {
    const payload = encoded(this.#codec(options), value);
    const replace = options.replace === true || undefined;
    return await this.#write({ kind: "set", key, payload, replace, ...parts(options) } as Change, options);
  }

  async merge(key: string, operand: unknown, options: ClientWriteOptions = {}): Promise<Written> {
    const payload = encoded(this.#codec(options), operand);
    return await this.#write({ kind: "merge", key, operand: payload, ...parts(options) }, options);
  }

  async delete(key: string, options: ClientMutationOptions = {}): Promise<Written> {
    return await this.#write({ kind: "delete", key }, options);
  }

  watch<T>(target: WatchTarget, options: ClientWatchOptions<T> = {}): ClientWatch<T> {
    const works = this.#load
      .watch()
      .then(({ openWatch }) =>
        openWatch<T>(
          { calls: this.#calls, links: this.#links, codec: this.#codec(options) },
          target,
          options,
        ),
      );
    return new WatchHandle<T>(works);
  }

  async publish(target: WatchTarget, value: unknown, options: ClientPublishOptions = {}): Promise<void> {
    const { opId = this.#links.newId(), retained = false } = options;
    const payload = encoded(this.#codec(options), value);
    const to = async (shardIn: (shards: number) => number): Promise<void> => {
      const { verdict } = await this.#calls.ask<PublishReply>(
        "publish",
        shardIn,
        ({ subject }) => ({ opId: scopeOpId(subject, opId), target, payload, retained }),
        options,
      );
      if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
    };
    if ("key" in target) return await to((shards) => shardOf(target.key, shards));
    // Those who watch a key below the prefix are at its shard.
    const shards = await this.#calls.shards(options);
    await Promise.all(Array.from({ length: shards }, (_, shard) => to(() => shard)));
  }

  async http<R extends HttpRoute>(route: R, ...[parameters]: HttpArguments<R>): Promise<HttpAnswers<R>> {
    // Loaded with the first call: who only watches, reads and writes does without.
    const { httpCall } = await this.#load.http();
    return (await httpCall(
      this.#options,
      this.#links.token,
      route,
      parameters as AnyParameters,
    )) as HttpAnswers<R>;
  }

  async close(): Promise<void> {
    this.#links.close();
    this.queue.close();
    this.#sockets.close?.();
  }

  async #write(change: Change, options: ClientMutationOptions): Promise<Written> {
    return await this.#writes.write(change, options, this.queue);
  }

  #codec({ codec }: { readonly codec?: ClientOptions["codec"] }) {
    return codec ?? this.#options.codec ?? plainValues;
  }
}

/** What is undefined is left out by whatever writes frames. */
function parts({ expiresInMs, tags, lease }: ClientWriteOptions) {
  return { expiresInMs, tags, lease } as Pick<ClientWriteOptions, "expiresInMs">;
}
