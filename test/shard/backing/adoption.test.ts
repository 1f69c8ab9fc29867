import { describe, expect, it } from "vitest";
import { host } from "#host";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { expectReply, verdictCode } from "../../support/shard-bed.ts";
import { SupplyBed } from "../../support/supply-bed.ts";

const withBed = (work: (at: SupplyBed) => Promise<void>): Promise<void> =>
  host.withSql(async (sql) => await work(await new SupplyBed(sql).create()));

const down = (at: SupplyBed): void => {
  at.faults = () => ({ lose: "before" });
};

const text = (value: string) => ({ bytes: utf8(value), contentType: "text/plain" });

describe("keys that only the storage has", () => {
  it("AD2 AD6 a value that others wrote is read, at a revision of the shard, and kept", () =>
    withBed(async (at) => {
      at.foreign("k", "theirs");
      expect(await at.bed.text("k")).toBe("theirs");
      const { entries, asOf } = await at.bed.read("k");
      expect(entries[0]?.version).toBe(asOf);
      expect(asOf).toBeGreaterThan(0);
      expect(at.reads()).toBe(1);
    }));

  it("AD2 one call reads all its missing keys at once, and calls at the same time read each key once", () =>
    withBed(async (at) => {
      for (const key of ["a", "b", "c"]) at.foreign(key, key);
      at.faults = (call) => (call === "read" ? { beforeMs: 50 } : undefined);
      const all = Promise.all([at.bed.read("a", "b"), at.bed.read("b", "c"), at.bed.text("a")]);
      await at.clock.advance(200);
      const [ab, bc, a] = await all;
      expect([...ab.entries, ...bc.entries].map((entry) => entry?.key)).toEqual(["a", "b", "b", "c"]);
      expect(a).toBe("a");
      expect(at.reads()).toBe(2);
    }));

  it("AD4 a value that can't be read fails those who asked for it, not those who asked for another at the same time", () =>
    withBed(async (at) => {
      at.foreign("a", "fine");
      at.foreign("secret", "broken");
      at.storage.breakValue("secret");
      at.faults = (call) => (call === "read" ? { beforeMs: 50 } : undefined);
      const both = at.bed.shard.read({ ...at.bed.scope(), keys: ["a", "secret"] });
      const a = at.bed.text("a");
      const settled = Promise.allSettled([both, a]);
      await at.clock.advance(500);
      await settled;
      expect(await both).toMatchObject({ refused: { code: "decode_failed", details: { key: "secret" } } });
      expect(await a).toBe("fine");
    }));

  it("AD4 a storage that can't be asked is no absence: reads of keys that are not here are refused", () =>
    withBed(async (at) => {
      await at.bed.set("here", "1");
      down(at);
      expect((await at.refused("gone"))?.refused.code).toBe("storage_unavailable");
      at.faults = () => ({ beforeMs: 60_000 });
      const slow = at.refused("gone");
      await at.clock.advance(6_000);
      expect((await slow)?.refused.code).toBe("storage_timeout");
      expect(await at.bed.text("here")).toBe("1");
    }));

  it("absence is known for a minute, or until an invalidation, and then asked for again", () =>
    withBed(async (at) => {
      expect(await at.bed.text("k")).toBeUndefined();
      at.foreign("k", "theirs");
      expect(await at.bed.text("k")).toBeUndefined();
      expect(at.reads()).toBe(1);
      await at.bed.mutate({ kind: "invalidate", opId: at.bed.opId(), key: "k" });
      expect(await at.bed.text("k")).toBe("theirs");
      expect(await at.bed.text("other")).toBeUndefined();
      at.foreign("other", "theirs");
      await at.clock.advance(60_000);
      expect(await at.bed.text("other")).toBe("theirs");
    }));

  it("a condition, a merge and a comparison see what is adopted; while the storage is down they are refused", () =>
    withBed(async (at) => {
      const { bed } = at;
      at.foreign("made", "x");
      const [made] = (
        await bed.mutate({
          kind: "set",
          opId: bed.opId(),
          key: "made",
          payload: text("mine"),
          when: { noneOf: "*" },
        })
      ).verdicts;
      expect(verdictCode(made)).toBe("precondition_failed");
      at.foreign("n", "5");
      await bed.shard.register({
        ...bed.scope(),
        pattern: "n",
        settings: { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, merge: "sum" },
      });
      bed.registrations = (await bed.read("n")).registrations;
      const [merged] = (
        await bed.mutate({
          kind: "merge",
          opId: bed.opId(),
          key: "n",
          operand: { bytes: utf8("2"), contentType: "application/json" },
        })
      ).verdicts;
      expect(verdictCode(merged)).toBe("ok");
      expect(await bed.text("n")).toBe("7");
      at.foreign("c", "x");
      const compared = expectReply(
        await bed.shard.transact({
          ...bed.scope(),
          transaction: {
            opId: bed.opId(),
            compare: [{ key: "c", value: utf8("x") }],
            success: [{ kind: "get", key: "c" }],
            failure: [],
          },
        }),
      ).verdict;
      expect(compared).toMatchObject({ outcome: "ok", succeeded: true });
      down(at);
      const opId = bed.opId();
      const reply = await bed.shard.mutate({
        ...bed.scope(),
        mutations: [{ kind: "set", opId, key: "new", payload: text("1"), when: { noneOf: "*" } }],
      });
      expect(isRefusal(reply) && reply.refused.code).toBe("storage_unavailable");
      expect(isRefusal(reply) && reply.refused.outcome).toBe("fail");
      // Nothing was kept of it: the repeat is carried out.
      at.faults = () => undefined;
      await at.clock.advance(1_000);
      const [again] = (
        await bed.mutate({ kind: "set", opId, key: "new", payload: text("1"), when: { noneOf: "*" } })
      ).verdicts;
      expect(again).toMatchObject({ outcome: "ok", existed: false });
    }));

  it("a repeat needs no storage", () =>
    withBed(async (at) => {
      const { bed } = at;
      const opId = bed.opId();
      const set = () =>
        bed.mutate({ kind: "set", opId, key: "k", payload: text("1"), when: { noneOf: "*" } });
      expect((await set()).verdicts[0]).toMatchObject({ outcome: "ok" });
      await bed.delete("k");
      bed.restart();
      down(at);
      expect((await set()).verdicts[0]).toMatchObject({ outcome: "ok", replayed: true });
    }));

  it("while the storage is down unconditional sets and deletes go on, and what was deleted unseen does not come back", () =>
    withBed(async (at) => {
      const { bed } = at;
      at.foreign("d", "theirs");
      at.foreign("s", "theirs");
      down(at);
      expect(await bed.delete("d")).toMatchObject({ outcome: "ok", existed: false });
      expect(await bed.set("s", "mine")).toMatchObject({ outcome: "ok", existed: false });
      expect(await bed.text("d")).toBeUndefined();
      expect(await bed.text("s")).toBe("mine");
      bed.restart();
      expect(await bed.text("d")).toBeUndefined();
      expect(await bed.text("s")).toBe("mine");
    }));

  it("a deletion tells whether there was something, where the storage can be asked, and is told to it in any case", () =>
    withBed(async (at) => {
      at.foreign("d", "theirs");
      expect(await at.bed.delete("d")).toMatchObject({ outcome: "ok", existed: true });
      expect(await at.bed.text("none")).toBeUndefined();
      at.foreign("none", "since");
      expect(await at.bed.delete("none")).toMatchObject({ outcome: "ok", existed: false, version: 0 });
      await at.settle();
      expect(at.stored("none")).toBeUndefined();
    }));

  it("what was read before a commit on the key is void: a set and a delete meanwhile win", () =>
    withBed(async (at) => {
      at.foreign("k", "theirs");
      at.faults = (call) => (call === "read" ? { afterMs: 100 } : undefined);
      const read = at.bed.text("k");
      await at.clock.advance(10);
      await at.bed.set("k", "mine");
      const deleted = at.bed.delete("k");
      await at.clock.advance(50);
      await deleted;
      await at.clock.advance(500);
      expect(await read).toBeUndefined();
      expect(await at.bed.text("k")).toBeUndefined();
    }));

  it("a value beyond what a shard takes is told, with its key", () =>
    withBed(async (at) => {
      at.foreign("big", "x".repeat(1_048_577));
      expect((await at.refused("big"))?.refused).toMatchObject({
        code: "decode_failed",
        details: { key: "big" },
      });
      expect(await at.bed.set("big", "small")).toMatchObject({ outcome: "ok" });
      expect(await at.bed.text("big")).toBe("small");
    }));
});
