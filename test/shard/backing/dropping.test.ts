import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { StorageSettings } from "../../../src/protocol/space.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { expectReply } from "../../support/shard-bed.ts";
import { SupplyBed } from "../../support/supply-bed.ts";

const withBed = (
  work: (at: SupplyBed) => Promise<void>,
  storage: Partial<StorageSettings> = { keepBytes: 0 },
) => host.withSql(async (sql) => await work(await new SupplyBed(sql).create(storage)));

const usage = async ({ bed }: SupplyBed) => expectReply(await bed.shard.usage(bed.scope()));

const version = async ({ bed }: SupplyBed, key: string) => (await bed.read(key)).entries[0]?.version;

describe("values that the shard lets go of", () => {
  it("what is confirmed goes, its version, size and tags stay, and a read brings it back without a new version", () =>
    withBed(async (at) => {
      const { bed } = at;
      const set = await bed.set("k", "value", { tags: ["t"], expiresInMs: 60_000 });
      await at.settle();
      expect(await usage(at)).toMatchObject({ keys: 1, valueBytes: 0 });
      const { items } = expectReply(
        await bed.shard.list({ ...bed.scope(), prefix: "", limit: 10, values: false }),
      );
      expect(items[0]).toMatchObject({ key: "k", sizeBytes: 5, tags: ["t"], contentType: "text/plain" });
      expect(at.reads()).toBe(0);
      const { entries, asOf } = await bed.read("k");
      expect(entries[0]).toMatchObject({ version: set.outcome === "ok" && set.version, tags: ["t"] });
      expect(asOf).toBe(entries[0]?.version);
      expect(at.reads()).toBe(1);
    }));

  it("what is not confirmed stays", () =>
    withBed(async (at) => {
      at.faults = (call) => (call === "apply" ? { lose: "before" } : undefined);
      await at.bed.set("k", "value");
      await at.clock.advance(5_000);
      expect(await usage(at)).toMatchObject({ valueBytes: 5 });
      expect(await at.bed.text("k")).toBe("value");
      at.faults = () => undefined;
      await at.clock.advance(60_000);
      await at.bed.shard.onAlarm();
      await at.settle();
      expect(await usage(at)).toMatchObject({ valueBytes: 0 });
    }));

  it("no more goes than must, and what was used lately goes last", () =>
    withBed(
      async (at) => {
        for (let n = 0; n < 20; n++) await at.bed.set(`k${n}`, "x".repeat(50));
        await at.settle();
        expect((await usage(at)).valueBytes).toBe(1_000);
        await at.bed.read("k3");
        await at.bed.set("more", "x".repeat(50));
        await at.settle();
        const { valueBytes } = await usage(at);
        expect(valueBytes).toBeGreaterThan(800);
        expect(valueBytes).toBeLessThanOrEqual(900);
        const reads = at.reads();
        await at.bed.read("k3", "more");
        expect(at.reads()).toBe(reads);
      },
      { keepBytes: 1_000 },
    ));

  it("an end, a deletion and a condition need no value; a merge, a comparison, a list with values and a version do", () =>
    withBed(async (at) => {
      const { bed } = at;
      for (const key of ["ends", "gone", "cond", "seen"])
        await bed.set(key, key, key === "ends" ? { expiresInMs: 5_000 } : {});
      await at.settle();
      at.faults = (call) => (call === "read" ? { lose: "before" } : undefined);
      expect(await bed.delete("gone")).toMatchObject({ outcome: "ok", existed: true });
      expect(await bed.set("cond", "2", { when: { anyOf: "*" } })).toMatchObject({ existed: true });
      expect(await bed.set("cond", "3", { when: { noneOf: "*" } })).toMatchObject({ outcome: "fail" });
      bed.nowMs += 6_000;
      await at.clock.advance(6_000);
      expect(await bed.text("ends")).toBeUndefined();
      const list = { ...bed.scope(), prefix: "seen", limit: 10, values: true } as const;
      expect(await bed.shard.list(list)).toMatchObject({ refused: { code: "storage_unavailable" } });
      at.faults = () => undefined;
      const { items } = expectReply(await bed.shard.list(list));
      expect(items.map(({ payload }) => payload && new TextDecoder().decode(payload.bytes))).toEqual([
        "seen",
      ]);
      await at.settle();
      const of = await version(at, "seen");
      await at.settle();
      const { found } = expectReply(
        await bed.shard.readVersion({ ...bed.scope(), key: "seen", which: { version: of ?? 0 } }),
      );
      expect(found?.payload?.bytes).toEqual(utf8("seen"));
      const page = expectReply(await bed.shard.history({ ...bed.scope(), key: "seen", limit: 10 }));
      expect(page.versions).toMatchObject([{ kind: "set", sizeBytes: 4 }]);
    }));

  it("a value that the storage has lost is a deletion, and counted", () =>
    withBed(async (at) => {
      const { bed } = at;
      await bed.set("k", "value");
      await at.settle();
      at.storage.remove("k");
      expect(await bed.text("k")).toBeUndefined();
      expect(await usage(at)).toMatchObject({ keys: 0, outbox: { lost: 1 } });
      expect(at.reported).toEqual([
        "the storage behind a shard has lost values that the shard had let go of",
      ]);
      const { changes } = expectReply(
        await bed.shard.changes({ ...bed.scope(), epoch: (await bed.read("k")).epoch, since: 1, limit: 10 }),
      );
      expect(changes).toMatchObject([{ kind: "delete", key: "k" }]);
    }));

  it("kept versions stay here, and so do the present values of keys that have them", () =>
    withBed(async (at) => {
      const { bed } = at;
      const settings = {
        mode: "eventual",
        cacheTtlMs: 1_000,
        maxStalenessMs: 1_000,
        history: { versions: 5 },
      } as const;
      const registered = expectReply(await bed.shard.register({ ...bed.scope(), pattern: "h:*", settings }));
      bed.registrations = registered.registrations;
      for (const value of ["1", "2", "3"]) await bed.set("h:k", value);
      await at.settle();
      expect((await usage(at)).valueBytes).toBe(1);
      const page = expectReply(await bed.shard.history({ ...bed.scope(), key: "h:k", limit: 10 }));
      expect(page.versions).toHaveLength(3);
      expect(at.reads()).toBe(1);
    }));
});

describe("what others write", () => {
  const invalidations = [
    { kind: "invalidate", key: "p:k" },
    { kind: "invalidatePrefix", prefix: "p:" },
    { kind: "invalidateTag", tag: "t" },
  ] as const;

  for (const invalidation of invalidations) {
    for (const keepBytes of [undefined, 0]) {
      const name = `${invalidation.kind}${keepBytes === 0 ? ", of values that are away" : ""}`;
      it(`is noticed after ${name}, and what is still the same stays at its version`, () =>
        withBed(
          async (at) => {
            const { bed } = at;
            for (const key of ["p:k", "p:same"]) await bed.set(key, "1", { tags: ["t"] });
            await at.settle();
            const before = await version(at, "p:same");
            at.foreign("p:k", "theirs");
            if (keepBytes === undefined) expect(await bed.text("p:k")).toBe("1");
            await bed.mutate({ ...invalidation, opId: bed.opId() });
            const { entries, asOf } = await bed.read("p:k", "p:same");
            expect(entries.map((entry) => entry && new TextDecoder().decode(entry.payload.bytes))).toEqual([
              "theirs",
              "1",
            ]);
            expect(entries[1]?.version).toBe(before);
            expect(entries[0]?.version).toBe(asOf);
            // Once looked at, it is not looked at again.
            const reads = at.reads();
            if (keepBytes === undefined) await bed.read("p:k", "p:same");
            expect(at.reads()).toBe(reads);
            // What was adopted and let go of comes back as it was.
            await at.settle();
            expect(await version(at, "p:k")).toBe(entries[0]?.version);
          },
          keepBytes === undefined ? {} : { keepBytes },
        ));
    }
  }

  it("what they deleted is gone after an invalidation; where the storage was set back what is here goes there again", () =>
    withBed(async (at) => {
      const { bed } = at;
      await bed.set("a", "1");
      await bed.set("b", "1");
      await at.settle();
      at.storage.remove("a");
      await bed.mutate({ kind: "invalidate", opId: bed.opId(), key: "a" });
      expect(await bed.text("a")).toBeUndefined();
      await at.settle();
      await bed.set("b", "2");
      await bed.set("c", "1");
      await at.settle();
      at.storage.forgetTail(2);
      await bed.mutate({ kind: "invalidatePrefix", opId: bed.opId(), prefix: "" });
      expect(await bed.text("c")).toBe("1");
      expect(await bed.text("b")).toBe("2");
      await at.clock.advance(5_000);
      expect(new TextDecoder().decode(at.stored("b")?.payload.bytes)).toBe("2");
      expect(new TextDecoder().decode(at.stored("c")?.payload.bytes)).toBe("1");
    }, {}));

  it("more invalidations than are told apart count as one of everything", () =>
    withBed(async (at) => {
      const { bed } = at;
      await bed.set("k", "1");
      await at.settle();
      at.foreign("k", "theirs");
      for (let n = 0; n < 80; n++)
        await bed.mutate({ kind: "invalidatePrefix", opId: bed.opId(), prefix: `p${n}:` });
      expect(await bed.text("k")).toBe("theirs");
    }, {}));

  it("what waits for the storage is the shard's: an invalidation does not bring back what was before", () =>
    withBed(async (at) => {
      const { bed } = at;
      at.foreign("k", "theirs");
      at.faults = (call) => (call === "apply" ? { lose: "before" } : undefined);
      await bed.set("k", "mine");
      await bed.mutate({ kind: "invalidate", opId: bed.opId(), key: "k" });
      expect(await bed.text("k")).toBe("mine");
      await bed.delete("k");
      await bed.mutate({ kind: "invalidatePrefix", opId: bed.opId(), prefix: "" });
      expect(await bed.text("k")).toBeUndefined();
    }, {}));
});
