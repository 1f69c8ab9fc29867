import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import type { ShardConnection } from "../../src/connection/shard-connection.ts";
import { WarpError } from "../../src/errors.ts";
import type { CallScope, Refusal, ShardApi, SpaceOptionsData } from "../../src/protocol/shard-api.ts";
import type { SpaceSettings } from "../../src/protocol/space.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";

/** What befalls a call: it never arrives, its answer is lost, it hangs for ever, or the shard refuses. */
export type Fate = "lost" | "answer lost" | "hangs" | Refusal;

/** A space of shards that keep their data in memory, and the mishaps of the calls to them. */
export class FakeSpace {
  readonly time = new ManualTime();
  readonly random = seeded(3);
  readonly name = "test";
  settings: SpaceSettings | undefined;
  deleting = false;
  /** Whether the home shard of a space that is being deleted says how many shards it had. */
  tellsShards = true;
  readonly storages = new Map<number, MemoryStorage>();
  /** All calls that were sent, as `method@shard`. */
  readonly sent: string[] = [];
  /** Scopes of the calls that had one. */
  readonly scopes: CallScope[] = [];
  closed = 0;
  #fates: { readonly call: string; readonly fate: Fate }[] = [];
  #lives = 0;

  /** Settles what befalls the next call of this name, e.g. `read@0`; asked for again, the one after. */
  next(call: string, fate: Fate): void {
    this.#fates.push({ call, fate });
  }

  /** Creates the space, in place of any that was there. */
  found(options: Partial<SpaceOptionsData> = {}): SpaceSettings {
    this.storages.clear();
    const { shards = 1, strict = false } = options;
    this.settings = { name: this.name, id: `life-${++this.#lives}`, shards, strict, createdAtMs: 0 };
    return this.settings;
  }

  connection(): ShardConnection {
    return {
      ...directConnection(this.name, (index) => this.#shard(index)),
      close: async () => {
        this.closed++;
      },
    };
  }

  storage(shard: number): MemoryStorage {
    let storage = this.storages.get(shard);
    if (storage === undefined) {
      storage = new MemoryStorage({ clock: this.time, random: this.random });
      this.storages.set(shard, storage);
    }
    return storage;
  }

  #shard(index: number): ShardApi {
    const api = this.#api(index);
    return new Proxy(api, {
      get:
        (target, method: keyof ShardApi) =>
        async (request: CallScope, ...rest: unknown[]) => {
          const call = `${method}@${index}`;
          this.sent.push(call);
          if (typeof request === "object") this.scopes.push(request);
          const at = this.#fates.findIndex((fate) => fate.call === call);
          const [planned] = at < 0 ? [] : this.#fates.splice(at, 1);
          const fate = planned?.fate;
          if (typeof fate === "object") return fate;
          if (fate === "lost") throw new Error("connection lost");
          const answer = await (target[method] as (...args: unknown[]) => Promise<unknown>)(request, ...rest);
          if (fate === "answer lost") throw new Error("connection lost");
          return fate === "hangs" ? await new Promise(() => {}) : answer;
        },
    });
  }

  #api(index: number): ShardApi {
    const stamp = () => ({
      epoch: this.storage(index).position.epoch,
      asOf: this.storage(index).position.revision,
      registrations: 0,
    });
    const admitted = <R>(scope: CallScope, work: () => R): R | Refusal => {
      if (scope.spaceId !== this.settings?.id) return refusal("unavailable", true);
      return work();
    };
    const unused = (): never => {
      throw new Error("not used here");
    };
    return {
      read: async (request) =>
        admitted(request, () => ({
          ...stamp(),
          entries: this.storage(index)
            .read(request.keys)
            .map((entry) => entry ?? null),
        })),
      mutate: async (request) =>
        admitted(request, () => {
          const verdicts = this.storage(index).apply(request.mutations);
          return { ...stamp(), verdicts };
        }),
      list: async (request) =>
        admitted(request, () => {
          const { prefix, after, limit, values } = request;
          return { ...stamp(), ...this.storage(index).list({ prefix, after, limit, values }) };
        }),
      changes: unused,
      readVersion: unused,
      history: unused,
      claimLoad: unused,
      transact: async (request) =>
        admitted(request, () => {
          const verdict = this.storage(index).transact(request.transaction);
          return { ...stamp(), verdict };
        }),
      resolve: async (request) =>
        admitted(request, () => {
          const resolutions = this.storage(index).resolve(request.opIds, request.seal ?? false);
          return { ...stamp(), resolutions };
        }),
      usage: async (request) =>
        admitted(request, () => {
          const keys = this.storage(index).list({
            prefix: "",
            after: undefined,
            limit: 1_000,
            values: false,
          });
          return {
            ...stamp(),
            keys: keys.items.length,
            valueBytes: 10,
            logEntries: 1,
            logFloor: 0,
            databaseBytes: 100,
          };
        }),
      getSpace: async () => {
        if (this.settings === undefined) return refusal("space_not_found");
        if (this.deleting)
          return refusal("space_deleting", false, this.tellsShards ? { shards: this.settings.shards } : {});
        return { space: this.settings, registrations: 0 };
      },
      createSpace: async (_space, options) => {
        if (this.settings !== undefined) return { space: this.settings, registrations: 0, created: false };
        return { space: this.found(options), registrations: 0, created: true };
      },
      deleteSpace: async (_space, step) => {
        if (step === "begin") {
          this.deleting = true;
          return { deleted: false };
        }
        this.storages.delete(index);
        if (index === 0) {
          this.settings = undefined;
          this.deleting = false;
        }
        return { deleted: true };
      },
      getRegistrations: unused,
      register: unused,
      unregister: unused,
      lock: unused,
      lease: unused,
      leaseInfo: unused,
      listLeases: unused,
      leaseKeys: unused,
      waitLock: unused,
      lockInfo: unused,
      listLocks: unused,
      observe: unused,
      publish: unused,
    };
  }
}

/** A shard's refusal. */
export function refusal(
  code: "unavailable" | "overloaded" | "space_not_found" | "space_deleting",
  stale = false,
  details: Record<string, number> = {},
): Refusal {
  const refused = new WarpError(code, `refused: ${code}`, { details }).toData();
  return stale ? { refused, stale } : { refused };
}
