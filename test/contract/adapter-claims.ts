import { expect, it } from "vitest";
import { type AdapterUnderTest, failure, Tester } from "./adapter-bed.ts";

const asking = { key: "a", holder: "one", ttlMs: 1_000, waitMs: 0 } as const;

/** Lets what can run without time passing run. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** Claims on loads, shared by all nodes. */
export function claimCases(driver: AdapterUnderTest): void {
  if (!driver.supports.claims) {
    it("claims on loads are refused where the driver has none", () =>
      driver.run(async (bed) => {
        expect(await failure(new Tester(bed).adapter.claimLoad(asking))).toMatchObject({
          code: "unsupported",
        });
      }));
    return;
  }

  /** Two nodes, and how one that asks learns the answer. */
  const nodes = (work: (t: Tester, other: Tester, advance: (ms: number) => void) => Promise<void>) =>
    driver.run(async (bed) => {
      const [t, other] = [new Tester(bed), new Tester(bed)];
      await t.set("present", "1");
      await work(t, other, (ms) => bed.time.advance(ms));
    });

  it("CO2 one holder at a time: the same again is granted, another is busy, until it is released or its time is over", () =>
    nodes(async (t, other, advance) => {
      expect(await t.adapter.claimLoad(asking)).toBe("granted");
      expect(await t.adapter.claimLoad(asking)).toBe("granted");
      expect(await other.adapter.claimLoad({ ...asking, holder: "two" })).toBe("busy");
      expect(await other.adapter.claimLoad({ ...asking, holder: "two", key: "b" })).toBe("granted");
      // Nobody ends the claim of another.
      expect(await other.adapter.claimLoad({ ...asking, holder: "two", release: true })).toBe("released");
      expect(await other.adapter.claimLoad({ ...asking, holder: "two" })).toBe("busy");
      expect(await t.adapter.claimLoad({ ...asking, release: true })).toBe("released");
      expect(await other.adapter.claimLoad({ ...asking, holder: "two" })).toBe("granted");
      advance(999);
      expect(await t.adapter.claimLoad(asking)).toBe("busy");
      advance(1);
      expect(await t.adapter.claimLoad(asking)).toBe("granted");
    }));

  it("CO2 who waits learns at once that the key was written, deleted or released", () =>
    nodes(async (t, other) => {
      const ends = [
        () => t.set("a", "1"),
        () => t.delete("a"),
        () => t.adapter.claimLoad({ ...asking, release: true }),
      ];
      for (const end of ends) {
        expect(await t.adapter.claimLoad(asking)).toBe("granted");
        let heard: string | undefined;
        const wait = other.adapter.claimLoad({ ...asking, holder: "two", waitMs: 500 }).then((answer) => {
          heard = answer;
        });
        await settle();
        expect(heard).toBeUndefined();
        await end();
        await wait;
        expect(heard).toBe("changed");
      }
    }));

  it("CO2 an invalidation or a refused write ends no claim", () =>
    nodes(async (t, other) => {
      await t.adapter.claimLoad(asking);
      await t.one({ kind: "invalidate", opId: t.opId(), key: "a" });
      await t.set("a", "1", { when: { anyOf: "*" } });
      expect(await other.adapter.claimLoad({ ...asking, holder: "two" })).toBe("busy");
    }));

  it("CO2 a wait ends busy after waitMs, changed when the claim's time is over", () =>
    nodes(async (t, other, advance) => {
      await t.adapter.claimLoad(asking);
      const [short, long] = [400, 5_000].map((waitMs) =>
        other.adapter.claimLoad({ ...asking, holder: "two", waitMs }),
      );
      await settle();
      advance(400);
      expect(await short).toBe("busy");
      advance(600);
      expect(await long).toBe("changed");
    }));

  it("OU4 times, holders and keys out of range are refused by name", () =>
    nodes(async (t) => {
      const wrong = [
        { ttlMs: 99 },
        { ttlMs: 120_001 },
        { ttlMs: 100.5 },
        { waitMs: -1 },
        { waitMs: 30_001 },
        { waitMs: Number.NaN },
        { holder: "" },
        { holder: "h".repeat(129) },
      ];
      for (const part of wrong) {
        expect(await failure(t.adapter.claimLoad({ ...asking, ...part }))).toMatchObject({
          code: "invalid_argument",
          details: { field: Object.keys(part)[0] },
        });
      }
      expect(await failure(t.adapter.claimLoad({ ...asking, key: "" }))).toMatchObject({
        code: "invalid_key",
      });
    }));
}
