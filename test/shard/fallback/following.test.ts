import { describe, expect, it } from "vitest";
import { host } from "#host";
import { utf8 } from "../../../src/runtime/bytes.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { openFollower } from "../../../src/shard/fallback/follower.ts";
import type { ShardOptions } from "../../../src/shard/shard.ts";
import { refusedCode } from "../../support/shard-bed.ts";
import { StreamBed } from "../../support/stream-bed.ts";

const on = (work: (bed: StreamBed) => Promise<void>, options: Partial<ShardOptions> = {}) =>
  host.withSql(async (sql: Sql) => work(await StreamBed.open(sql, options)));

const sum = {
  pattern: "n*",
  settings: { mode: "eventual", cacheTtlMs: 1_000, maxStalenessMs: 1_000, merge: "sum" },
  version: 0,
  source: "static",
} as const;

describe("what is proposed around a shard", () => {
  it("SB8 is applied in order, once, and trimmed", () =>
    on(async (bed) => {
      const place = await bed.propose(bed.set_("a", "1"), bed.set_("b", "2"), bed.set_("a", "3"));
      expect(await bed.drained(place, "a")).toBe("3");
      expect(await bed.text("b")).toBe("2");
      expect(await bed.usage()).toMatchObject({ applied: 3, repeated: 0, refused: 0, foreign: 0, losses: 0 });
      expect(bed.streams.read(0, undefined, 500)).toEqual({ proposals: [], head: place, applied: place });
      expect(await bed.drained(place, "a")).toBe("3");
      expect((await bed.usage())?.applied).toBe(3);
    }));

  it("SB8 is applied though nobody asks, within a minute, and then at once while more comes", () =>
    on(async (bed) => {
      await bed.propose(bed.set_("a", "1"));
      await bed.pass(60_000);
      expect(await bed.text("a")).toBe("1");
      await bed.propose(bed.set_("a", "2"));
      await bed.pass(1_100);
      expect(await bed.text("a")).toBe("2");
    }));

  it("SB8 is applied though nobody asks, also where a commit of another instance came first that let no call in", () =>
    on(async (bed) => {
      await bed.set("later", "1", { expiresInMs: 3_600_000 });
      const place = await bed.propose(bed.set_("a", "1"));
      bed.restart();
      await bed.shard.tokens.redeem({ space: "test", id: "token", endsAtMs: bed.time.now() + 60_000 });
      await bed.pass(61_000);
      expect(bed.streams.read(0, undefined, 500)).toMatchObject({ proposals: [], applied: place });
    }));

  it("SB8 has no second effect where the direct try was carried out", () =>
    on(
      async (bed) => {
        const add = bed.proposal({
          kind: "merge",
          key: "n",
          operand: { bytes: utf8("1"), contentType: "application/json" },
        });
        await bed.mutate(add.mutation);
        const place = await bed.propose(add);
        expect(await bed.drained(place, "n")).toBe("1");
        expect(await bed.usage()).toMatchObject({ applied: 1, repeated: 1 });
        // A late copy of the direct try, after the proposal.
        const late = bed.proposal({
          kind: "merge",
          key: "n",
          operand: { bytes: utf8("1"), contentType: "application/json" },
        });
        expect(await bed.drained(await bed.propose(late), "n")).toBe("2");
        expect((await bed.mutate(late.mutation)).verdicts[0]).toMatchObject({
          outcome: "ok",
          replayed: true,
        });
        expect(await bed.text("n")).toBe("2");
      },
      { statics: [sum] },
    ));

  it("SB8 OU2 has no second effect either where the stream can't be read for longer than verdicts are kept otherwise", () =>
    on(
      async (bed) => {
        const add = bed.proposal({
          kind: "merge",
          key: "n",
          operand: { bytes: utf8("1"), contentType: "application/json" },
        });
        const refused = bed.proposal({ kind: "delete", key: "none" });
        await bed.mutate(add.mutation, refused.mutation);
        // More than the log keeps.
        bed.faults = () => ({ lost: "before" });
        const place = await bed.propose(add, refused);
        for (let hour = 0; hour < 30; hour++) {
          await bed.set(`k${hour}`, "x");
          await bed.pass(3_600_000);
        }
        bed.faults = () => undefined;
        expect(await bed.drained(place, "n")).toBe("1");
        expect(await bed.usage()).toMatchObject({ applied: 2, repeated: 2 });
        // Then they go.
        await bed.pass(90_000_000);
        await bed.pass(90_000_000);
        expect(bed.sql.all("SELECT op_id FROM verdicts")).toEqual([]);
        expect(bed.sql.all("SELECT op_id FROM log WHERE op_id = ?", add.mutation.opId)).toEqual([]);
      },
      { statics: [sum], logMaxEntries: 1, logMaxAgeMs: 1_000 },
    ));

  it("SB8 is applied however long it has waited", () =>
    on(async (bed) => {
      bed.faults = () => ({ lost: "before" });
      const place = await bed.propose(bed.set_("a", "1"));
      await bed.pass(7_200_000);
      expect((await bed.usage())?.error).toMatchObject({ code: "storage_unavailable" });
      bed.faults = () => undefined;
      expect(await bed.drained(place, "a")).toBe("1");
      expect((await bed.usage())?.error).toBeUndefined();
    }));

  it("SB8 what can't be carried out is told, and does not stop what comes after it", () =>
    on(
      async (bed) => {
        const text = { bytes: utf8("no number"), contentType: "text/plain" };
        const place = await bed.propose(
          bed.proposal({ kind: "merge", key: "n", operand: text }),
          bed.proposal({ kind: "merge", key: "a", operand: text }),
          { ...bed.set_("a", "old life"), spaceId: "another" },
          bed.set_("a", "1"),
        );
        expect(await bed.drained(place, "a")).toBe("1");
        expect(await bed.usage()).toMatchObject({ applied: 1, refused: 2, foreign: 1 });
        expect(bed.reports).toEqual(["a proposal was refused", "a proposal was refused"]);
      },
      { statics: [sum] },
    ));

  it("SB8 who has proposed something waits until it is applied, and is refused where it can't be", () =>
    on(async (bed) => {
      const place = await bed.propose(bed.set_("a", "1"));
      bed.faults = () => ({ lost: "before" });
      const asked = bed.shard.read({ ...bed.scope(), keys: ["a"], drain: place });
      await bed.time.advance(10);
      expect(refusedCode(await asked)).toBe("storage_unavailable");
      // Others are served.
      expect(await bed.text("a")).toBeUndefined();
      bed.faults = () => ({ delayMs: 60_000 });
      const waits = bed.shard.read({ ...bed.scope(), keys: ["a"], drain: place });
      await bed.time.advance(5_000);
      expect(["unavailable", "storage_timeout"]).toContain(refusedCode(await waits));
    }));

  it("SB8 what the stream has lost is told, and nobody waits for it for ever", () =>
    on(async (bed) => {
      await bed.drained(await bed.propose(bed.set_("a", "1")), "a");
      const restore = bed.streams.snapshot();
      const place = await bed.propose(bed.set_("a", "2"));
      restore();
      expect(await bed.drained(place, "a")).toBe("1");
      expect((await bed.usage())?.losses).toBe(1);
      expect(bed.reports).toEqual(["the stream lacks what a node has proposed"]);
    }));

  it("SB8 what a stream gives again that had lost its tail takes effect once", () =>
    on(
      async (bed) => {
        const one = { bytes: utf8("1"), contentType: "application/json" };
        const add = () => bed.proposal({ kind: "merge", key: "n", operand: one });
        const first = await bed.propose(add());
        const restore = bed.streams.snapshot();
        await bed.time.advance(10);
        expect(await bed.drained(await bed.propose(add(), add()), "n")).toBe("3");
        // Back come the first one, which was applied, and places that were given already.
        restore();
        const again = await bed.propose(add());
        expect(again > first).toBe(true);
        await bed.pass(61_000);
        expect(await bed.text("n")).toBe("4");
        expect(await bed.usage()).toMatchObject({ applied: 5, repeated: 1, losses: 1 });
        expect(await bed.drained(await bed.propose(add()), "n")).toBe("5");
      },
      { statics: [sum] },
    ));

  it("SB8 nodes that can't reach the space know it and its registrations", () =>
    on(async (bed) => {
      expect(bed.streams.notice).toMatchObject({
        space: { id: bed.spaceId, fallback: "memory" },
        registrations: 0,
      });
      const settings = { mode: "strong", cacheTtlMs: 1, maxStalenessMs: 1 } as const;
      await bed.shard.register({ ...bed.scope(), pattern: "s*", settings });
      await bed.time.settle();
      expect(bed.streams.notice).toMatchObject({ registrations: 1, list: [{ pattern: "s*" }] });
      await bed.shard.unregister({ ...bed.scope(), pattern: "s*" });
      await bed.time.settle();
      expect(bed.streams.notice).toMatchObject({ registrations: 2, list: [] });
    }));

  it("SB8 a deleted space has no stream and no notice, and is not gone while they can't be removed", () =>
    on(async (bed) => {
      await bed.propose(bed.set_("a", "1"));
      await bed.shard.deleteSpace("test", "begin");
      bed.faults = () => ({ lost: "before" });
      expect(refusedCode(await done(bed, bed.shard.deleteSpace("test", "finish")))).toBe(
        "storage_unavailable",
      );
      bed.faults = () => undefined;
      expect(await done(bed, bed.shard.deleteSpace("test", "finish"))).toEqual({ deleted: true });
      expect(bed.streams.notice).toBeUndefined();
      expect(bed.streams.read(0, undefined, 1)).toEqual({ proposals: [] });
      // A late proposal for that life is none of the next one's.
      const place = await bed.propose(bed.set_("a", "late"));
      await bed.create({ fallback: "memory" });
      expect(await bed.drained(place, "a")).toBeUndefined();
      expect((await bed.usage())?.foreign).toBe(1);
    }));

  it("SB8 a fallback that the deployment does not know is refused when the space is made, and told afterwards", () =>
    host.withSql(async (sql: Sql) => {
      const bed = await StreamBed.open(sql);
      bed.restart({ fallbacks: { names: [], load: async () => ({ openFollower }), open: () => bed.stream } });
      expect(refusedCode(await bed.shard.createSpace("other", { fallback: "none" }))).toBe("space_conflict");
      await bed.set("a", "1");
      await bed.time.settle();
      expect((await bed.usage())?.error).toMatchObject({ code: "misconfigured" });
      const drain = bed.shard.read({ ...bed.scope(), keys: ["a"], drain: "5-0" });
      expect(refusedCode(await drain)).toBe("misconfigured");
      await done(bed, bed.shard.deleteSpace("test", "begin"));
      bed.restart();
      await done(bed, bed.shard.deleteSpace("test", "finish"));
      expect(refusedCode(await bed.shard.createSpace("test", { fallback: "none" }))).toBe("invalid_argument");
    }));
});

async function done<T>(bed: StreamBed, work: Promise<T>): Promise<T> {
  await bed.time.advance(10);
  return await work;
}
