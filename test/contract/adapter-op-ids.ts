import { expect, it } from "vitest";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { type AdapterUnderTest, codeOf, okay, Tester } from "./adapter-bed.ts";

/** Rule OU2. */
export function opIdCases(driver: AdapterUnderTest): void {
  it("OU2 the same operation under the same op id gets its first verdict again and has no second effect", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const mutation = t.setting("a", "1");
      const first = okay((await t.one(mutation)).verdict);
      const between = okay(await t.set("a", "2"));
      bed.time.advance(299_000);
      const again = await t.one({ ...mutation });
      expect(again.verdict).toEqual({ ...first, replayed: true });
      expect(again.asOf.revision).toBe(between.revision);
      if (driver.supports.storage) expect(await t.text("a")).toBe("2");
    }));

  it("OU2 a refusal is remembered too", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const mutation = t.setting("a", "1", { when: { anyOf: "*" } });
      const first = (await t.one(mutation)).verdict;
      expect(codeOf(first)).toBe("precondition_failed");
      await t.set("a", "2");
      expect((await t.one(mutation)).verdict).toEqual({ ...first, replayed: true });
      if (driver.supports.storage) expect(await t.text("a")).toBe("2");
    }));

  it("OU2 a delete that found nothing is remembered too", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const mutation = t.deleting("a");
      const first = okay((await t.one(mutation)).verdict);
      expect(first).toMatchObject({ version: 0, existed: false });
      await t.set("a", "2");
      expect((await t.one(mutation)).verdict).toEqual({ ...first, replayed: true });
      if (driver.supports.storage) expect(await t.text("a")).toBe("2");
    }));

  it("OU2 a different operation with a used op id is refused", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const opId = t.opId();
      const first = t.setting("a", "1", { opId, expiresInMs: 400_000 });
      expect(codeOf((await t.one(first)).verdict)).toBe("ok");
      const others = [
        { ...first, key: "b" },
        { ...first, payload: { bytes: new Uint8Array([1]), contentType: "text/plain" } },
        { ...first, payload: { bytes: new TextEncoder().encode("1"), contentType: "text/html" } },
        { ...first, expiresInMs: 500_000 },
        { ...first, when: { anyOf: "*" } as const },
        t.deleting("a", { opId }),
        { kind: "invalidate", opId, key: "a" } as const,
        { kind: "invalidatePrefix", opId, prefix: "a" } as const,
      ];
      for (const other of others) expect(codeOf((await t.one(other)).verdict)).toBe("op_id_reused");
      expect((await t.one(first)).verdict).toMatchObject({ outcome: "ok", replayed: true });
    }));

  it("OU2 an op id older than 5 minutes is never executed, one from more than a minute ahead neither", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const mutation = t.setting("a", "1");
      await t.one(mutation);
      await t.set("a", "2");
      bed.time.advance(300_001);
      expect(codeOf((await t.one(mutation)).verdict)).toBe("op_id_expired");
      const now = bed.time.now();
      expect(codeOf(await t.set("b", "1", { opId: t.opId(now - 300_001) }))).toBe("op_id_expired");
      expect(codeOf(await t.set("b", "1", { opId: t.opId(now - 300_000) }))).toBe("ok");
      expect(codeOf(await t.set("b", "1", { opId: t.opId(now + 60_000) }))).toBe("ok");
      expect(codeOf(await t.set("b", "1", { opId: t.opId(now + 60_001) }))).toBe("invalid_op_id");
      if (driver.supports.storage) expect(await t.text("a")).toBe("2");
    }));

  it("OU2 what is no lower-case UUIDv7 is no op id", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const good = t.opId();
      for (const opId of ["", "x", good.toUpperCase(), good.replace(/-7/, "-4"), good.slice(1), "/test"]) {
        expect(codeOf(await t.set("a", "1", { opId }))).toBe("invalid_op_id");
      }
    }));

  it("OU2 op ids of different subjects and of places in one batch are different", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const bare = t.opId().slice(0, 36);
      const opIds = [
        scopeOpId("a", bare),
        scopeOpId("b", bare),
        scopeOpId("a", bare, 0),
        scopeOpId("a", bare, 1),
      ];
      const answers = await t.adapter.batch(opIds.map((opId, i) => t.setting(`k${i}`, "v", { opId })));
      expect(answers.map((answer) => codeOf(answer.verdict))).toEqual(["ok", "ok", "ok", "ok"]);
      expect(answers.map((answer) => answer.opId)).toEqual(opIds);
    }));

  it("OU2 one op id twice in one batch is carried out once", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const mutation = t.setting("a", "1");
      const [first, second] = await t.adapter.batch([mutation, mutation]);
      expect(second?.verdict).toEqual({ ...okay(first?.verdict), replayed: true });
    }));
}
