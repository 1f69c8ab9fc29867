import { describe, expect, it } from "vitest";
import { host } from "#host";
import { shardOf } from "../../../src/protocol/key.ts";
import { isRefusal } from "../../../src/protocol/shard-api.ts";
import { clockStepMs, leaseEndChunk, leaseTombstoneMs } from "../../../src/runtime/coordination-limits.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { AttachmentTable } from "../../../src/shard/lease/attachment-table.ts";
import { type LeaseRow, LeaseTable } from "../../../src/shard/lease/lease-table.ts";
import { createLeaseTables } from "../../../src/shard/lease/schema.ts";
import { codeOf, LeaseTester } from "../../contract/lease-bed.ts";
import { LeaseSpace } from "../../support/lease-space.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

/** A table whose two clocks the test sets apart. */
function tables(sql: Sql) {
  createLeaseTables(sql);
  const time = { wallMs: 1_000_000, elapsedMs: 0 };
  const open = (before?: LeaseTable): LeaseTable =>
    new LeaseTable(sql, { now: () => time.wallMs }, { now: () => time.elapsedMs }, before);
  const grant = (table: LeaseTable, id: string, ttlMs: number): void => {
    const row = { id, ttlMs, onEnd: "delete", grantedAtMs: time.wallMs, lifeUntilMs: undefined } as const;
    table.add({ ...row, deadlineMs: time.wallMs + ttlMs, endedAtMs: undefined }, ttlMs);
  };
  const pass = (ms: number): void => {
    time.wallMs += ms;
    time.elapsedMs += ms;
  };
  return { time, open, grant, pass };
}

describe("the time of leases", () => {
  it("LS2 no lease ends early when the host's clock is set forward", () =>
    host.withSql((sql) => {
      const { time, open, grant, pass } = tables(sql);
      const table = open();
      grant(table, "a", 1_000);
      time.wallMs += 5_000;
      expect(table.due(time.wallMs, 10)).toEqual([]);
      expect(table.isLive(table.get("a"), time.wallMs)).toBe(true);
      expect(table.leftMs(table.get("a") as LeaseRow, time.wallMs)).toBe(1_000);
      // Its next look is when time has really passed, so that nothing is woken for nothing.
      expect(table.nextMs).toBe(time.wallMs + 1_000);
      pass(999);
      expect(table.due(time.wallMs, 10)).toEqual([]);
      pass(1);
      expect(table.due(time.wallMs, 10).map(({ id }) => id)).toEqual(["a"]);
    }));

  it("LS2 after a rebuild what stands there is due ε later, and what is renewed is due at its time", () =>
    host.withSql((sql) => {
      const { time, open, grant, pass } = tables(sql);
      const first = open();
      grant(first, "a", 1_000);
      grant(first, "b", 1_000);
      // Another host, whose clock is ahead by all that it may be.
      time.wallMs += clockStepMs;
      time.elapsedMs = 77_000_000;
      const second = open();
      expect(second.nextMs).toBe(1_000_000 + 1_000 + clockStepMs);
      pass(999);
      expect(second.isLive(second.get("a"), time.wallMs)).toBe(true);
      second.renew("b", time.wallMs + 500, 500);
      pass(1);
      expect(second.due(time.wallMs, 10).map(({ id }) => id)).toEqual(["a"]);
      second.end("a", time.wallMs, undefined);
      expect(second.nextMs).toBe(time.wallMs + 499);
      pass(499);
      expect(second.due(time.wallMs, 10).map(({ id }) => id)).toEqual(["b"]);
    }));

  it("LS2 a commit that was undone costs no lease its time, when the clock is set forward", async () => {
    const set = { byMs: 0 };
    const at: { space?: LeaseSpace } = {};
    const clock = { now: () => (at.space?.time ?? virtualClock()).now() + set.byMs };
    await LeaseSpace.run({ shards: 1, options: { clock } }, async (space) => {
      at.space = space;
      const t = new LeaseTester(space);
      const id = await t.grant({ ttlMs: 60_000 });
      const kept = await t.grant({ ttlMs: 60_000 });
      const { sql } = space.at(0);
      for (const work of [() => t.set("k", "v"), () => t.run({ kind: "revoke", opId: t.opId(), id: kept })]) {
        sql.onWrite = () => {
          throw new Error("the storage refused it");
        };
        await expect(work()).rejects.toMatchObject({ code: "storage_unavailable" });
        sql.onWrite = () => undefined;
      }
      set.byMs = 3_600_000;
      expect([await t.lives(id), await t.lives(kept)]).toEqual([true, true]);
      await space.time.advance(59_000);
      expect([await t.lives(id), await t.lives(kept)]).toEqual([true, true]);
      await space.time.advance(1_000);
      expect([await t.lives(id), await t.lives(kept)]).toEqual([false, false]);
    });
  });

  it("a table that takes the place of another knows what that one knew of time", () =>
    host.withSql((sql) => {
      const { time, open, grant } = tables(sql);
      const first = open();
      grant(first, "a", 1_000);
      const second = open(first);
      expect(second.nextMs).toBe(time.wallMs + 1_000);
      time.wallMs += 9_000;
      expect(second.isLive(second.get("a"), time.wallMs)).toBe(true);
    }));
});

describe("bounds of leases", () => {
  it("a lease takes so many keys of a shard, counting those that are there", () =>
    host.withSql((sql) => {
      createLeaseTables(sql);
      const table = new AttachmentTable(sql);
      for (const key of ["a", "b", "c"]) {
        expect(table.hasRoom("x", 1, 3)).toBe(true);
        table.add("x", key);
      }
      expect(table.hasRoom("x", 1, 3)).toBe(false);
      expect(table.hasRoom("y", 3, 3)).toBe(true);
      table.remove("x", "b");
      expect(table.hasRoom("x", 1, 3)).toBe(true);
      expect(new AttachmentTable(sql, table).hasRoom("x", 2, 3)).toBe(false);
      expect(table.page("x", undefined, 10)).toEqual(["a", "c"]);
      expect(table.page("x", "a", 10)).toEqual(["c"]);
    }));

  it("a shard takes so many leases", () =>
    host.withSql((sql) => {
      const { open, grant } = tables(sql);
      const table = open();
      for (const id of ["a", "b"]) {
        expect(table.hasRoom(2)).toBe(true);
        grant(table, id, 1_000);
      }
      expect(table.hasRoom(2)).toBe(false);
      table.remove("a");
      expect(table.hasRoom(2)).toBe(true);
    }));

  it("what is asked for most is found by an index", () =>
    host.withSql((sql) => {
      createLeaseTables(sql);
      const plan = (query: string): string =>
        sql
          .all(`EXPLAIN QUERY PLAN ${query}`)
          .map(({ detail }) => detail)
          .join("; ");
      for (const query of [
        "SELECT id FROM leases WHERE ended_at IS NULL AND deadline <= 5 ORDER BY deadline LIMIT 9",
        "SELECT id FROM leases WHERE ended_at IS NULL ORDER BY deadline LIMIT 9",
        "SELECT id FROM leases WHERE ended_at IS NOT NULL ORDER BY ended_at LIMIT 9",
        "SELECT key FROM lease_keys WHERE lease = 'x' AND key > x'00' ORDER BY key LIMIT 9",
        "SELECT min(at) AS at FROM lease_ends",
      ]) {
        expect(plan(query), query).not.toMatch(/^SCAN (leases|lease_keys|lease_ends)(;|$)|TEMP B-TREE/);
      }
    }));
});

describe("leases of a shard", () => {
  it("LS4 an end over more keys than one commit takes is carried out for all", () =>
    LeaseSpace.run({ shards: 1 }, async (space) => {
      const t = new LeaseTester(space);
      const id = await t.grant({ onEnd: "delete", ttlMs: 60_000 });
      const keys = Array.from({ length: 3 * leaseEndChunk + 5 }, (_, at) => `k${at}`);
      for (let at = 0; at < keys.length; at += 200) {
        const sets = keys.slice(at, at + 200).map((key) => t.setting(key, "v", { lease: id }));
        await t.adapter.batch(sets);
      }
      expect(await t.revoke(id, t.others)).toEqual({ outcome: "ok" });
      expect((await t.told("delete")).toSorted()).toEqual(keys.toSorted());
      expect(space.rows("keys")).toBe(0);
      expect(space.rows("lease_keys")).toBe(0);
    }));

  it("LS2 many leases that are due together all end", () =>
    LeaseSpace.run({ shards: 1 }, async (space) => {
      const t = new LeaseTester(space);
      const ids: string[] = [];
      for (let at = 0; at < 250; at++) {
        const id = await t.grant({ ttlMs: 1_000, onEnd: "delete" });
        await t.set(`k${at}`, "v", { lease: id });
        ids.push(id);
      }
      await t.time.advance(2_000);
      expect((await t.told("leaseEnd")).toSorted()).toEqual(ids.toSorted());
      expect(space.rows("keys")).toBe(0);
      expect((await t.leases.list()).leases).toEqual([]);
    }));

  it("the id of an ended lease stays closed for a while", () =>
    LeaseSpace.run({ shards: 1 }, async (space) => {
      const t = new LeaseTester(space);
      const id = await t.grant();
      await t.revoke(id);
      const grant = async () => {
        const command = { kind: "grant", opId: t.opId(), id, ttlMs: 1_000, onEnd: "delete" } as const;
        return codeOf(await t.run(command));
      };
      await t.time.advance(leaseTombstoneMs - 1_000);
      expect(await grant()).toBe("invalid_argument");
      await t.time.advance(2_000);
      expect(await grant()).toBe("ok");
    }));

  it("commands and keys of another shard are refused", () =>
    LeaseSpace.run({ shards: 1 }, async (space) => {
      const t = new LeaseTester(space);
      const created = await space.shard(0).getSpace("test");
      if (isRefusal(created)) throw new Error("no space");
      const scope = { space: "test", shard: 7, spaceId: created.space.id, registrations: 0 };
      const id = t.id();
      const command = { kind: "grant", opId: t.opId(), id, ttlMs: 1_000, onEnd: "delete" } as const;
      const reply = await space.shard(0).lease({ ...scope, commands: [command] });
      expect(reply).toMatchObject({ verdicts: [{ error: { code: "cross_shard" } }] });
      expect(shardOf(id, 1)).toBe(0);
    }));

  it("a deleted space takes its leases along", () =>
    LeaseSpace.run({ shards: 1 }, async (space) => {
      const t = new LeaseTester(space);
      const id = await t.grant({ ttlMs: 60_000 });
      await t.set("a", "1", { lease: id });
      const created = await space.shard(0).getSpace("test");
      if (isRefusal(created)) throw new Error("no space");
      await space.shard(0).deleteSpace("test", "begin", created.space.id);
      await space.shard(0).deleteSpace("test", "finish", created.space.id);
      expect(space.rows("leases")).toBe(0);
      await t.time.advance(120_000);
      expect(codeOf(await t.set("a", "2"))).toBe("ok");
      expect(await t.leases.info(id)).toBeUndefined();
    }));
});

describe.skipIf(host.name !== "node")("leases of several shards", () => {
  it("LS3 a shard joins a lease once, before its first key is attached", () =>
    LeaseSpace.run({ shards: 4 }, async (space) => {
      const t = new LeaseTester(space);
      const id = await t.grant({ ttlMs: 60_000 });
      const home = shardOf(id, 4);
      for (let at = 0; at < 40; at++) await t.set(`k${at}`, "v", { lease: id });
      await t.attach(id, ...Array.from({ length: 40 }, (_, at) => `a${at}`));
      const members = [0, 1, 2, 3].filter((shard) => shard !== home);
      expect(space.sent.toSorted()).toEqual(members.map((shard) => `joinLease ${shard}>${home}`).toSorted());
      expect((await t.leases.info(id))?.shards).toEqual([0, 1, 2, 3]);
    }));

  it("LS3 where the home can't be asked nothing is written, and what was done before is told again", () =>
    LeaseSpace.run({ shards: 4 }, async (space) => {
      const t = new LeaseTester(space);
      const id = await t.grant({ ttlMs: 60_000, onEnd: "delete" });
      const home = shardOf(id, 4);
      const away = Array.from({ length: 9 }, (_, at) => `k${at}`).filter((key) => shardOf(key, 4) !== home);
      const [key = "", other = ""] = away;
      space.fate = () => "lost";
      const set = t.setting(key, "v", { lease: id });
      const refused = await t.adapter.batch([set]).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: "unavailable", outcome: "fail" });
      expect(await t.attach(id, key)).toMatchObject({ error: { code: "unavailable", outcome: "fail" } });
      expect(await t.text(key)).toBeUndefined();
      space.fate = () => "arrives";
      const [done] = await t.adapter.batch([set]);
      expect(codeOf(done?.verdict)).toBe("ok");
      // As if another instance had to ask again.
      space.at(shardOf(key, 4)).sql.run("DELETE FROM lease_joins");
      space.fate = () => "lost";
      const [again] = await t.adapter.batch([set]);
      expect(again?.verdict).toMatchObject({ outcome: "ok", replayed: true });
      space.fate = () => "hangs";
      const slow = t.adapter.batch([t.setting(other, "v", { lease: id })]).catch((error: unknown) => error);
      await t.time.advance(5_000);
      expect(await slow).toMatchObject({ code: "unavailable", outcome: "fail" });
    }));

  it("LS4 a shard that can't be reached is asked again until it has carried the end out", () =>
    LeaseSpace.run({ shards: 4 }, async (space) => {
      const t = new LeaseTester(space);
      const id = await t.grant({ ttlMs: 600_000, onEnd: "delete" });
      const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);
      for (const key of keys) await t.set(key, "v", { lease: id });
      const home = shardOf(id, 4);
      const [member = 0] = [0, 1, 2, 3].filter((shard) => shard !== home);
      space.sent.length = 0;
      space.fate = (_, to) => (to === member ? "lost" : "arrives");
      const opId = t.opId();
      const revoke = t.run({ kind: "revoke", opId, id }).catch((error: unknown) => error);
      await t.time.advance(11_000);
      expect(await revoke).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
      expect(await t.lives(id)).toBe(false);
      const left = async (): Promise<number[]> => {
        const texts = await Promise.all(keys.map(async (key) => [key, await t.text(key)] as const));
        return texts.flatMap(([key, text]) => (text === undefined ? [] : [shardOf(key, 4)]));
      };
      expect(new Set(await left())).toEqual(new Set([member]));
      const tries = space.sent.filter((call) => call === `endLease ${home}>${member}`).length;
      expect(tries).toBeGreaterThan(3);
      expect(tries).toBeLessThan(9);
      // Another instance has it to do now, and whatever else it is asked.
      space.at(home).kill();
      const own = Array.from({ length: 99 }, (_, at) => `own${at}`).find((key) => shardOf(key, 4) === home);
      expect(codeOf(await t.set(own ?? "", "v"))).toBe("ok");
      // The same op id waits on.
      const again = t.run({ kind: "revoke", opId, id });
      space.fate = () => "arrives";
      await t.time.advance(9_900);
      expect(await again).toEqual({ outcome: "ok", replayed: true });
      expect(await left()).toEqual([]);
      expect(space.rows("lease_members")).toBe(0);
    }));

  it("LS4 a revoke that waits for a shard out of reach is told when its space is deleted", () =>
    LeaseSpace.run({ shards: 2 }, async (space) => {
      const t = new LeaseTester(space);
      const home = 0;
      let id = t.id();
      while (shardOf(id, 2) !== home) id = t.id();
      await t.grant({ id, ttlMs: 60_000 });
      let key = "k";
      while (shardOf(key, 2) === home) key += "k";
      await t.set(key, "1", { lease: id });
      space.fate = (_from, _to, method) => (method === "endLease" ? "lost" : "arrives");
      const created = await space.shard(home).getSpace("test");
      if (isRefusal(created)) throw new Error("no space");
      const spaceId = created.space.id;
      const scope = { space: "test", shard: home, spaceId, registrations: 0 };
      let told: unknown = "waits";
      const command = { kind: "revoke", opId: t.opId(), id } as const;
      void space
        .shard(home)
        .lease({ ...scope, commands: [command] })
        .then((reply) => {
          told = reply;
        });
      await t.time.advance(1_000);
      expect(told).toBe("waits");
      for (const at of [0, 1]) await space.shard(at).deleteSpace("test", "begin", spaceId);
      for (const at of [1, 0]) await space.shard(at).deleteSpace("test", "finish", spaceId);
      await t.time.advance(1);
      expect(told).toMatchObject({ refused: { code: "space_not_found" } });
    }));

  it(
    "LS4 10,000 keys over four shards end together, though the home dies in the middle",
    () =>
      LeaseSpace.run({ shards: 4 }, async (space) => {
        const t = new LeaseTester(space);
        const id = await t.grant({ ttlMs: 600_000, onEnd: "delete" });
        const keys = Array.from({ length: 10_000 }, (_, at) => `k${at}`);
        for (let at = 0; at < keys.length; at += 1_000) {
          await t.adapter.batch(keys.slice(at, at + 1_000).map((key) => t.setting(key, "v")));
          expect(codeOf(await t.attach(id, ...keys.slice(at, at + 1_000)))).toBe("ok");
        }
        expect(space.rows("lease_keys")).toBe(10_000);
        const opId = t.opId();
        void t.run({ kind: "revoke", opId, id }, t.others).catch(() => undefined);
        for (let turn = 0; turn < 500 && space.rows("lease_keys") > 8_000; turn++) await Promise.resolve();
        const rows = space.rows("lease_keys");
        expect(rows).toBeLessThan(10_000);
        expect(rows).toBeGreaterThan(0);
        space.at(shardOf(id, 4)).kill();
        space.at((shardOf(id, 4) + 1) % 4).kill();
        expect(codeOf(await t.patiently(t.run({ kind: "revoke", opId, id }, t.leases)))).toBe("ok");
        expect(space.rows("keys")).toBe(0);
        expect(space.rows("lease_keys")).toBe(0);
      }),
    60_000,
  );

  it("a member whose space has been made anew has nothing left to end", () =>
    LeaseSpace.run({ shards: 4 }, async (space) => {
      const reply = await space.shard(1).leases.endLease({
        space: "test",
        shard: 1,
        spaceId: "another life",
        registrations: 0,
        id: "lease0123456789ab",
        onEnd: "delete",
      });
      expect(reply).toMatchObject({ keys: 0 });
      expect(space.rows("lease_ends")).toBe(0);
    }));
});
