import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { HistoryPolicy, RegistrationSettings } from "../../src/protocol/registration.ts";
import type { Mutation, VersionRequest } from "../../src/protocol/shard-api.ts";
import { isRefusal } from "../../src/protocol/shard-api.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { seeded } from "../support/seeded.ts";
import { expectReply, ShardBed } from "../support/shard-bed.ts";

const settings: RegistrationSettings = { mode: "eventual", cacheTtlMs: 60_000, maxStalenessMs: 1_000 };

const withHistory = (history: HistoryPolicy, work: (bed: ShardBed) => Promise<void>) =>
  host.withSql(async (sql) => {
    const bed = await new ShardBed(sql).create();
    await register(bed, history);
    await work(bed);
  });

async function register(bed: ShardBed, history: HistoryPolicy | undefined, ifVersion?: number) {
  const request = { ...bed.scope(), pattern: "h*", ...(ifVersion === undefined ? {} : { ifVersion }) };
  const policy = history === undefined ? settings : { ...settings, history };
  return expectReply(await bed.shard.register({ ...request, settings: policy })).registration.version;
}

/** The text that a kept version has, its kind, null, or the code of the refusal. */
async function seen(bed: ShardBed, key: string, which: VersionRequest["which"]): Promise<string | null> {
  const reply = await bed.shard.readVersion({ ...bed.scope(), key, which });
  if (isRefusal(reply)) return reply.refused.code;
  if (reply.found === null) return null;
  return reply.found.payload === undefined ? reply.found.kind : fromUtf8(reply.found.payload.bytes);
}

const rows = (bed: ShardBed): number =>
  bed.sql.all<{ n: number }>("SELECT count(*) AS n FROM history")[0]?.n ?? 0;

/** Rings the alarm for as long as it is due. Gives how often. */
async function ring(bed: ShardBed): Promise<number> {
  for (let rung = 0; ; rung++) {
    if (bed.alarmMs === undefined || bed.alarmMs > bed.nowMs) return rung;
    bed.alarmMs = undefined;
    await bed.shard.onAlarm();
  }
}

describe("kept versions", () => {
  it("VE1 are let go by age through the alarm when nobody writes, and the alarm then rests", () =>
    withHistory({ ageMs: 60_000 }, async (bed) => {
      const start = bed.nowMs;
      for (let i = 0; i < 5; i++) {
        await bed.set("h1", `${i}`);
        bed.nowMs += 10_000;
      }
      await bed.delete("h2");
      await bed.set("h2", "1");
      await bed.delete("h2");
      expect(bed.alarmMs).toBe(start + 70_000);
      bed.nowMs = start + 70_000;
      await ring(bed);
      expect(await seen(bed, "h1", { atMs: start + 9_999 })).toBe("version_compacted");
      expect(await seen(bed, "h1", { atMs: start + 10_000 })).toBe("1");
      for (let i = 0; i < 200 && bed.alarmMs !== undefined && rows(bed) > 0; i++) {
        bed.nowMs = Math.max(bed.nowMs, bed.alarmMs);
        if (i % 3 === 0) bed.restart();
        await ring(bed);
      }
      expect(rows(bed)).toBe(0);
      expect(bed.nowMs).toBeLessThanOrEqual(start + 120_000);
      expect(await bed.text("h1")).toBe("4");
      // Within the age all is known, also what is no longer written down.
      expect(await seen(bed, "h2", { atMs: bed.nowMs - 60_000 })).toBeNull();
      expect(await seen(bed, "h2", { atMs: bed.nowMs - 60_001 })).toBe("version_compacted");
    }));

  it("VE1 what is written behind a sweep that is under way is not forgotten by it", () =>
    withHistory({ ageMs: 60_000 }, async (bed) => {
      const key = (i: number): string => `h${String(i).padStart(3, "0")}`;
      for (let i = 0; i < 300; i++) {
        await bed.set(key(i), "1");
        await bed.set(key(i), "2");
      }
      bed.nowMs += 60_000;
      await bed.shard.onAlarm();
      expect(rows(bed)).toBe(100);
      await bed.set(key(0), "3");
      await ring(bed);
      expect(rows(bed)).toBe(1);
      bed.nowMs += 60_000;
      expect(bed.alarmMs).toBeLessThanOrEqual(bed.nowMs);
      await ring(bed);
      expect(rows(bed)).toBe(0);
    }));

  it("VE1 a removed registration lets all of them go, in stretches", () =>
    withHistory({ versions: 10_000 }, async (bed) => {
      const put = (i: number): Mutation => ({
        kind: "set",
        opId: bed.opId(),
        key: `h${i % 2}`,
        payload: { bytes: utf8(`${i}`), contentType: "t/p" },
      });
      for (let i = 0; i < 3; i++) await bed.mutate(...Array.from({ length: 1_000 }, (_, n) => put(n)));
      expect(rows(bed)).toBe(2_998);
      await bed.shard.unregister({ ...bed.scope(), pattern: "h*" });
      expect(await seen(bed, "h1", { version: 10 })).toBe("version_compacted");
      expect(await ring(bed)).toBeGreaterThan(2);
      expect(rows(bed)).toBe(0);
      expect(await bed.text("h1")).toBe("999");
    }));

  it("VE1 a narrower policy reaches keys that nobody writes, through the alarm", () =>
    withHistory({ versions: 100 }, async (bed) => {
      for (let i = 0; i < 40; i++) await bed.set("h", `${i}`);
      await register(bed, { versions: 3 }, 1);
      await ring(bed);
      expect(rows(bed)).toBe(2);
    }));

  it("VE1 other static registrations after a deployment begin the watch anew, and the sweep follows them", () =>
    host.withSql(async (sql) => {
      const statics = (history?: HistoryPolicy) => [
        {
          pattern: "h*",
          settings: history === undefined ? settings : { ...settings, history },
          version: 0,
          source: "static" as const,
        },
      ];
      const bed = await new ShardBed(sql, { statics: statics({ versions: 9 }) }).create();
      const start = bed.nowMs;
      for (let i = 0; i < 4; i++) await bed.set("h", `${i}`);
      bed.nowMs += 10;
      bed.restart();
      expect(await seen(bed, "h-absent", { atMs: start })).toBeNull();
      bed.restart({ statics: statics({ versions: 2 }) });
      expect(await seen(bed, "h-absent", { atMs: start })).toBe("version_compacted");
      expect(await seen(bed, "h-absent", { atMs: bed.nowMs })).toBeNull();
      await bed.set("other", "1");
      bed.nowMs += 10;
      await ring(bed);
      expect(rows(bed)).toBe(1);
    }));

  it("VE4 a key whose end has come is gone in its history too, whoever looks first", () =>
    withHistory({ versions: 5 }, async (bed) => {
      const start = bed.nowMs;
      const many = Array.from(
        { length: 1_200 },
        (_, i): Mutation => ({
          kind: "set",
          opId: bed.opId(),
          key: i === 1_199 ? "h" : `k${i}`,
          payload: { bytes: utf8("x"), contentType: "t/p" },
          expiresInMs: i === 1_199 ? 2_000 : 1_000,
        }),
      );
      await bed.mutate(...many);
      bed.nowMs += 3_000;
      expect(await seen(bed, "h", { atMs: start + 1_999 })).toBe("x");
      expect(await seen(bed, "h", { atMs: start + 2_000 })).toBeNull();
      const { versions } = expectReply(await bed.shard.history({ ...bed.scope(), key: "h", limit: 10 }));
      expect(versions.map(({ kind }) => kind)).toEqual(["expire", "set"]);
    }));

  it("VE2 times never run backwards along a chain, whatever the host's clock does", () =>
    withHistory({ versions: 9 }, async (bed) => {
      const start = bed.nowMs;
      await bed.set("h", "1");
      bed.nowMs -= 5_000;
      await bed.set("h", "2");
      bed.nowMs = start + 10;
      await bed.set("h", "3");
      expect(await seen(bed, "h", { atMs: start })).toBe("2");
      expect(await seen(bed, "h", { atMs: start + 10 })).toBe("3");
    }));

  it("a database of the first schema is brought forward: its values are the oldest versions", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create();
      await bed.set("h", "old");
      const first = ["keys", "log", "verdicts", "registrations", "meta"];
      const tables = sql.all<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*'",
      );
      for (const { name } of tables) if (!first.includes(name)) sql.run(`DROP TABLE ${name}`);
      for (const column of ["tags", "away", "source", "checked"])
        sql.run(`ALTER TABLE keys DROP COLUMN ${column}`);
      for (const column of ["total", "content_type", "value"])
        sql.run(`ALTER TABLE log DROP COLUMN ${column}`);
      sql.run("DELETE FROM meta WHERE name = 'history_since'");
      sql.run("UPDATE meta SET value = 1 WHERE name = 'schema'");
      bed.restart();
      await register(bed, { versions: 5 });
      await bed.set("h", "new", { tags: ["x"] });
      expect(await seen(bed, "h", { version: 1 })).toBe("old");
      expect((await bed.read("h")).entries[0]).toMatchObject({ version: 3, tags: ["x"] });
    }));
});

/** What a key's history should be: every version ever, and how many of them are kept. */
interface Told {
  readonly version: number;
  readonly atMs: number;
  /** Null: the key ended with it. */
  readonly value: string | null;
}

describe("kept versions against a model", () => {
  it(
    "VE2 VE3 point-in-time reads over many versions of 100 keys equal the model, with restarts in between",
    () =>
      host.withSql(async (sql) => {
        const seed = 20_261_122;
        const random = seeded(seed);
        const versions = 60;
        const wanted = host.name === "node" ? 10_000 : 2_000;
        const bed = await new ShardBed(sql).create();
        await register(bed, { versions });
        const start = bed.nowMs;
        const model = new Map<string, Told[]>();
        const told = (key: string): Told[] => {
          const list = model.get(key) ?? [];
          model.set(key, list);
          return list;
        };
        const keys = Array.from({ length: 100 }, (_, i) => `h${i}`);
        /** What is kept of all that was told, oldest first. */
        const kept = (key: string): Told[] => told(key).slice(-versions);
        let written = 0;
        const check = async (key: string): Promise<void> => {
          const all = told(key);
          const known = kept(key);
          const trimmed = known.length < all.length;
          const floor = known[0];
          const which = random.below(2) === 0;
          if (which && all.length > 0) {
            const { version } = random.pick(all);
            const found = known.find((one) => one.version === version);
            const expected = found === undefined ? "version_compacted" : found.value;
            const answer = await seen(bed, key, { version });
            expect(answer === "delete" ? null : answer, `seed ${seed}: ${key}@${version}`).toBe(expected);
            return;
          }
          const atMs = start + random.below(bed.nowMs - start + 1);
          const then = known.findLast((one) => one.atMs <= atMs);
          const before = trimmed || (floor !== undefined && floor.atMs <= atMs) ? "version_compacted" : null;
          const expected = then === undefined ? before : then.value;
          expect(await seen(bed, key, { atMs }), `seed ${seed}: ${key} at ${atMs - start}`).toBe(expected);
        };
        while (written < wanted) {
          const batch: { mutation: Mutation; key: string; value: string | null }[] = [];
          for (let i = random.below(20); i >= 0; i--) {
            // Some keys are written much more often than others.
            const key = keys[Math.min(random.below(100), random.below(100))] ?? "h0";
            const past = kept(key).filter((one) => one.value !== null);
            const kind = random.below(10);
            const opId = bed.opId();
            const taken = batch.some((other) => other.key === key);
            if (kind === 0) batch.push({ mutation: { kind: "delete", opId, key }, key, value: null });
            else if (kind === 1 && past.length > 0 && !taken) {
              const { version, value } = random.pick(past);
              batch.push({ mutation: { kind: "restore", opId, key, version }, key, value });
            } else {
              const value = `${written}-${i}`;
              const payload = { bytes: utf8(value), contentType: "t/p" };
              batch.push({ mutation: { kind: "set", opId, key, payload }, key, value });
            }
          }
          const { verdicts } = await bed.mutate(...batch.map(({ mutation }) => mutation));
          for (const [i, { key, value }] of batch.entries()) {
            const verdict = verdicts[i];
            if (verdict?.outcome !== "ok") throw new Error(`seed ${seed}: ${JSON.stringify(verdict)}`);
            if (verdict.revision === 0) continue;
            told(key).push({ version: verdict.revision, atMs: bed.nowMs, value });
            written++;
          }
          // Often no time passes: several versions of one millisecond.
          bed.nowMs += random.below(3);
          if (random.below(50) === 0) bed.restart();
          if (bed.alarmMs !== undefined && bed.alarmMs <= bed.nowMs) await ring(bed);
          await check(random.pick(keys));
        }
        for (const key of keys) {
          for (let i = 0; i < 5; i++) await check(key);
          const page = expectReply(await bed.shard.history({ ...bed.scope(), key, limit: 1_000 }));
          const expected = kept(key).map(({ version }) => version);
          expect(page.versions.map(({ version }) => version).toReversed(), `seed ${seed}: ${key}`).toEqual(
            expected,
          );
        }
      }),
    60_000,
  );
});
