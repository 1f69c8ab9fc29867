import { describe, expect, it } from "vitest";
import { standalone } from "../../src/presets/standalone.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { testWarp } from "../../src/testing.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";

const host = () => {
  const time = new ManualTime();
  return { clock: time, timers: time, random: seeded(1), background: { run: () => {} } };
};
const sums = [{ pattern: "n:*", options: { merge: "sum" } }];

describe("merge rules under a node", () => {
  it("ME1 rules of static registrations hold in a storage of this process, too", async () => {
    await using bed = testWarp({ registrations: sums, nodes: 2 });
    const [one, other] = bed.nodes;
    for (let i = 0; i < 5; i++) await Promise.all([one?.set("n:a", 1), other?.set("n:a", 1)]);
    expect([await one?.get("n:a"), await other?.get("n:a")]).toEqual([10, 10]);
    const single = standalone({ host: host(), registrations: sums });
    await single.set("n:a", 1);
    await single.set("n:a", 2);
    expect(await single.get("n:a")).toBe(3);
    await single.close();
  });

  it("ME3 functions of one's own are given by name", async () => {
    await using bed = testWarp({
      merges: {
        longest: (stored, operand) =>
          stored && stored.bytes.length > operand.bytes.length ? stored : operand,
      },
    });
    const { warp } = bed;
    await warp.register("k", { merge: "longest" });
    for (const word of ["a", "abc", "ab"]) await warp.set("k", word);
    expect(await warp.get("k")).toBe("abc");
    const merges = {
      bang: (_stored: unknown, operand: { bytes: Uint8Array; contentType: string }) => ({
        ...operand,
        bytes: utf8(JSON.stringify(`${JSON.parse(fromUtf8(operand.bytes))}!`)),
      }),
    };
    const single = standalone({ host: host(), merges });
    await single.register("k", { merge: "bang" });
    await single.set("k", "a");
    expect(await single.get("k")).toBe("a!");
    await single.close();
  });

  it("ME3 what the storage can't do is not registered", async () => {
    expect(() => standalone({ host: host(), storage: false, registrations: sums })).toThrow(
      expect.objectContaining({ code: "unsupported" }),
    );
    const none = standalone({ host: host(), storage: false });
    await expect(none.register("n:*", { merge: "sum" })).rejects.toMatchObject({ code: "unsupported" });
    const memory = standalone({ host: host() });
    const strong = { mode: "strong", quorum: 1 } as const;
    await expect(memory.register("k", strong)).rejects.toMatchObject({
      code: "unsupported",
      details: { field: "quorum" },
    });
    await expect(memory.register("k", { merge: "none-such" })).rejects.toMatchObject({
      code: "merge_rule_unknown",
    });
    await Promise.all([none.close(), memory.close()]);
  });

  it.each([
    [{ merge: "" }, "merge"],
    [{ merge: "a b" }, "merge"],
    [{ merge: 1 }, "merge"],
    [{ merge: "sum", mergeMaxElements: 5 }, "mergeMaxElements"],
    [{ mergeMaxElements: 5 }, "mergeMaxElements"],
    [{ merge: "append", mergeMaxElements: 0 }, "mergeMaxElements"],
    [{ merge: "append", mergeMaxElements: 10_001 }, "mergeMaxElements"],
    [{ quorum: 1 }, "quorum"],
    [{ mode: "strong", quorum: 65 }, "quorum"],
    [{ mode: "strong", quorum: 0 }, "quorum"],
    [{ mode: "strong", minZones: 1 }, "minZones"],
    [{ mode: "strong", quorum: 2, minZones: 3 }, "minZones"],
    [{ mode: "strong", quorum: 20, minZones: 17 }, "minZones"],
  ])("OU4 %o is no policy", async (options, field) => {
    await using bed = testWarp();
    await expect(bed.warp.register("k", options as object)).rejects.toMatchObject({
      code: "invalid_registration",
      details: { field },
    });
  });
});
