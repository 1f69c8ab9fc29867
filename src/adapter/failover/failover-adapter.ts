import type { WarpError } from "../../errors.ts";
import type { ClaimReply, Resolution } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type {
  Adapter,
  AdapterSupports,
  CallOptions,
  ChangesAnswer,
  Detour,
  HistoryAnswer,
  ListAnswer,
  MutationAnswer,
  Pushes,
  ReadAnswer,
  TransactionAnswer,
  VersionAnswer,
} from "../adapter.ts";
import type { Begun, Way } from "./way.ts";

type Registrations = Awaited<ReturnType<Adapter["registrations"]>>;

/** What an adapter asks of its `Failover`. */
export interface WayAround {
  /** The way, once it is loaded. */
  readonly way: Way | undefined;
  load(): Promise<Way>;
  /** The registrations as the shards gave them. */
  learn(list: Registrations): void;
  /** Asks the home shard; where it gives no word in time, by the way. */
  ask<T>(direct: () => Promise<T>, around: (way: Way, failed: WarpError) => Promise<T>): Promise<T>;
  /** Does something by the way where there is one, else at the shard, and by the way where that can't be reached. */
  go<T>(direct: () => Promise<T>, around: (way: Way, begun: Begun) => Promise<T>): Promise<T>;
}

type Args<M extends keyof Adapter> = Adapter[M] extends (...args: infer A) => unknown ? A : never;

/** Storage in shards that may be gone around: what has to be answered by the shard itself goes straight to it. */
export class FailoverAdapter implements Adapter {
  readonly detour: Detour;
  readonly #inner: Adapter;
  readonly #failover: WayAround;

  constructor(inner: Adapter, failover: WayAround) {
    this.#inner = inner;
    this.#failover = failover;
    this.detour = {
      isTaken: (key) => failover.way?.isTaken(key) === true,
      isAway: (shard) => failover.way?.isAway(shard) === true,
      barrierAtMs: (key) => failover.way?.barrierAtMs(key) ?? Number.NEGATIVE_INFINITY,
      recall: (key, held) => failover.way?.recall(key, held),
    };
  }

  get supports(): AdapterSupports {
    return this.#inner.supports;
  }

  get registrationsSeen(): number {
    return this.#inner.registrationsSeen;
  }

  get life(): number {
    return this.#inner.life + (this.#failover.way?.view.lives ?? 0);
  }

  get pushes(): Pushes | undefined {
    return this.#inner.pushes;
  }

  shardOf(key: string): number {
    return this.#failover.way?.shardOf(key) ?? this.#inner.shardOf(key);
  }

  getMany(...args: Args<"getMany">): Promise<readonly ReadAnswer[]> {
    const [keys, options] = args;
    return this.#failover.go(
      () => this.#inner.getMany(...args),
      (way, begun) => way.getMany(keys, options, begun),
    );
  }

  batch(...args: Args<"batch">): Promise<readonly MutationAnswer[]> {
    const [mutations, options] = args;
    return this.#failover.go(
      () => this.#inner.batch(...args),
      (way, begun) => way.batch(mutations, options, begun),
    );
  }

  resolve(...args: Args<"resolve">): Promise<readonly Resolution[]> {
    const [operations, options] = args;
    return this.#failover.go(
      () => this.#inner.resolve(...args),
      (way, begun) => way.resolve(operations, options, begun),
    );
  }

  space(options?: CallOptions): Promise<SpaceSettings | undefined> {
    return this.#failover.ask(
      () => this.#inner.space(options),
      (way, failed) => way.space(failed),
    );
  }

  registrations(options?: CallOptions): ReturnType<Adapter["registrations"]> {
    const ask = async (): Promise<Registrations> => {
      const list = await this.#inner.registrations(options);
      this.#failover.learn(list);
      return list;
    };
    return this.#failover.ask(ask, (way, failed) => way.registrations(failed));
  }

  transact(...args: Args<"transact">): Promise<TransactionAnswer> {
    return this.#inner.transact(...args);
  }

  list(...args: Args<"list">): Promise<ListAnswer> {
    return this.#inner.list(...args);
  }

  async stored(...args: Parameters<NonNullable<Adapter["stored"]>>) {
    return (await this.#inner.stored?.(...args)) ?? { keys: [], cursor: undefined };
  }

  changes(...args: Args<"changes">): Promise<ChangesAnswer> {
    return this.#inner.changes(...args);
  }

  readVersion(...args: Args<"readVersion">): Promise<VersionAnswer> {
    return this.#inner.readVersion(...args);
  }

  history(...args: Args<"history">): Promise<HistoryAnswer> {
    return this.#inner.history(...args);
  }

  claimLoad(...args: Args<"claimLoad">): Promise<ClaimReply["claim"]> {
    return this.#inner.claimLoad(...args);
  }

  register(...args: Args<"register">): ReturnType<Adapter["register"]> {
    return this.#inner.register(...args);
  }

  unregister(...args: Args<"unregister">): Promise<boolean> {
    return this.#inner.unregister(...args);
  }

  async close(): Promise<void> {
    this.#failover.way?.view.close();
    await this.#inner.close();
  }
}
