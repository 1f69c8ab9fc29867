import type { Backing, BackingPage } from "../backing/backing.ts";
import { WarpError } from "../errors.ts";
import type { MutateReply, OutboxUsage, Refusal, TransactReply } from "../protocol/shard-api.ts";
import type { SpaceSettings, StorageSettings } from "../protocol/space.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Sql } from "../runtime/sql.ts";
import type { DueSource } from "./alarms.ts";
import type { OutboxBounds } from "./backing/outbox-count.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { PublishedLog } from "./published-log.ts";
import type { Report } from "./report.ts";
import type { Residence } from "./residence.ts";
import type { Supply } from "./supply.ts";
import type { WitnessSlot } from "./witness.ts";
import type { WritePath } from "./write-path.ts";

/** What a shard asks of its part that works with the storage behind it: `backing/behind.ts`, which only shards of such spaces load. */
export interface Behind {
  readonly due: DueSource;
  /** One call's way to what only the storage has. */
  begin(): Supply;
  /** A page of names under a prefix that the storage has, of all shards, from a cursor on (empty: from the beginning). */
  stored(prefix: string, cursor: string, limit: number): Promise<BackingPage | Refusal>;
  /** Why nothing may be written now: too much waits for the storage. */
  full(): Refusal | undefined;
  /** With `write: "through"`: waits until the storage has what these wrote, as long as the space says, and marks what it then has not. */
  mutated(reply: MutateReply): Promise<MutateReply>;
  transacted(reply: TransactReply): Promise<TransactReply>;
  usage(): OutboxUsage;
  /** Settles when nothing is on its way to the storage. Never rejects. */
  idle(): Promise<void>;
  /** Removes all that the space has in the storage; it can be repeated. Rejects with `storage_timeout`, `storage_unavailable`, `misconfigured`. */
  clear(): Promise<void>;
  /** The shard has left the space: what is under way is of no account any more. */
  end(): void;
}

/** What it works on. */
export interface BehindParts {
  readonly sql: Sql;
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly published: PublishedLog;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly maxValueBytes: number;
  /** Where changes of keys are told as they are made. */
  readonly witness: WitnessSlot;
  /** The way of changes that nobody asked for. */
  readonly path: Pick<WritePath, "take">;
  /** Told what an operator should know. */
  readonly report?: Report;
  /** How much may wait. Default: 100,000 entries, 256 MiB. */
  readonly bounds?: OutboxBounds;
}

export type OpenBehind = (
  parts: BehindParts,
  space: SpaceSettings & { readonly storage: StorageSettings },
  backing: Backing,
) => Behind;

/** The storages that a deployment knows. */
export interface BackingRegistry {
  readonly names: readonly string[];
  /** `() => import("…/shard/backing/behind.ts")`: it is no part of what every shard loads. */
  readonly load: () => Promise<BehindModule>;
  /** The storage of the space `space` under one of the names. Throws `misconfigured`. */
  readonly open: (name: string, space: string) => Backing | Promise<Backing>;
}

export interface BehindModule {
  readonly openBehind: OpenBehind;
  /** A storage that can't be used for this reason. */
  readonly brokenBacking: (error: WarpError) => Backing;
}

/** The place of what stands behind a shard: empty until the first call in a space that has a storage. */
export class BehindSlot {
  readonly #registry: BackingRegistry | undefined;
  readonly #parts: BehindParts;
  #loading: { readonly id: string; readonly done: Promise<void> } | undefined;
  #present: { readonly id: string; readonly behind: Behind } | undefined;

  constructor(registry: BackingRegistry | undefined, parts: BehindParts) {
    this.#registry = registry;
    this.#parts = parts;
  }

  /** Undefined: the space has no storage, or it is not loaded (no call has passed {@link ready} yet). */
  get present(): Behind | undefined {
    return this.#present?.behind;
  }

  /** Throws `invalid_argument` for a storage that the deployment does not know. */
  check(storage: StorageSettings | undefined): void {
    if (storage === undefined) return;
    const { names = [] } = this.#registry ?? {};
    if (names.includes(storage.name)) return;
    const known = names.length === 0 ? "it knows none" : `it knows ${names.join(", ")}`;
    throw new WarpError("invalid_argument", `the deployment knows no storage of this name; ${known}`, {
      details: { field: "storage.name", known: names },
    });
  }

  /** What a call has to wait for; undefined: nothing. Rejects with `misconfigured`, `unavailable`. */
  ready(space: SpaceSettings | undefined): Promise<void> | undefined {
    if (space?.storage === undefined || this.#present?.id === space.id) return undefined;
    if (this.#loading?.id === space.id) return this.#loading.done;
    const { id, storage } = space;
    const loading = { id, done: this.#load({ ...space, storage }) };
    this.#loading = loading;
    const ended = (): void => {
      if (this.#loading === loading) this.#loading = undefined;
    };
    loading.done.then(ended, ended);
    return loading.done;
  }

  /** The shard has left its space. */
  end(): void {
    this.#present?.behind.end();
    this.#present = undefined;
    this.#loading = undefined;
  }

  async #load(space: SpaceSettings & { readonly storage: StorageSettings }): Promise<void> {
    const registry = this.#registry;
    const { name } = space.storage;
    if (registry === undefined)
      throw new WarpError("misconfigured", `the deployment knows no storage ${name}`);
    const { openBehind, brokenBacking } = await registry.load();
    let backing: Backing;
    try {
      if (!registry.names.includes(name))
        throw new WarpError("misconfigured", `the deployment knows no storage ${name}`);
      backing = await registry.open(name, space.name);
    } catch (error) {
      // What the shard itself holds is served all the same.
      backing = brokenBacking(WarpError.from(error, "misconfigured", `the storage ${name} can't be used`));
    }
    if (this.#loading?.id !== space.id) return backing.close();
    this.#present = { id: space.id, behind: openBehind(this.#parts, space, backing) };
  }
}
