import { expect, it } from "vitest";
import { type AdapterUnderTest, codeOf, plain, Tester } from "./adapter-bed.ts";

const key = "{a}key";
/** Of the right form, and nobody's. */
const lease = "lease0123456789ab";

/** `lease` on writes, as far as it needs no lease; the rest is the contract of leases. */
export function leaseCases({ supports, run }: AdapterUnderTest): void {
  const title = supports.leases
    ? "LS1 a write for a lease that is not there is refused and not done"
    : "without leases a write for one is refused and not done";
  it(title, () =>
    run(async (bed) => {
      const t = new Tester(bed);
      const code = supports.leases ? "lease_not_found" : "unsupported";
      expect(codeOf(await t.set(key, "v", { lease }))).toBe(code);
      expect(codeOf(await t.set(key, "v", { lease: "no id" }))).toBe("invalid_argument");
      if (supports.merge) {
        await t.register("*", { merge: "sum" });
        expect(codeOf(await t.merge(key, 1, { lease }))).toBe(code);
      }
      if (supports.transactions) {
        const write = { kind: "set", key, payload: plain("v"), lease } as const;
        expect(codeOf(await t.transact({ success: [write] }))).toBe(code);
      }
      expect(await t.entry(key)).toBeUndefined();
    }),
  );
}
