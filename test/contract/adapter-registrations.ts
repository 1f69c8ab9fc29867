import { expect, it } from "vitest";
import type { RegistrationSettings } from "../../src/protocol/registration.ts";
import { type AdapterUnderTest, codeOf, failure, Tester } from "./adapter-bed.ts";

const settings: RegistrationSettings = { mode: "eventual", cacheTtlMs: 60_000, maxStalenessMs: 1_000 };
const others: RegistrationSettings = { ...settings, cacheTtlMs: 70_000 };

/** Registrations kept with the space (rule CO1). */
export function registrationCases(driver: AdapterUnderTest): void {
  if (!driver.supports.registrations) {
    it("CO1 registrations are refused where the driver keeps none", () =>
      driver.run(async (bed) => {
        const { adapter } = new Tester(bed);
        expect(await failure(adapter.registrations())).toMatchObject({ code: "unsupported" });
        expect(await failure(adapter.register("a*", settings))).toMatchObject({ code: "unsupported" });
        expect(await failure(adapter.unregister("a*"))).toMatchObject({ code: "unsupported" });
        expect(adapter.registrationsSeen).toBe(0);
      }));
    return;
  }

  it("CO1 a registration is shared; the same again confirms, another is a conflict until its version is named", () =>
    driver.run(async (bed) => {
      const [t, other] = [new Tester(bed), new Tester(bed)];
      const { registration, created } = await t.adapter.register("user:*", settings);
      expect(created).toBe(true);
      expect(registration).toMatchObject({ pattern: "user:*", settings, source: "space" });
      expect(registration.version).toBeGreaterThan(0);
      expect(await other.adapter.register("user:*", { ...settings })).toEqual({
        registration,
        created: false,
      });
      expect(await failure(other.adapter.register("user:*", others))).toMatchObject({
        code: "registration_conflict",
        outcome: "fail",
      });
      expect(await other.adapter.registrations()).toEqual({
        version: registration.version,
        list: [registration],
      });

      const { version } = registration;
      expect(await failure(t.adapter.register("user:*", others, { ifVersion: version + 1 }))).toMatchObject({
        code: "precondition_failed",
      });
      const changed = await t.adapter.register("user:*", others, { ifVersion: version });
      expect(changed).toMatchObject({ created: false, registration: { settings: others } });
      expect(changed.registration.version).toBeGreaterThan(version);
      expect((await other.adapter.registrations()).list).toEqual([changed.registration]);
    }));

  it("CO1 removing a registration is seen by all; there is nothing to remove twice", () =>
    driver.run(async (bed) => {
      const [t, other] = [new Tester(bed), new Tester(bed)];
      await t.adapter.register("a", settings);
      const before = (await other.adapter.registrations()).version;
      expect(await t.adapter.unregister("a")).toBe(true);
      expect(await t.adapter.unregister("a")).toBe(false);
      const after = await other.adapter.registrations();
      expect(after.list).toEqual([]);
      expect(after.version).toBeGreaterThan(before);
    }));

  it("CO1 patterns and expectations that can't be are refused", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      expect(await failure(t.adapter.register("", settings))).toMatchObject({ code: "invalid_pattern" });
      expect(await failure(t.adapter.register("k".repeat(514), settings))).toMatchObject({
        code: "invalid_pattern",
      });
      expect(await failure(t.adapter.register("a", settings, { ifVersion: 7 }))).toMatchObject({
        code: "precondition_failed",
      });
      expect((await t.adapter.registrations()).list).toEqual([]);
    }));

  it("CO1 any answer mentions newer registrations, and the log does", () =>
    driver.run(async (bed) => {
      const [t, other] = [new Tester(bed), new Tester(bed)];
      await other.set("a", "1");
      // Of several shards the home shard is asked: the others learn of registrations with their next write.
      const key =
        ["a", "b", "c", "d", "e", "f", "g", "h"].find((one) => other.adapter.shardOf(one) === 0) ?? "";
      const { asOf } = await other.one(other.setting(key, "1"));
      expect(other.adapter.registrationsSeen).toBe(0);
      const { registration } = await t.adapter.register("*", settings);
      expect(t.adapter.registrationsSeen).toBe(registration.version);
      const { changes } = await other.adapter.changes(asOf);
      expect(other.adapter.registrationsSeen).toBe(registration.version);
      expect(changes).toEqual([{ kind: "register", key: "*", revision: registration.version }]);
    }));

  it("CO1 in a strict space keys without a registration are refused", () =>
    driver.run(
      async (bed) => {
        const t = new Tester(bed);
        await t.adapter.register("user:*", settings);
        const answers = await t.adapter.batch([
          t.setting("user:1", "v"),
          t.setting("other", "v"),
          t.deleting("other"),
          { kind: "invalidate", opId: t.opId(), key: "other" },
        ]);
        const refused = "unregistered";
        expect(answers.map(({ verdict }) => codeOf(verdict))).toEqual(["ok", refused, refused, refused]);
      },
      { strict: true },
    ));
}
