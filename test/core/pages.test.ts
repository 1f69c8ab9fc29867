import { describe, expect, it } from "vitest";
import { codeOf, coreBed } from "../support/core-bed.ts";

describe("pages", () => {
  it("CO5 what docs/policies.md shows runs as it stands there", async () => {
    const { warp } = coreBed().node();
    await warp.register("product:*", {
      cacheTtlMs: 60_000,
      graceMs: 3_600_000,
      softTimeoutMs: 50,
      hardTimeoutMs: 2_000,
      eagerRefresh: 0.2,
      jitter: 0.1,
      negativeTtlMs: 5_000,
    });
    expect(await warp.getEntry("product:1", { allowStale: true })).toBeUndefined();
    await warp.register("hot:*", {
      adaptive: { kind: "window", windowMs: 10_000, threshold: 20, coldTtlMs: 5_000, hotTtlMs: 300_000 },
    });
    await warp.register("feed:*", {
      cacheTtlMs: 10_000,
      adaptive: { kind: "multiplicative", factor: 2, minTtlMs: 5_000, maxTtlMs: 160_000 },
    });
    await warp.register("profile:*", {
      cacheTtlMs: 30_000,
      frequency: {
        withinMs: 1_000,
        incrementMs: 5_000,
        decrementMs: 5_000,
        minTtlMs: 10_000,
        maxTtlMs: 120_000,
      },
    });
    expect(await warp.registrations()).toHaveLength(4);
  });

  it("VE2 what docs/versioned-cache.md shows runs as it stands there", async () => {
    const { warp } = coreBed().node();
    await warp.register("doc:*", { history: { versions: 100, ageMs: 2_592_000_000 } });
    const { version } = await warp.set("doc:1", { title: "Draft" });
    await warp.set("doc:1", { title: "Final" });
    expect((await warp.getVersion<{ title: string }>("doc:1", version)).value?.title).toBe("Draft");
    expect((await warp.history("doc:1", { limit: 10 })).versions).toHaveLength(2);
    await warp.restore("doc:1", version);
    expect(await warp.get("doc:1")).toEqual({ title: "Draft" });
    expect(await codeOf(warp.getVersion("doc:1", 1_000_000))).toBe("invalid_version");
    expect(await codeOf(warp.getAt("doc:1", 9_000_000_000_000))).toBe("invalid_version");
  });
});
