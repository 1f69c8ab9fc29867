import { expect, it } from "vitest";
import type { Mutation } from "../../src/adapter/adapter.ts";
import { formatETag } from "../../src/protocol/position.ts";
import { type AdapterUnderTest, codeOf, okay, Tester } from "./adapter-bed.ts";

/** What mutations do: rules AD1, AD5 and the scenarios of the adapters. */
export function mutationCases(driver: AdapterUnderTest): void {
  it("AD1 every change has a version of its own, and versions grow", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const versions = [];
      for (const key of ["a", "b", "a"]) versions.push(okay(await t.set(key, key)).version);
      expect(versions.toSorted((x, y) => x - y)).toEqual(versions);
      expect(new Set(versions).size).toBe(3);
      const { verdict, asOf } = await t.one(t.setting("a", "2"));
      expect(okay(verdict)).toMatchObject({ version: asOf.revision, revision: asOf.revision });
      expect(asOf.epoch).toMatch(/^[0-9a-f]{16}$/);
      expect(asOf.shard).toBe(t.adapter.shardOf("a"));
    }));

  it("AD5 500 keys of 512 bytes in one batch are all there", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const keys = Array.from({ length: 500 }, (_, i) => `é${i}`.padEnd(511, "k"));
      const answers = await t.adapter.batch(keys.map((key, i) => t.setting(key, `${i}`)));
      expect(answers.map(({ key }) => key)).toEqual(keys);
      expect(answers.every(({ verdict }) => verdict.outcome === "ok")).toBe(true);
      if (!driver.supports.storage) return;
      const read = await t.adapter.getMany(keys);
      expect(read.map(({ entry }) => new TextDecoder().decode(entry?.payload.bytes))).toEqual(
        keys.map((_, i) => `${i}`),
      );
      expect(await t.keys()).toHaveLength(500);
    }));

  it("AD5 a value at the limit is taken, one byte more is refused and leaves the rest of its batch alone", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const limit = 1_048_576;
      const answers = await t.adapter.batch([
        t.setting("at", new Uint8Array(limit).fill(7)),
        t.setting("over", new Uint8Array(limit + 1)),
        t.setting("after", "x"),
      ]);
      expect(answers.map(({ verdict }) => codeOf(verdict))).toEqual(["ok", "value_too_large", "ok"]);
      if (!driver.supports.storage) return;
      expect((await t.entry("at"))?.payload.bytes).toEqual(new Uint8Array(limit).fill(7));
      expect(await t.entry("over")).toBeUndefined();
    }));

  it("OU4 a life or a content type out of range is refused", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      for (const expiresInMs of [0, -1, 1.5, 315_360_000_001, Number.NaN]) {
        expect(codeOf(await t.set("a", "1", { expiresInMs }))).toBe("invalid_ttl");
      }
      const payload = { bytes: new Uint8Array(1), contentType: `a/${"b".repeat(254)}` };
      expect(codeOf(await t.set("a", "1", { payload }))).toBe("invalid_argument");
    }));

  if (!driver.supports.storage) {
    it("without storage nothing that was set can be read, and every precondition sees an absent key", () =>
      driver.run(async (bed) => {
        const t = new Tester(bed);
        const { version } = okay(await t.set("a", "1"));
        expect(await t.entry("a")).toBeUndefined();
        expect(await t.keys()).toEqual([]);
        expect(codeOf(await t.set("a", "2", { when: { anyOf: "*" } }))).toBe("precondition_failed");
        expect(okay(await t.set("a", "2", { when: { noneOf: "*" } })).version).toBeGreaterThan(version);
      }));
    return;
  }
  storedCases(driver);
  preconditionCases(driver);
  expiryCases(driver);
}

function storedCases(driver: AdapterUnderTest): void {
  it("AD-01 what was set is found, with all that was said about it, and listed", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { verdict } = await t.one(t.setting("a", "1"));
      expect(verdict).toMatchObject({ outcome: "ok", existed: false });
      expect(await t.entry("a")).toMatchObject({
        key: "a",
        version: okay(verdict).version,
        modifiedAtMs: bed.time.now(),
        payload: { contentType: "text/plain" },
      });
      expect(await t.text("a")).toBe("1");
      expect((await t.entry("a"))?.expiresInMs).toBeUndefined();
      expect(await t.keys()).toEqual(["a"]);
      expect(await t.set("a", "2")).toMatchObject({ existed: true });
      expect(await t.text("a")).toBe("2");
    }));

  it("AD-02 a batch with a set and a delete is visible as a whole", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("{x}old", "1");
      const answers = await t.adapter.batch([t.setting("{x}new", "2"), t.deleting("{x}old")]);
      expect(answers.map(({ verdict }) => okay(verdict).existed)).toEqual([false, true]);
      expect(await t.keys()).toEqual(["{x}new"]);
      expect(await t.entry("{x}old")).toBeUndefined();
    }));

  it("AD-03 AD2 what one node wrote another over the same storage lists and reads", () =>
    driver.run(async (bed) => {
      const [one, other] = [new Tester(bed), new Tester(bed)];
      const { version } = okay(await one.set("a", "1"));
      expect(await other.keys()).toEqual(["a"]);
      expect(await other.entry("a")).toMatchObject({ key: "a", version });
      await other.set("a", "2");
      expect(await one.text("a")).toBe("2");
    }));

  it("AD-04 long batches and long keys are kept apart", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const long = "k".repeat(511);
      await t.adapter.batch([t.setting(`${long}a`, "a"), t.setting(`${long}b`, "b")]);
      expect([await t.text(`${long}a`), await t.text(`${long}b`)]).toEqual(["a", "b"]);
    }));

  it("AD1 any bytes and any key come back as they went in", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      const keys = [
        "\u0000",
        "a/../b",
        "%2F",
        " ",
        "\uffff",
        "\u{10ffff}",
        "\ufeffa",
        "__proto__",
        "é",
        "e\u0301",
      ];
      await t.adapter.batch(keys.map((key) => t.setting(key, bytes)));
      await t.set("empty", new Uint8Array(0));
      const answers = await t.adapter.getMany([...keys, "empty", "absent"]);
      expect(answers.map(({ key }) => key)).toEqual([...keys, "empty", "absent"]);
      for (const answer of answers.slice(0, -2)) expect(answer.entry?.payload.bytes).toEqual(bytes);
      expect(answers.at(-2)?.entry?.payload.bytes).toEqual(new Uint8Array(0));
      expect(answers.at(-1)?.entry).toBeUndefined();
    }));

  it("AD1 mutations of one key in one batch are carried out in order", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const answers = await t.adapter.batch([
        t.setting("a", "1"),
        t.deleting("a"),
        t.setting("a", "2"),
        t.setting("a", "3"),
      ]);
      expect(answers.map(({ verdict }) => okay(verdict).existed)).toEqual([false, true, false, true]);
      expect(await t.text("a")).toBe("3");
    }));

  it("a delete gives version 0; of an absent key it changes nothing", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1");
      expect(okay(await t.delete("a"))).toMatchObject({ version: 0, existed: true });
      const before = (await t.adapter.getMany(["a"]))[0]?.asOf;
      expect(okay(await t.delete("a"))).toEqual({ outcome: "ok", version: 0, revision: 0, existed: false });
      expect((await t.adapter.getMany(["a"]))[0]?.asOf).toEqual(before);
    }));

  it("an invalidation leaves the value and its version and moves the position", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { version } = okay(await t.set("a", "1"));
      const answer = await t.one({ kind: "invalidate", opId: t.opId(), key: "a" });
      expect(okay(answer.verdict)).toMatchObject({ version, existed: true });
      expect(okay(answer.verdict).revision).toBeGreaterThan(version);
      const absent = await t.one({ kind: "invalidate", opId: t.opId(), key: "absent" });
      expect(okay(absent.verdict)).toMatchObject({ version: 0, existed: false });
      const prefix = await t.one({ kind: "invalidatePrefix", opId: t.opId(), prefix: "" });
      expect(okay(prefix.verdict)).toMatchObject({ version: 0 });
      expect(prefix.key).toBe("");
      expect(await t.entry("a")).toMatchObject({ version });
    }));
}

function preconditionCases(driver: AdapterUnderTest): void {
  it("AD1 preconditions hold or refuse as HTTP says", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      expect(codeOf(await t.set("a", "1", { when: { anyOf: "*" } }))).toBe("precondition_failed");
      const { verdict, asOf } = await t.one(t.setting("a", "1", { when: { noneOf: "*" } }));
      const now = formatETag(asOf.epoch, okay(verdict).version);
      const old = formatETag(asOf.epoch, okay(verdict).version - 1);
      const foreign = formatETag("0123456789abcdef", okay(verdict).version);
      const attempt = async (when: NonNullable<Extract<Mutation, { kind: "delete" }>["when"]>, key = "a") =>
        codeOf(await t.delete(key, { when }));
      expect(await attempt({ noneOf: "*" })).toBe("precondition_failed");
      expect(await attempt({ anyOf: [old] })).toBe("precondition_failed");
      expect(await attempt({ anyOf: [] })).toBe("precondition_failed");
      // The same version of another epoch is another version.
      expect(await attempt({ anyOf: [foreign] })).toBe("precondition_failed");
      expect(await attempt({ noneOf: [old, now] })).toBe("precondition_failed");
      expect(await attempt({ anyOf: "*" }, "absent")).toBe("precondition_failed");
      expect(await attempt({ anyOf: [now] }, "absent")).toBe("precondition_failed");
      expect(await attempt({ noneOf: [now] }, "absent")).toBe("ok");
      expect(await t.text("a")).toBe("1");
      expect(codeOf(await t.set("a", "2", { when: { noneOf: [old, foreign] } }))).toBe("ok");
      expect(codeOf(await t.set("a", "3", { when: { anyOf: [old, now] } }))).toBe("precondition_failed");
      expect(await attempt({ anyOf: "*" })).toBe("ok");
      expect(await t.entry("a")).toBeUndefined();
    }));

  it("TX7 of many concurrent writes with one expectation exactly one commits", () =>
    driver.run(async (bed) => {
      const nodes = Array.from({ length: 4 }, () => new Tester(bed));
      const [first] = nodes;
      const answer = await first?.one(first.setting("a", "0"));
      const when = { anyOf: [formatETag(answer?.asOf.epoch ?? "", okay(answer?.verdict).version)] };
      const verdicts = await Promise.all(
        nodes.flatMap((node, n) => [1, 2, 3].map((i) => node.set("a", `${n}-${i}`, { when }))),
      );
      expect(verdicts.map(codeOf).toSorted()).toEqual(["ok", ...Array(11).fill("precondition_failed")]);
    }));
}

function expiryCases(driver: AdapterUnderTest): void {
  it("a value ends when its life does, everywhere at once", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1", { expiresInMs: 1_000 });
      await t.set("b", "1", { expiresInMs: 2_000 });
      bed.time.advance(999);
      expect((await t.entry("a"))?.expiresInMs).toBe(1);
      expect((await t.adapter.list()).items.map((item) => item.expiresInMs)).toEqual([1, 1_001]);
      bed.time.advance(1);
      expect(await t.entry("a")).toBeUndefined();
      expect(await t.keys()).toEqual(["b"]);
      expect(codeOf(await t.set("a", "2", { when: { anyOf: "*" } }))).toBe("precondition_failed");
      expect(okay(await t.delete("a"))).toMatchObject({ existed: false, revision: 0 });
    }));

  it("writing again gives a new life, or one without end", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("a", "1", { expiresInMs: 1_000 });
      await t.set("b", "1", { expiresInMs: 1_000 });
      await t.set("c", "1", { expiresInMs: 1_000 });
      bed.time.advance(500);
      await t.set("a", "2", { expiresInMs: 1_000 });
      await t.set("b", "2");
      await t.delete("c");
      await t.set("c", "2");
      bed.time.advance(600);
      expect(await t.keys()).toEqual(["a", "b", "c"]);
      bed.time.advance(400);
      expect(await t.keys()).toEqual(["b", "c"]);
    }));
}
