import type { CallOptions } from "../adapter/adapter.ts";
import { Scope, type ScopeParts } from "./scope.ts";
import type { GetOrSetOptions, Source } from "./sourcing.ts";
import type {
  CasOptions,
  DeleteOptions,
  Entry,
  HistoryOptions,
  HistoryPage,
  InvalidateResult,
  KeptEntry,
  Lookup,
  MergeOptions,
  MutationOptions,
  MutationResult,
  Operand,
  PublishCall,
  Published,
  ReadCall,
  ScopeWatchCall,
  VersionEntry,
  WriteOptions,
} from "./types.ts";
import type { WatchHandle } from "./watch.ts";

/** One key with its policy and type: what `warp.scope` makes of a pattern without `*`. */
export class KeyScope<T> {
  readonly #scope: Scope<T>;

  constructor(parts: ScopeParts<T>) {
    this.#scope = new Scope(parts);
  }

  get pattern(): string {
    return this.#scope.pattern;
  }

  peek(): T | undefined {
    return this.#scope.peek("");
  }

  get(options?: ReadCall): Promise<T | undefined> {
    return this.#scope.get("", options);
  }

  getEntry(options?: ReadCall): Promise<Entry<T> | undefined> {
    return this.#scope.getEntry("", options);
  }

  lookup(options?: ReadCall): Promise<Lookup<T>> {
    return this.#scope.lookup("", options);
  }

  getOrSet(source: () => T | Promise<T>, options?: Omit<GetOrSetOptions<T>, "codec">): Promise<T>;
  getOrSet(source: Source<T>, options?: Omit<GetOrSetOptions<T>, "codec">): Promise<T | undefined>;
  getOrSet(source: Source<T>, options?: Omit<GetOrSetOptions<T>, "codec">): Promise<T | undefined> {
    return this.#scope.getOrSet("", source, options);
  }

  set(value: T, options?: Omit<WriteOptions<T>, "codec">): Promise<MutationResult> {
    return this.#scope.set("", value, options);
  }

  merge(operand: Operand<T>, options?: Omit<MergeOptions<T>, "codec">): Promise<MutationResult> {
    return this.#scope.merge("", operand, options);
  }

  cas(expected: T | undefined, value: T, options?: Omit<CasOptions<T>, "codec">): Promise<MutationResult> {
    return this.#scope.cas("", expected, value, options);
  }

  delete(options?: DeleteOptions): Promise<MutationResult> {
    return this.#scope.delete("", options);
  }

  getAt(time: number | Date, options?: CallOptions): Promise<KeptEntry<T> | undefined> {
    return this.#scope.getAt("", time, options);
  }

  getVersion(version: number, options?: CallOptions): Promise<VersionEntry<T>> {
    return this.#scope.getVersion("", version, options);
  }

  history(options?: HistoryOptions): Promise<HistoryPage> {
    return this.#scope.history("", options);
  }

  restore(version: number, options?: DeleteOptions): Promise<MutationResult> {
    return this.#scope.restore("", version, options);
  }

  /** See `Warp.watch`. */
  watch(options?: Omit<ScopeWatchCall<T>, "id" | "prefix">): WatchHandle<T> {
    return this.#scope.watch({ ...options, id: "" });
  }

  publish(value: T, options?: Omit<PublishCall<T>, "codec">): Promise<Published> {
    return this.#scope.publish("", value, options);
  }

  invalidate(options?: MutationOptions): Promise<InvalidateResult> {
    return this.#scope.invalidate([""], options);
  }

  invalidateLocal(): Promise<number> {
    return this.#scope.invalidateLocal([""]);
  }
}
