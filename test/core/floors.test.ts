import { describe, expect, it } from "vitest";
import { Floors } from "../../src/core/floors.ts";
import { seeded } from "../support/seeded.ts";

const shardOf = (key: string): number => key.charCodeAt(0) % 2;

describe("CO3 floors", () => {
  it("hold per key, per prefix and per shard, and the highest counts", () => {
    const floors = new Floors(shardOf);
    expect(floors.of("b1", 0)).toBe(Number.NEGATIVE_INFINITY);
    floors.raiseKey("b1", 5);
    floors.raiseKey("b1", 3);
    expect(floors.of("b1", 0)).toBe(5);
    floors.raisePrefix("b", 7, 0);
    expect([floors.of("b1", 0), floors.of("b2", 0), floors.of("a", 1)]).toEqual([
      7,
      7,
      Number.NEGATIVE_INFINITY,
    ]);
    floors.raisePrefix("", 6);
    expect([floors.of("b1", 0), floors.of("a", 1)]).toEqual([7, 6]);
    floors.raiseShard(1, 9);
    expect(floors.of("a", 1)).toBe(9);
    floors.reset(0, 1);
    expect(floors.of("b1", 0)).toBe(6);
  });

  it("are bounded: what goes raises its shard's floor, so that no floor is ever lowered", () => {
    const seed = 42;
    const random = seeded(seed);
    const floors = new Floors(shardOf, 20, 4);
    const model = new Map<string, number>();
    const prefixes: { readonly prefix: string; readonly shard: number | undefined; readonly at: number }[] =
      [];
    const keys = Array.from({ length: 200 }, (_, i) => `${random.pick(["a", "b", "c"])}${i}`);
    for (let at = 1; at < 3_000; at++) {
      const key = random.pick(keys);
      if (random.below(10) === 0) {
        const prefix = key.slice(0, random.below(3));
        const shard = random.pick([undefined, 0, 1]);
        floors.raisePrefix(prefix, at, shard);
        prefixes.push({ prefix, shard, at });
      } else {
        floors.raiseKey(key, at);
        model.set(key, at);
      }
      for (let probe = 0; probe < 5; probe++) {
        const probed = random.pick(keys);
        const shard = shardOf(probed);
        const least = Math.max(
          model.get(probed) ?? Number.NEGATIVE_INFINITY,
          ...prefixes
            .filter((entry) => (entry.shard ?? shard) === shard && probed.startsWith(entry.prefix))
            .map((entry) => entry.at),
        );
        expect(floors.of(probed, shard), `seed ${seed}`).toBeGreaterThanOrEqual(least);
        // The log goes on past every floor: nothing is refused for ever.
        expect(floors.of(probed, shard)).toBeLessThanOrEqual(at);
      }
    }
  });
});
