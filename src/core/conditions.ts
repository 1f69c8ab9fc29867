import type { CallOptions, Precondition } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { Call } from "./call.ts";
import { versionCondition } from "./draft.ts";
import type { Follower } from "./follower.ts";
import type { Loader } from "./loader.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";

/** What `ifVersion` means to the storage. */
export class Conditions {
  readonly #parts: Parts;
  readonly #follower: Follower;
  readonly #loader: Loader;

  constructor(parts: Parts, follower: Follower, loader: Loader) {
    this.#parts = parts;
    this.#follower = follower;
    this.#loader = loader;
  }

  /** The precondition of a version. The shard's epoch is part of it, so that the shard may have to be asked first. */
  async of(
    key: string,
    ifVersion: number,
    settings: Policy,
    options: CallOptions | undefined,
  ): Promise<Precondition> {
    if (ifVersion === 0) return versionCondition(0, "");
    const shard = this.#parts.adapter.shardOf(key);
    if (this.#follower.epoch(shard) === undefined) {
      const [answer] = await this.#loader.load([{ key, settings }], new Call(this.#parts, options));
      if (answer !== undefined && !("value" in answer)) throw answer.error;
    }
    const epoch = this.#follower.epoch(shard);
    if (epoch === undefined) throw new WarpError("internal", "the shard's epoch is not known");
    return versionCondition(ifVersion, epoch);
  }
}
