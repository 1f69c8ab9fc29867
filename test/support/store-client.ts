import { WarpError } from "../../src/errors.ts";
import type {
  StoreClient,
  StoreSetOptions,
  StoreSettled,
  StoreWriteOptions,
  StoreWritten,
} from "../../src/store/store-client.ts";
import type { ModelDone, StoreSpace } from "./store-space.ts";
import { SpaceWatch } from "./store-watch.ts";

/** What waits to be carried out. */
interface Call {
  /** The authority carries it out; the answer is on its way. */
  readonly carryOut: () => void;
  /** The answer arrives. */
  readonly run: () => void;
  /** The way has broken: nobody knows what became of it. */
  readonly lost: () => void;
}

/**
 * A client of a {@link StoreSpace}. `auto`: it tells everything and carries out calls at once, else in steps. While it is offline writes wait in its queue.
 */
export class SpaceClient implements StoreClient {
  status: StoreClient["status"] = "online";
  readonly watches: SpaceWatch[] = [];
  readonly calls: Call[] = [];
  readonly queued: { readonly id: string; readonly run: () => ModelDone }[] = [];
  isAuto = true;
  /** What is told arrives when a test says so. */
  isSlow = false;
  /** Reads that were made. */
  reads: string[] = [];
  /** Refuses the next watches with it. */
  watchRefusal: WarpError | undefined;
  readonly space: StoreSpace;
  readonly #onStatus = new Set<() => void>();
  readonly #onSettled = new Set<(settled: StoreSettled) => void>();
  #ids = 0;

  constructor(space: StoreSpace) {
    this.space = space;
    const before = space.changed;
    space.changed = () => {
      before();
      if (this.isAuto) this.pump();
    };
  }

  onStatus(listener: () => void): () => void {
    this.#onStatus.add(listener);
    return () => this.#onStatus.delete(listener);
  }

  readonly queue = {
    settled: (listener: (settled: StoreSettled) => void): (() => void) => {
      this.#onSettled.add(listener);
      return () => this.#onSettled.delete(listener);
    },
  };

  async get<T>(key: string) {
    this.reads.push(key);
    return await this.#call("fail", () => {
      const shard = this.space.shardOf(key);
      const found = shard.keys.get(key);
      return found && { ...found, value: found.value as T, cursor: `${shard.epoch}.${shard.revision}` };
    });
  }

  set(key: string, value: unknown, options: StoreSetOptions): Promise<StoreWritten> {
    return this.#write(options, () => this.space.write(key, value, options));
  }

  delete(key: string, options: StoreWriteOptions): Promise<StoreWritten> {
    return this.#write(options, () => this.space.write(key, undefined, options));
  }

  watch<T>(target: { readonly prefix: string }, options: Parameters<StoreClient["watch"]>[1]) {
    const watch = new SpaceWatch(this.space, target.prefix, options.from);
    watch.isSlow = this.isSlow;
    this.watches.push(watch);
    options.signal.addEventListener("abort", () => watch.end(), { once: true });
    if (this.watchRefusal !== undefined) watch.fail(this.watchRefusal);
    else if (
      options.from !== "snapshot" &&
      options.from.cursor.split("~").length !== this.space.shards.length
    ) {
      watch.fail(new WarpError("invalid_cursor", "the cursor is of another number of shards"));
    }
    if (this.isAuto) this.pump();
    return watch as SpaceWatch & AsyncIterable<never> as never as ReturnType<typeof typed<T>>;
  }

  /** Cut off, or back. What was under way is of unknown fate. */
  go(isOnline: boolean): void {
    this.status = isOnline ? "online" : "offline";
    if (!isOnline) {
      for (const watch of this.watches) watch.cut();
      for (const call of this.calls.splice(0)) call.lost();
    }
    for (const listener of [...this.#onStatus]) listener();
    if (isOnline) {
      for (const { id, run } of this.queued.splice(0)) this.#settle(id, run);
      if (this.isAuto) this.pump();
    }
  }

  /** Tells everything there is. */
  pump(): void {
    if (this.status !== "online") return;
    for (const watch of this.watches) {
      for (let at = 0; at < this.space.shards.length; at++) while (watch.step(at));
      while (watch.arrive());
      this.settleStatus(watch);
    }
    while (this.calls.length > 0) this.calls.shift()?.run();
  }

  /** A watch that has been told everything is live. */
  settleStatus(watch: SpaceWatch): void {
    if (this.status === "online" && watch.isCaughtUp && watch.status !== "ended") watch.to("live");
  }

  drop(error: WarpError): void {
    for (const { id } of this.queued.splice(0)) {
      for (const listener of [...this.#onSettled]) listener({ queued: id, outcome: "fail", error });
    }
  }

  #settle(id: string, run: () => ModelDone): void {
    let settled: StoreSettled;
    try {
      settled = { queued: id, outcome: "ok", done: run() };
    } catch (error) {
      settled = { queued: id, outcome: "fail", error: error as WarpError };
    }
    for (const listener of [...this.#onSettled]) listener(settled);
  }

  async #write(options: StoreWriteOptions, run: () => ModelDone): Promise<StoreWritten> {
    if (this.status === "online" || options.offline === "fail") return await this.#call("unknown", run);
    const id = `op-${++this.#ids}`;
    this.queued.push({ id, run });
    return { queued: id };
  }

  #call<R>(outcome: "fail" | "unknown", run: () => R): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (this.status !== "online") return reject(new WarpError("unavailable", "offline"));
      let answer: (() => void) | undefined;
      const carryOut = (): void => {
        if (answer !== undefined) return;
        try {
          const found = run();
          answer = () => resolve(found);
        } catch (error) {
          answer = () => reject(error);
        }
      };
      const call: Call = {
        carryOut,
        run: () => {
          carryOut();
          answer?.();
        },
        lost: () => reject(new WarpError("unavailable", "the way broke", { outcome })),
      };
      if (this.isAuto) call.run();
      else this.calls.push(call);
    });
  }
}

declare function typed<T>(): import("../../src/store/store-client.ts").StoreWatch<T>;
