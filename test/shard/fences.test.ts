import { describe, expect, it } from "vitest";
import { host } from "#host";
import { isWarpError } from "../../src/errors.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { FenceTable } from "../../src/shard/fence-table.ts";
import { Fences } from "../../src/shard/fences.ts";
import { migrate } from "../../src/shard/schema.ts";

const shards = 16;
const key = "{a}key";
/** A lock of the key's shard, and one of another. */
const near = "{a}lock";
const far = "elsewhere";

function fencesOver(work: (fences: Fences, held: Map<string, number>) => void): Promise<void> {
  return host.withSql(async (sql) => {
    migrate(sql);
    expect(shardOf(far, shards)).not.toBe(shardOf(key, shards));
    const held = new Map<string, number>();
    const locks = { isHeld: (lock: string, fence: number) => held.get(lock) === fence };
    work(new Fences({ table: new FenceTable(sql), locks, shards }), held);
  });
}

/** The code that a guard is refused with, or `ok`. */
function judged(fences: Fences, guarded: string, lock: string, fence: number): string {
  try {
    fences.check(guarded, { lock, fence });
    return "ok";
  } catch (error) {
    return isWarpError(error) ? error.code : String(error);
  }
}

describe("fences", () => {
  it("LK14 a lock of the key's shard must be held under the very fence, whatever the key has seen", () =>
    fencesOver((fences, held) => {
      expect(judged(fences, key, near, 7)).toBe("stale_fence");
      held.set(near, 7);
      expect([6, 7, 8].map((fence) => judged(fences, key, near, fence))).toEqual([
        "stale_fence",
        "ok",
        "stale_fence",
      ]);
      fences.remember(key, { lock: near, fence: 7 }, 0);
      held.delete(near);
      expect(judged(fences, key, near, 7)).toBe("stale_fence");
    }));

  it("LK14 of a lock elsewhere the key remembers the highest fence: equal and higher ones pass, lower ones never again", () =>
    fencesOver((fences) => {
      expect(judged(fences, key, far, 5)).toBe("ok");
      // Judging alone is no seeing.
      expect(judged(fences, key, far, 4)).toBe("ok");
      fences.remember(key, { lock: far, fence: 5 }, 0);
      expect([4, 5, 6].map((fence) => judged(fences, key, far, fence))).toEqual(["stale_fence", "ok", "ok"]);
      fences.remember(key, { lock: far, fence: 9 }, 0);
      fences.remember(key, { lock: far, fence: 6 }, 0);
      expect([8, 9].map((fence) => judged(fences, key, far, fence))).toEqual(["stale_fence", "ok"]);
    }));

  it("LK14 each key has its own memory of each lock", () =>
    fencesOver((fences) => {
      fences.remember(key, { lock: far, fence: 9 }, 0);
      expect(judged(fences, "{a}other", far, 1)).toBe("ok");
      expect(judged(fences, key, `${far}!`, 1)).toBe("ok");
      expect(judged(fences, key, far, 1)).toBe("stale_fence");
    }));
});
