import { expect, it } from "vitest";
import type { KeptVersion } from "../../src/adapter/adapter.ts";
import { formatETag } from "../../src/protocol/position.ts";
import type { HistoryPolicy, RegistrationSettings } from "../../src/protocol/registration.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import type { ManualTime } from "../support/manual-time.ts";
import { type AdapterUnderTest, codeOf, failure, okay, Tester } from "./adapter-bed.ts";

const settings: RegistrationSettings = { mode: "eventual", cacheTtlMs: 60_000, maxStalenessMs: 1_000 };

type Which = { readonly version: number } | { readonly atMs: number };

/** What a read of a kept version comes to: its text, its kind, `null`, or the code of the error. */
async function seen(t: Tester, key: string, which: Which): Promise<string | null> {
  try {
    const { found } = await t.adapter.readVersion(key, which);
    if (found === null) return null;
    return found.payload === undefined ? found.kind : fromUtf8(found.payload.bytes);
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const short = (versions: readonly KeptVersion[]) => versions.map(({ version, kind }) => `${version} ${kind}`);

/** Kept versions (rules VE1 to VE5). */
export function historyCases(driver: AdapterUnderTest): void {
  if (!driver.supports.history) {
    it("VE2 versions are refused where the driver keeps none", () =>
      driver.run(async (bed) => {
        const t = new Tester(bed);
        await t.set("a", "1");
        expect(await failure(t.adapter.readVersion("a", { version: 1 }))).toMatchObject({
          code: "unsupported",
        });
        expect(await failure(t.adapter.history("a"))).toMatchObject({ code: "unsupported" });
        const restore = await t.one({ kind: "restore", opId: t.opId(), key: "a", version: 1 });
        expect(codeOf(restore.verdict)).toBe("unsupported");
      }));
    return;
  }

  /** A node over a storage that keeps versions of keys that begin with `h`. */
  const kept = (history: HistoryPolicy, work: (t: Tester, time: ManualTime) => Promise<void>) =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.adapter.register("h*", { ...settings, history });
      await work(t, bed.time);
    });

  it("VE2 CORE-03 CA-14 versions are read by number and by the time at which they were present", () =>
    kept({ versions: 3 }, async (t, time) => {
      const start = time.now();
      time.advance(10);
      const versions = [];
      for (const value of ["one", "two", "three"]) {
        versions.push(okay(await t.set("h", value, { tags: [value] })).version);
        time.advance(10);
      }
      const [one = 0, two = 0, three = 0] = versions;
      expect(await seen(t, "h", { version: two })).toBe("two");
      expect(await seen(t, "h", { version: three })).toBe("three");
      const at = [0, 9, 10, 19, 20, 29, 30, 40].map((ms) => seen(t, "h", { atMs: start + ms }));
      expect(await Promise.all(at)).toEqual([null, null, "one", "one", "two", "two", "three", "three"]);
      const { found, asOf } = await t.adapter.readVersion("h", { version: one });
      expect(found).toEqual({
        version: one,
        kind: "set",
        atMs: start + 10,
        sizeBytes: 3,
        contentType: "text/plain",
        tags: ["one"],
        payload: { bytes: new TextEncoder().encode("one"), contentType: "text/plain" },
      });
      expect(asOf).toMatchObject({ revision: three, shard: t.adapter.shardOf("h") });
    }));

  it("VE4 a delete and an expiry are versions: absent then, and there by their number", () =>
    kept({ versions: 10 }, async (t, time) => {
      const start = time.now();
      const { version } = okay(await t.set("h", "1"));
      time.advance(10);
      const gone = okay(await t.delete("h")).revision;
      time.advance(10);
      await t.set("h", "2", { expiresInMs: 10 });
      time.advance(25);
      expect(await seen(t, "h", { version: gone })).toBe("delete");
      const at = [5, 10, 15, 20, 29, 30, 44].map((ms) => seen(t, "h", { atMs: start + ms }));
      expect(await Promise.all(at)).toEqual(["1", null, null, "2", "2", null, null]);
      const page = await t.adapter.history("h");
      expect(page).toMatchObject({ more: false, floor: version });
      expect(page.versions.map(({ kind, atMs }) => [kind, atMs - start])).toEqual([
        ["expire", 30],
        ["set", 20],
        ["delete", 10],
        ["set", 0],
      ]);
      expect(page.versions[0]).toMatchObject({ sizeBytes: 0 });
      expect(page.versions[0]).not.toHaveProperty("contentType");
      expect(page.versions[0]).not.toHaveProperty("payload");
    }));

  it("VE2 of several versions of one millisecond the last was present", () =>
    kept({ versions: 10 }, async (t, time) => {
      await t.adapter.batch([t.setting("h", "1"), t.deleting("h"), t.setting("h", "2"), t.setting("h", "3")]);
      expect(await seen(t, "h", { atMs: time.now() })).toBe("3");
      time.advance(5);
      await t.adapter.batch([t.setting("h", "4"), t.deleting("h")]);
      expect(await seen(t, "h", { atMs: time.now() - 1 })).toBe("3");
      expect(await seen(t, "h", { atMs: time.now() })).toBeNull();
      expect((await t.adapter.history("h")).versions).toHaveLength(6);
    }));

  it("VE5 beyond the kept count is version_compacted, not absent; the present value counts", () =>
    kept({ versions: 3 }, async (t, time) => {
      const start = time.now();
      const versions: number[] = [];
      for (let i = 0; i < 5; i++) {
        versions.push(okay(await t.set("h", `${i}`)).version);
        time.advance(10);
      }
      const [zero = 0, one = 0, two = 0] = versions;
      expect(await seen(t, "h", { version: zero })).toBe("version_compacted");
      expect(await seen(t, "h", { version: one })).toBe("version_compacted");
      expect(await seen(t, "h", { version: two })).toBe("2");
      expect(await seen(t, "h", { atMs: start + 19 })).toBe("version_compacted");
      expect(await seen(t, "h", { atMs: start + 20 })).toBe("2");
      expect(await t.adapter.history("h")).toMatchObject({ floor: two, more: false });
      expect((await t.adapter.history("h")).versions).toHaveLength(3);
      const error = await failure(t.adapter.readVersion("h", { version: zero }));
      expect(error).toMatchObject({ outcome: "fail", details: { floor: two } });
      // A deletion counts like any other version.
      await t.delete("h");
      expect(await seen(t, "h", { version: two })).toBe("version_compacted");
      expect((await t.adapter.history("h")).versions).toHaveLength(3);
    }));

  it("VE1 within the kept age every moment is known, whatever the number of versions", () =>
    kept({ ageMs: 1_000 }, async (t, time) => {
      const start = time.now();
      for (let i = 0; i < 8; i++) {
        await t.set("h", `${i}`);
        time.advance(250);
      }
      await t.set("h", "8");
      // The version of 750 was superseded at 1,000, just an age ago.
      expect(await seen(t, "h", { atMs: start + 999 })).toBe("version_compacted");
      expect(await seen(t, "h", { atMs: start + 1_000 })).toBe("4");
      expect((await t.adapter.history("h")).versions).toHaveLength(5);
    }));

  it("VE2 OU4 the future, numbers that are none and pages out of range are refused", () =>
    kept({ versions: 2 }, async (t, time) => {
      const { revision } = okay(await t.set("h", "1"));
      for (const version of [revision + 1, 0, -1, 1.5, Number.NaN]) {
        expect(await seen(t, "h", { version })).toBe("invalid_version");
      }
      for (const atMs of [time.now() + 1, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(await seen(t, "h", { atMs })).toBe("invalid_version");
      }
      for (const limit of [0, 1.5, 1_001]) {
        expect(await failure(t.adapter.history("h", { limit }))).toMatchObject({ code: "invalid_limit" });
      }
      expect(await failure(t.adapter.history("h", { before: 0 }))).toMatchObject({ code: "invalid_version" });
      expect(await failure(t.adapter.history(""))).toMatchObject({ code: "invalid_key" });
      expect(await failure(t.adapter.readVersion("", { version: 1 }))).toMatchObject({ code: "invalid_key" });
    }));

  it("VE2 history comes in pages, newest first", () =>
    kept({ versions: 10 }, async (t) => {
      const versions: number[] = [];
      for (let i = 0; i < 7; i++) versions.push(okay(await t.set("h", `${i}`)).version);
      const pages: number[][] = [];
      let before: number | undefined;
      for (let more = true; more; ) {
        const page = await t.adapter.history("h", { limit: 3, ...(before === undefined ? {} : { before }) });
        pages.push(page.versions.map(({ version }) => version));
        before = page.versions.at(-1)?.version;
        more = page.more;
      }
      expect(pages.map((page) => page.length)).toEqual([3, 3, 1]);
      expect(pages.flat()).toEqual(versions.toReversed());
    }));

  it("VE2 a restore makes the old value and its tags a new version, under precondition and op id", () =>
    kept({ versions: 3 }, async (t, time) => {
      const { version: first } = okay(await t.set("h", "old", { tags: ["x"], expiresInMs: 60_000 }));
      const answer = await t.one(t.setting("h", "new"));
      const present = formatETag(answer.asOf.epoch, okay(answer.verdict).version);
      time.advance(10);
      const restore = { kind: "restore", key: "h", version: first } as const;
      const opId = t.opId();
      const refused = await t.one({ ...restore, opId: t.opId(), when: { noneOf: [present] } });
      expect(codeOf(refused.verdict)).toBe("precondition_failed");
      const { verdict, asOf } = await t.one({ ...restore, opId, when: { anyOf: [present] } });
      expect(okay(verdict)).toMatchObject({ version: asOf.revision, existed: true });
      expect(await t.entry("h")).toMatchObject({ version: asOf.revision, tags: ["x"] });
      expect(await t.entry("h")).not.toHaveProperty("expiresInMs");
      expect(await t.text("h")).toBe("old");
      const again = await t.one({ ...restore, opId, when: { anyOf: [present] } });
      expect(again.verdict).toEqual({ ...verdict, replayed: true });
      const other = await t.one({ ...restore, opId, version: first + 1, when: { anyOf: [present] } });
      expect(codeOf(other.verdict)).toBe("op_id_reused");
      expect(await seen(t, "h", { atMs: time.now() - 1 })).toBe("new");

      const gone = okay(await t.delete("h")).revision;
      const code = async (version: number) =>
        codeOf((await t.one({ kind: "restore", opId: t.opId(), key: "h", version })).verdict);
      expect(await code(gone)).toBe("not_found");
      expect(await code(first)).toBe("version_compacted");
      expect(await code(gone + 1)).toBe("invalid_version");
      expect(await code(0)).toBe("invalid_version");
      expect(await code(okay(verdict).version)).toBe("ok");
      expect(await t.text("h")).toBe("old");
    }));

  it("VE5 of a key without history only the present version is known", () =>
    kept({ versions: 3 }, async (t, time) => {
      const { version: old } = okay(await t.set("plain", "1"));
      time.advance(10);
      const { version } = okay(await t.set("plain", "2"));
      expect(await seen(t, "plain", { version: old })).toBe("version_compacted");
      expect(await seen(t, "plain", { version })).toBe("2");
      expect(await seen(t, "plain", { atMs: time.now() - 1 })).toBe("version_compacted");
      expect(await seen(t, "plain", { atMs: time.now() })).toBe("2");
      expect(await t.adapter.history("plain")).toMatchObject({ floor: version, versions: [{ version }] });
      await t.delete("plain");
      const { asOf, floor, versions } = await t.adapter.history("plain");
      expect([floor, versions]).toEqual([asOf.revision + 1, []]);
      expect(await seen(t, "plain", { atMs: time.now() })).toBeNull();
      expect(await seen(t, "plain", { atMs: time.now() - 1 })).toBe("version_compacted");
    }));

  it("VE5 a key that history has watched from the start was absent before; before the watch nothing is known", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      await t.set("h1", "early");
      await t.delete("h1");
      bed.time.advance(10);
      const start = bed.time.now();
      await t.adapter.register("h*", { ...settings, history: { versions: 5 } });
      // A shard learns of a policy when it is first asked for versions, or to write, by a node that knows it.
      for (const key of ["h1", "h2"]) await t.adapter.history(key);
      bed.time.advance(10);
      await t.set("h1", "late");
      for (const key of ["h1", "h2"]) {
        expect(await seen(t, key, { atMs: start - 1 })).toBe("version_compacted");
        expect(await seen(t, key, { atMs: start })).toBeNull();
        expect(await seen(t, key, { atMs: bed.time.now() - 1 })).toBeNull();
      }
    }));

  it("VE5 what was there when history was switched on is its oldest version", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const { version: lost } = okay(await t.set("h", "0"));
      bed.time.advance(10);
      const { version: floor } = okay(await t.set("h", "1"));
      bed.time.advance(10);
      await t.adapter.register("h*", { ...settings, history: { versions: 5 } });
      await t.set("h", "2");
      expect(await seen(t, "h", { version: lost })).toBe("version_compacted");
      expect(await seen(t, "h", { version: floor })).toBe("1");
      expect(await seen(t, "h", { atMs: bed.time.now() - 11 })).toBe("version_compacted");
      expect(await t.adapter.history("h")).toMatchObject({ floor });
    }));

  it("VE1 trimming follows a changed policy; without one nothing older is known, also when it comes back", () =>
    driver.run(async (bed) => {
      const t = new Tester(bed);
      const wide = await t.adapter.register("h*", { ...settings, history: { versions: 9 } });
      for (let i = 0; i < 6; i++) await t.set("h", `${i}`);
      const { version } = wide.registration;
      const narrow = { ...settings, history: { versions: 2 } };
      await t.adapter.register("h*", narrow, { ifVersion: version });
      await t.set("h", "6");
      expect((await t.adapter.history("h")).versions).toHaveLength(2);
      await t.adapter.unregister("h*");
      expect((await t.adapter.history("h")).versions).toHaveLength(1);
      const { version: unseen } = okay(await t.set("h", "7"));
      bed.time.advance(10);
      await t.set("h", "8");
      await t.adapter.register("h*", { ...settings, history: { versions: 9 } });
      await t.set("h", "9");
      expect(short((await t.adapter.history("h")).versions)).toHaveLength(2);
      expect(await seen(t, "h", { version: unseen })).toBe("version_compacted");
      expect(await seen(t, "h", { atMs: bed.time.now() - 1 })).toBe("version_compacted");
    }));

  it("VE3 no version is lost to concurrent writers", () =>
    driver.run(async (bed) => {
      const nodes = Array.from({ length: 4 }, () => new Tester(bed));
      await nodes[0]?.adapter.register("h*", { ...settings, history: { versions: 100 } });
      const verdicts = await Promise.all(
        nodes.flatMap((t, n) => Array.from({ length: 10 }, (_, i) => t.set("h", `${n}-${i}`))),
      );
      const written = verdicts.map((verdict) => okay(verdict).version).toSorted((a, b) => b - a);
      const page = await nodes[1]?.adapter.history("h");
      expect(page?.versions.map(({ version }) => version)).toEqual(written);
    }));
}
