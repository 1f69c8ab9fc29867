import { type CallScope, isRefusal, type Refusal, type ShardApi } from "../protocol/shard-api.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Ledger } from "./ledger.ts";
import { stale } from "./refusal.ts";
import type { Residence } from "./residence.ts";

/** What a call is about to do. To tell a key's versions takes its present policy, as a write does; a read of its value does not. */
export type Intent = "read" | "versions" | "write";

/** The home shard (0) of a space, asked by the others for what it alone knows. */
export type Home = Pick<ShardApi, "getSpace" | "getRegistrations">;

/**
 * Lets calls in. Most pass without waiting; a shard that is not the home shard asks that one at its first write, when the space was
 * made anew, and when a caller knows newer registrations.
 */
export class Admission {
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #home: (space: string) => Home;

  constructor(residence: Residence, commit: GroupCommit, home: (space: string) => Home) {
    this.#residence = residence;
    this.#commit = commit;
    this.#home = home;
  }

  /** The ledger; a refusal; or undefined for a read of a shard that was never written to. */
  async admit(request: CallScope, intent: Intent): Promise<Ledger | Refusal | undefined> {
    if (request.shard === 0) return this.#residence.admit(request);
    let ledger = this.#residence.open();
    if (ledger !== undefined && ledger.space.id !== request.spaceId) {
      const home = await this.#home(request.space).getSpace(request.space);
      if (!isRefusal(home) && home.space.id === ledger.space.id) return stale();
      // The space that this shard belonged to is gone: what is here is its remains.
      await this.#residence.wipe();
      ledger = undefined;
    }
    if (ledger === undefined) {
      if (intent !== "write") return undefined;
      const home = await this.#home(request.space).getSpace(request.space);
      if (isRefusal(home)) return home;
      if (home.space.id !== request.spaceId) return stale();
      ledger = await this.#commit.submit(() => this.#residence.open() ?? this.#residence.found(home.space));
    }
    if (intent !== "read" && request.registrations > ledger.registrationVersion) {
      const refused = await this.#fetchRegistrations(request);
      if (refused !== undefined) return refused;
    }
    return this.#residence.admit(request);
  }

  async #fetchRegistrations(request: CallScope): Promise<Refusal | undefined> {
    const home = await this.#home(request.space).getRegistrations({ ...request, shard: 0 });
    if (isRefusal(home)) return home;
    await this.#commit.submit(() => {
      const ledger = this.#residence.open();
      if (ledger === undefined || home.registrations <= ledger.registrationVersion) return;
      ledger.registered(ledger.registrations.replaceAll(home.list));
      ledger.registrationVersion = home.registrations;
    });
    return undefined;
  }
}
