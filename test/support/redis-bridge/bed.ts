import { inject } from "vitest";
import { BedControl, post } from "../../../scripts/redis-bridge/bed-control.ts";
import type { BedAddress, BedRequest } from "../../../scripts/redis-bridge/bed-state.ts";

const bridge = inject("redisBridge");

/** Why the suites against Redis are skipped here; undefined: they run. */
export const withoutRedis = "missing" in bridge ? bridge.missing : undefined;

/** One empty database behind a REST surface of its own, with what can be done to it. Runs in Node and workerd. */
export class RedisBed extends BedControl {
  static async open(request: BedRequest = {}): Promise<RedisBed> {
    if (!("url" in bridge)) throw new Error(bridge.missing);
    return new RedisBed((await post(`${bridge.url}/beds`, request)) as BedAddress);
  }

  /** Runs `work` with a bed that is gone afterwards. */
  static async with<T>(work: (bed: RedisBed) => Promise<T>, request: BedRequest = {}): Promise<T> {
    const bed = await RedisBed.open(request);
    try {
      return await work(bed);
    } finally {
      await bed.end();
    }
  }
}
