import { WarpError } from "../errors.ts";
import type { Fallback, StreamPlace } from "../fallback/fallback.ts";
import type { CallScope, FallbackUsage, Refusal, Verdict } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { DueSource } from "./alarms.ts";
import type { BehindParts } from "./behind.ts";
import type { Followed } from "./follow-mark.ts";
import type { Ledger } from "./ledger.ts";
import type { Report } from "./report.ts";
import type { MutationOperation } from "./strong/operation.ts";

/** What a shard asks of its part that follows the stream of proposals: `fallback/follower.ts`, which only shards of spaces with a fallback load. */
export interface Follower {
  readonly due: DueSource;
  /** Settles when all proposals up to a place are applied, or the stream has lost them. Rejects with `unavailable`, `storage_timeout`, `storage_unavailable`. */
  drain(place: StreamPlace): Promise<void>;
  /** The space's registrations have changed: nodes that can't reach it are to know. */
  changed(): void;
  usage(): FallbackUsage;
  /** Settles when nothing is under way. Never rejects. */
  idle(): Promise<void>;
  /** Removes the streams of all the space's shards; it can be repeated. Rejects with `storage_timeout`, `storage_unavailable`. */
  clear(): Promise<void>;
  /** The shard has left the space: what is under way is of no account any more. */
  end(): void;
}

/** What it works on. */
export interface FollowerParts extends BehindParts {
  readonly writes: Carrier;
  readonly followed: Followed;
  readonly maxPollMs?: number;
  /** Told what an operator should know. */
  readonly report?: Report;
}

/** What carries proposals out. */
export interface Carrier {
  /**
   * Carries operations of the shard's own out as `mutate` would, and `note` in their commit, with what became of them. Gives a refusal where that has to wait; nothing was done then.
   */
  carry(
    scope: CallScope,
    operations: readonly MutationOperation[],
    admit: (ledger: Ledger) => Ledger | Refusal,
    note: (ledger: Ledger, verdicts: readonly Verdict[]) => void,
  ): Promise<Refusal | undefined>;
}

export type OpenFollower = (parts: FollowerParts, space: SpaceSettings, fallback: Fallback) => Follower;

/** The fallbacks that a deployment knows. */
export interface FallbackRegistry {
  readonly names: readonly string[];
  /** `() => import("…/shard/fallback/follower.ts")`: it is no part of what every shard loads. */
  readonly load: () => Promise<{ readonly openFollower: OpenFollower }>;
  /** The streams of the space `space` in one of them. Throws `misconfigured`. */
  readonly open: (name: string, space: string) => Fallback | Promise<Fallback>;
  /** Longest time between two looks of a shard at its stream, ms: 1,000 or more. Default 60,000. */
  readonly maxPollMs?: number;
}

/** The place of what follows the stream: empty until the first call in a space that has a fallback. */
export class FollowSlot {
  readonly #registry: FallbackRegistry | undefined;
  readonly #parts: () => FollowerParts;
  #loading: { readonly id: string; readonly done: Promise<Follower> } | undefined;
  #present: { readonly id: string; readonly follower: Follower } | undefined;
  /** What a session has proposed before this shard belonged to a space. */
  #owed: StreamPlace | undefined;
  /** Why it could not be loaded. */
  #error: WarpError | undefined;

  constructor(registry: FallbackRegistry | undefined, parts: () => FollowerParts) {
    this.#registry = registry;
    this.#parts = parts;
  }

  /** Undefined: the space has no fallback, or it is not loaded yet. */
  get present(): Follower | undefined {
    return this.#present?.follower;
  }

  /** What became of proposals; undefined: the space has no fallback, or it is not loaded yet. */
  get usage(): FallbackUsage | undefined {
    if (this.present !== undefined) return this.present.usage();
    if (this.#error === undefined) return undefined;
    return { applied: 0, repeated: 0, refused: 0, foreign: 0, losses: 0, error: this.#error.toData() };
  }

  /** Throws `invalid_argument` for a fallback that the deployment does not know. */
  check(name: string | undefined): void {
    if (name === undefined) return;
    const { names = [] } = this.#registry ?? {};
    if (names.includes(name)) return;
    const known = names.length === 0 ? "it knows none" : `it knows ${names.join(", ")}`;
    throw new WarpError("invalid_argument", `the deployment knows no fallback of this name; ${known}`, {
      details: { field: "fallback", known: names },
    });
  }

  /** What a call has to wait for: only for what its node has proposed. It rejects as {@link Follower.drain}, and with `misconfigured`. */
  enter(space: SpaceSettings | undefined, drain: StreamPlace | undefined): Promise<void> | undefined {
    if (space === undefined) {
      this.#owed = drain ?? this.#owed;
      return undefined;
    }
    if (space.fallback === undefined) return undefined;
    const owed = this.#owed;
    const loading = this.#ready(space);
    if (drain === undefined && owed === undefined) {
      // Who has proposed nothing does not wait. Why it could not be loaded is told to those who do.
      if (loading !== undefined) void loading.catch(() => undefined);
      return undefined;
    }
    return this.#drained(loading, drain, owed);
  }

  /** What the alarm has to wait for. Never rejects. */
  async woken(space: SpaceSettings): Promise<void> {
    if (space.fallback !== undefined) await this.#ready(space)?.catch(() => undefined);
  }

  /** Removes what the space has in its fallback. Rejects as {@link Follower.clear}, and with `misconfigured`. */
  async clear(space: SpaceSettings): Promise<void> {
    if (space.fallback === undefined) return;
    await this.#ready(space);
    await this.present?.clear();
  }

  /** The shard has left its space. */
  end(): void {
    this.#present?.follower.end();
    this.#present = undefined;
    this.#loading = undefined;
    this.#owed = undefined;
    this.#error = undefined;
  }

  async #drained(
    loading: Promise<Follower> | undefined,
    drain: StreamPlace | undefined,
    owed: StreamPlace | undefined,
  ): Promise<void> {
    const follower = (await loading) ?? this.present;
    for (const place of [drain, owed]) if (place !== undefined) await follower?.drain(place);
    if (this.#owed === owed) this.#owed = undefined;
  }

  #ready(space: SpaceSettings): Promise<Follower> | undefined {
    if (this.#present?.id === space.id) return undefined;
    if (this.#loading?.id === space.id) return this.#loading.done;
    const loading = { id: space.id, done: this.#load(space) };
    this.#loading = loading;
    const ended = (error: WarpError | undefined): void => {
      if (this.#loading !== loading) return;
      this.#loading = undefined;
      this.#error = error;
    };
    loading.done.then(
      () => ended(undefined),
      (error: unknown) => ended(WarpError.from(error, "unavailable", "the fallback can't be opened")),
    );
    return loading.done;
  }

  async #load(space: SpaceSettings): Promise<Follower> {
    const { fallback: name = "" } = space;
    const registry = this.#registry;
    if (registry === undefined || !registry.names.includes(name)) {
      throw new WarpError("misconfigured", `the deployment knows no fallback ${name}`);
    }
    const [{ openFollower }, fallback] = await Promise.all([
      registry.load(),
      registry.open(name, space.name),
    ]);
    if (this.#loading?.id !== space.id) {
      fallback.close();
      throw new WarpError("unavailable", "the shard has left the space meanwhile");
    }
    const { maxPollMs } = registry;
    const parts = { ...this.#parts(), ...(maxPollMs !== undefined && { maxPollMs }) };
    const follower = openFollower(parts, space, fallback);
    this.#present = { id: space.id, follower };
    return follower;
  }
}
