import { describe, expect, it } from "vitest";
import { standalone } from "../../src/presets/standalone.ts";
import { codeOf, coreBed } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

async function kept(history = { versions: 3 }) {
  const bed = coreBed();
  const { warp } = bed.node();
  await warp.register("k*", { mode: "local", history });
  return { bed, warp, clock: bed.clock };
}

describe("kept versions", () => {
  it("CORE-03 VE2 after v1 and then v2, the value at a moment between them is v1", async () => {
    const { warp, clock } = await kept();
    const start = clock.now();
    await clock.advance(10);
    const one = await warp.set("k", "v1", { tags: ["t"] });
    await clock.advance(10);
    const between = clock.now();
    await clock.advance(10);
    await warp.set("k", "v2");
    expect(await warp.getAt("k", between)).toMatchObject({
      key: "k",
      value: "v1",
      version: one.version,
      etag: one.etag,
      kind: "set",
      tags: ["t"],
    });
    expect((await warp.getAt("k", new Date(clock.now())))?.value).toBe("v2");
    expect(await codeOf(warp.getAt("k", start))).toMatch(/no error|version_compacted/);
    expect(await warp.getVersion("k", one.version)).toMatchObject({ value: "v1" });
  });

  it("CORE-04 VE2 a value whose own life is over is not there now, and was there before", async () => {
    const { warp, clock } = await kept();
    await warp.set("k", "v1", { expiresInMs: 5 });
    const alive = clock.now() + 1;
    await clock.advance(10);
    expect(await warp.getAt("k", clock.now())).toBeUndefined();
    expect((await warp.getAt("k", alive))?.value).toBe("v1");
  });

  it("VE4 a delete is a version, without a value", async () => {
    const { warp, clock } = await kept();
    await warp.set("k", 1);
    await clock.advance(5);
    await warp.delete("k");
    const { versions } = await warp.history("k");
    expect(versions.map(({ kind }) => kind)).toEqual(["delete", "set"]);
    expect(await warp.getAt("k", clock.now())).toBeUndefined();
    expect(await warp.getVersion("k", versions[0]?.version ?? 0)).toMatchObject({
      kind: "delete",
      value: undefined,
    });
  });

  it("VE1 VE5 history comes in pages, newest first; what is beyond it is version_compacted", async () => {
    const { warp } = await kept();
    const made: number[] = [];
    for (let i = 0; i < 6; i++) made.push((await warp.set("k", i)).version);
    const first = await warp.history("k", { limit: 2 });
    expect([first.versions.map(({ version }) => version), first.more]).toEqual([[made[5], made[4]], true]);
    const rest = await warp.history("k", { before: made[4] ?? 0 });
    expect([rest.versions.map(({ version }) => version), rest.more]).toEqual([[made[3]], false]);
    expect(await codeOf(warp.getVersion("k", made[0] ?? 0))).toBe("version_compacted");
    expect(await codeOf(warp.getVersion("k", 0))).toBe("invalid_version");
    expect(await codeOf(warp.getAt("k", Number.NaN))).toBe("invalid_argument");
    expect(await codeOf(warp.history("k", { limit: 0 }))).toBe("invalid_limit");
  });

  it("VE2 CO4 restore makes a kept version the present one, as a new version; this node reads it at once", async () => {
    const { warp, clock } = await kept();
    const one = await warp.set("k", "v1");
    const two = await warp.set("k", "v2");
    await clock.advance(5);
    expect(await codeOf(warp.restore("k", one.version, { ifVersion: one.version }))).toBe(
      "precondition_failed",
    );
    const back = await warp.restore("k", one.version, { ifVersion: two.version });
    expect(back.version).toBeGreaterThan(two.version);
    expect(await warp.get("k")).toBe("v1");
  });

  it("VE2 scopes have the same, typed by their values and ids", async () => {
    const { warp, clock } = await kept();
    const scope = warp.scope<{ n: number }>("k*", { mode: "local", history: { versions: 3 } });
    const { version } = await scope.set("1", { n: 1 });
    const then = clock.now();
    await clock.advance(1);
    await scope.set("1", { n: 2 });
    expect((await scope.getAt("1", then))?.value.n).toBe(1);
    expect((await scope.getVersion("1", version)).value?.n).toBe(1);
    expect((await scope.history("1")).versions).toHaveLength(2);
    await scope.restore("1", version);
    expect(await scope.get("1")).toEqual({ n: 1 });
    const one = warp.scope<string>("kept");
    await one.set("a");
    expect((await one.history()).versions).toHaveLength(1);
  });

  it("VE2 a storage that keeps no versions says so", async () => {
    const clock = virtualClock();
    const warp = standalone({
      storage: false,
      host: {
        clock,
        timers: clock,
        random: seeded(1),
        background: { run: (work) => void work.catch(() => undefined) },
      },
    });
    expect(await codeOf(warp.getVersion("k", 1))).toBe("unsupported");
    expect(await codeOf(warp.history("k"))).toBe("unsupported");
  });
});
