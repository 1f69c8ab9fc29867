import { describe, expect, it } from "vitest";
import { host } from "#host";
import { WarpError } from "../../src/errors.ts";
import { formatETag } from "../../src/protocol/position.ts";
import type { StoredRegistration } from "../../src/protocol/registration.ts";
import type { Change, ChangesReply, Verdict } from "../../src/protocol/shard-api.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import type { SpaceSettings } from "../../src/protocol/space.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { unwrittenEpoch } from "../../src/shard/unwritten.ts";
import { expectReply, refusedCode, ShardBed, verdictCode } from "../support/shard-bed.ts";

const withBed = <T>(work: (bed: ShardBed) => Promise<T>, options = {}) =>
  host.withSql(async (sql) => work(await new ShardBed(sql, options).create()));

async function changesSince(bed: ShardBed, since: number, limit = 100): Promise<ChangesReply> {
  const { epoch } = await bed.read();
  return expectReply(await bed.shard.changes({ ...bed.scope(), epoch, since, limit }));
}

const short = (changes: readonly Change[]) => changes.map((c) => `${c.revision} ${c.kind} ${c.key}`);

describe("revisions and versions", () => {
  it("grow by one with each change, and the version is the revision of the key's last change", () =>
    withBed(async (bed) => {
      expect(await bed.set("a", "1")).toMatchObject({ version: 1, revision: 1, existed: false });
      expect(await bed.set("b", "1")).toMatchObject({ version: 2, revision: 2, existed: false });
      expect(await bed.set("a", "2")).toMatchObject({ version: 3, revision: 3, existed: true });
      expect(await bed.delete("a")).toMatchObject({ version: 0, revision: 4, existed: true });
      expect(await bed.set("a", "3")).toMatchObject({ version: 5, revision: 5, existed: false });
      const { entries, asOf } = await bed.read("a", "b", "c");
      expect(entries.map((entry) => entry?.version)).toEqual([5, 2, undefined]);
      expect(asOf).toBe(5);
    }));

  it("go on after a restart, in the same epoch", () =>
    withBed(async (bed) => {
      await bed.set("a", "1");
      const before = await bed.read("a");
      bed.restart();
      expect(await bed.read("a")).toEqual(before);
      expect(await bed.set("b", "1")).toMatchObject({ revision: 2 });
    }));

  it("AD1 a delete of an absent key changes nothing and is ok", () =>
    withBed(async (bed) => {
      expect(await bed.delete("nothing")).toEqual({ outcome: "ok", version: 0, revision: 0, existed: false });
      expect((await bed.read()).asOf).toBe(0);
    }));

  it("keys of any characters and bytes come back as they went in", () =>
    withBed(async (bed) => {
      const keys = [
        "\u0000",
        "a\u0000b",
        "ключ",
        "🗝️",
        "a/b//c",
        "..",
        " ",
        "%2F",
        "{tag}x",
        "\uffff",
        "k".repeat(512),
      ];
      for (const key of keys) await bed.set(key, `value of ${key}`);
      for (const key of keys) expect(await bed.text(key)).toBe(`value of ${key}`);
      const bytes = new Uint8Array(256).map((_, i) => i);
      await bed.set("bytes", "", { payload: { bytes, contentType: "application/octet-stream" } });
      expect((await bed.read("bytes")).entries[0]?.payload.bytes).toEqual(bytes);
      await bed.set("empty", "");
      expect((await bed.read("empty")).entries[0]?.payload.bytes.length).toBe(0);
    }));

  it("a reply carries at most 16 MiB of values and says nothing of the keys beyond", () =>
    withBed(async (bed) => {
      const bytes = new Uint8Array(1_048_576);
      for (let i = 0; i < 18; i++) await bed.set(`k${i}`, "", { payload: { bytes, contentType: "x/y" } });
      const reply = await bed.read(...Array.from({ length: 18 }, (_, i) => `k${i}`));
      expect(reply.entries.length).toBe(16);
    }));
});

describe("preconditions", () => {
  it("are compared with the stored version, and a failing one changes nothing", () =>
    withBed(async (bed) => {
      const { epoch } = await bed.read();
      await bed.set("a", "1");
      const at1 = formatETag(epoch, 1);
      expect(verdictCode(await bed.set("a", "x", { when: { anyOf: [formatETag(epoch, 9)] } }))).toBe(
        "precondition_failed",
      );
      expect(verdictCode(await bed.set("a", "x", { when: { anyOf: [formatETag("f".repeat(16), 1)] } }))).toBe(
        "precondition_failed",
      );
      expect(verdictCode(await bed.set("a", "x", { when: { noneOf: "*" } }))).toBe("precondition_failed");
      expect(verdictCode(await bed.set("a", "x", { when: { noneOf: [at1] } }))).toBe("precondition_failed");
      expect(verdictCode(await bed.set("b", "x", { when: { anyOf: "*" } }))).toBe("precondition_failed");
      expect(verdictCode(await bed.delete("a", { when: { anyOf: [formatETag(epoch, 2)] } }))).toBe(
        "precondition_failed",
      );
      expect(await bed.text("a")).toBe("1");
      expect((await bed.read()).asOf).toBe(1);
      expect(verdictCode(await bed.set("a", "2", { when: { anyOf: [formatETag(epoch, 7), at1] } }))).toBe(
        "ok",
      );
      expect(verdictCode(await bed.set("b", "1", { when: { noneOf: "*" } }))).toBe("ok");
      expect(verdictCode(await bed.delete("a", { when: { anyOf: "*" } }))).toBe("ok");
      expect(verdictCode(await bed.set("a", "3", { when: { noneOf: [at1] } }))).toBe("ok");
    }));
});

describe("op ids", () => {
  const repeatable = async (bed: ShardBed, run: (opId: string) => Promise<Verdict>) => {
    const opId = bed.opId();
    const first = await run(opId);
    bed.nowMs += 299_000;
    bed.restart();
    const second = await run(opId);
    return { first, second };
  };

  it("OU2 a repeated op id gives the first verdict and no second effect, also after a restart", () =>
    withBed(async (bed) => {
      const set = await repeatable(bed, (opId) => bed.set("a", "1", { opId }));
      expect(set.second).toEqual({ ...set.first, replayed: true });
      await bed.set("a", "2");
      const gone = await repeatable(bed, (opId) => bed.delete("absent", { opId }));
      expect(gone.second).toEqual({ ...gone.first, replayed: true });
      expect((await bed.read()).asOf).toBe(2);
    }));

  it("OU2 a refusal is remembered too: the repeat fails although it would now succeed", () =>
    withBed(async (bed) => {
      const opId = bed.opId();
      expect(verdictCode(await bed.set("a", "1", { opId, when: { anyOf: "*" } }))).toBe(
        "precondition_failed",
      );
      await bed.set("a", "0");
      expect(verdictCode(await bed.set("a", "1", { opId, when: { anyOf: "*" } }))).toBe(
        "precondition_failed",
      );
      expect(await bed.text("a")).toBe("0");
    }));

  it("OU2 a delete that found nothing does not delete what came later", () =>
    withBed(async (bed) => {
      const opId = bed.opId();
      await bed.delete("a", { opId });
      await bed.set("a", "kept");
      expect(await bed.delete("a", { opId })).toMatchObject({
        outcome: "ok",
        existed: false,
        replayed: true,
      });
      expect(await bed.text("a")).toBe("kept");
    }));

  it("OU2 a different operation under a used op id is op_id_reused: key, value, kind, type, expiry or condition", () =>
    withBed(async (bed) => {
      const opId = bed.opId();
      await bed.set("a", "1", { opId });
      expect(verdictCode(await bed.set("b", "1", { opId }))).toBe("op_id_reused");
      expect(verdictCode(await bed.set("a", "2", { opId }))).toBe("op_id_reused");
      expect(verdictCode(await bed.delete("a", { opId }))).toBe("op_id_reused");
      expect(verdictCode(await bed.set("a", "1", { opId, expiresInMs: 1000 }))).toBe("op_id_reused");
      expect(verdictCode(await bed.set("a", "1", { opId, when: { anyOf: "*" } }))).toBe("op_id_reused");
      const json = { bytes: utf8("1"), contentType: "application/json" };
      expect(verdictCode(await bed.set("a", "1", { opId, payload: json }))).toBe("op_id_reused");
      expect((await bed.read()).asOf).toBe(1);
    }));

  it("OU2 an op id older than 5 min is op_id_expired and never executed, one from the future is invalid", () =>
    withBed(async (bed) => {
      const opId = bed.opId();
      const ahead = scopeOpId("test", uuidv7({ now: () => bed.nowMs + 61_000 }, bed.random));
      expect(verdictCode(await bed.set("a", "1", { opId: ahead }))).toBe("invalid_op_id");
      bed.nowMs += 300_001;
      expect(verdictCode(await bed.set("a", "1", { opId }))).toBe("op_id_expired");
      expect(verdictCode(await bed.set("a", "1", { opId: "nonsense" }))).toBe("invalid_op_id");
      expect((await bed.read()).asOf).toBe(0);
    }));

  it("OU2 the same op id of two subjects is two operations", () =>
    withBed(async (bed) => {
      const id = uuidv7({ now: () => bed.nowMs }, bed.random);
      expect(await bed.set("a", "1", { opId: scopeOpId("ann", id) })).toMatchObject({ revision: 1 });
      expect(await bed.set("a", "2", { opId: scopeOpId("bob", id) })).toMatchObject({ revision: 2 });
    }));

  it("OU2 a verdict outlives the trimming of the log while its op id counts", () =>
    withBed(
      async (bed) => {
        const opId = bed.opId();
        await bed.set("first", "1", { opId });
        for (let i = 0; i < 30; i++) {
          await bed.mutate(
            ...Array.from({ length: 100 }, (_, j) => ({
              kind: "set" as const,
              opId: bed.opId(),
              key: `k${i}-${j}`,
              payload: { bytes: utf8("x"), contentType: "t/p" },
            })),
          );
        }
        expect(await bed.set("first", "1", { opId })).toMatchObject({ revision: 1, replayed: true });
      },
      { logMaxEntries: 10 },
    ));
});

describe("the change log", () => {
  it("SB1 tells every change after a revision, in order, in pages", () =>
    withBed(async (bed) => {
      await bed.set("a", "1");
      await bed.set("b", "1");
      await bed.delete("a");
      await bed.mutate(
        { kind: "invalidate", opId: bed.opId(), key: "b" },
        { kind: "invalidatePrefix", opId: bed.opId(), prefix: "user:" },
      );
      const all = await changesSince(bed, 0);
      expect(short(all.changes)).toEqual([
        "1 set a",
        "2 set b",
        "3 delete a",
        "4 invalidate b",
        "5 invalidatePrefix user:",
      ]);
      expect(all.to).toBe(5);
      const page = await changesSince(bed, 1, 2);
      expect(short(page.changes)).toEqual(["2 set b", "3 delete a"]);
      expect(page).toMatchObject({ to: 3, asOf: 5 });
      expect(await changesSince(bed, 5)).toMatchObject({ changes: [], to: 5 });
      expect(await bed.text("b")).toBe("1");
    }));

  it("is bounded by count, and says so to whom it can no longer tell", () =>
    withBed(
      async (bed) => {
        const put = (i: number) => ({
          kind: "set" as const,
          opId: bed.opId(),
          key: `k${i}`,
          payload: { bytes: utf8("x"), contentType: "t/p" },
        });
        await bed.mutate(...Array.from({ length: 1500 }, (_, i) => put(i)));
        bed.nowMs += 400_000;
        await bed.mutate(put(0));
        const gap = await changesSince(bed, 0);
        expect(gap).toMatchObject({ gap: "compacted", changes: [], to: 1501 });
        const { logEntries, logFloor } = expectReply(await bed.shard.usage(bed.scope()));
        expect(logEntries).toBeLessThanOrEqual(1100);
        expect(await changesSince(bed, logFloor)).toMatchObject({ to: 1501 });
        expect((await changesSince(bed, logFloor)).gap).toBeUndefined();
      },
      { logMaxEntries: 100 },
    ));

  it("is bounded by age through the alarm, never loses its newest entry, and the alarm then rests", () =>
    withBed(
      async (bed) => {
        for (let i = 0; i < 5; i++) await bed.set(`k${i}`, "x");
        expect(bed.alarmMs).toBe(bed.nowMs + 3_600_000);
        bed.nowMs = bed.alarmMs ?? 0;
        bed.alarmMs = undefined;
        await bed.shard.onAlarm();
        expect(expectReply(await bed.shard.usage(bed.scope()))).toMatchObject({ logEntries: 1, asOf: 5 });
        expect(bed.alarmMs).toBeUndefined();
        bed.restart();
        expect(await bed.set("k", "x")).toMatchObject({ revision: 6 });
      },
      { logMaxAgeMs: 3_600_000 },
    ));

  it("SB2 another epoch is a gap; a position that the log never reached begins a new epoch", () =>
    withBed(async (bed) => {
      await bed.set("a", "1");
      const { epoch } = await bed.read();
      const foreign = expectReply(
        await bed.shard.changes({ ...bed.scope(), epoch: `${"0".repeat(15)}1`, since: 0, limit: 10 }),
      );
      expect(foreign).toMatchObject({ gap: "epoch", epoch, to: 1 });
      // A node knows revision 7 of this epoch, so the storage was set back: revisions 2 to 7 must not be given twice in one epoch.
      const restored = expectReply(await bed.shard.changes({ ...bed.scope(), epoch, since: 7, limit: 10 }));
      expect(restored.gap).toBe("epoch");
      expect(restored.epoch).not.toBe(epoch);
      expect((await bed.read("a")).epoch).toBe(restored.epoch);
      expect(await bed.text("a")).toBe("1");
    }));
});

describe("expiry", () => {
  it("ends a key at its time for every reader, as a log entry", () =>
    withBed(async (bed) => {
      await bed.set("a", "1", { expiresInMs: 1000 });
      expect((await bed.read("a")).entries[0]?.expiresInMs).toBe(1000);
      bed.nowMs += 999;
      expect((await bed.read("a")).entries[0]?.expiresInMs).toBe(1);
      bed.nowMs += 1;
      expect((await bed.read("a")).entries).toEqual([null]);
      expect(short((await changesSince(bed, 0)).changes)).toEqual(["1 set a", "2 expire a"]);
    }));

  it("is carried out by the alarm when nobody comes, and the alarm is set to the earliest", () =>
    withBed(async (bed) => {
      const start = bed.nowMs;
      await bed.set("late", "1", { expiresInMs: 5000 });
      await bed.set("early", "1", { expiresInMs: 2000 });
      expect(bed.alarmMs).toBe(start + 2000);
      bed.nowMs = start + 2000;
      await bed.shard.onAlarm();
      expect(bed.alarmMs).toBe(start + 5000);
      bed.nowMs = start + 5000;
      bed.restart();
      await bed.shard.onAlarm();
      expect(short((await changesSince(bed, 2)).changes)).toEqual(["3 expire early", "4 expire late"]);
      expect(expectReply(await bed.shard.usage(bed.scope()))).toMatchObject({ keys: 0, valueBytes: 0 });
    }));

  it("a write without an end clears it, and an overwrite of a due key first ends it", () =>
    withBed(async (bed) => {
      await bed.set("a", "1", { expiresInMs: 1000 });
      await bed.set("a", "2");
      bed.nowMs += 2000;
      expect(await bed.text("a")).toBe("2");
      await bed.set("b", "1", { expiresInMs: 1000 });
      bed.nowMs += 1000;
      expect(await bed.set("b", "2", { when: { noneOf: "*" } })).toMatchObject({
        outcome: "ok",
        existed: false,
      });
      expect(short((await changesSince(bed, 2)).changes)).toEqual(["3 set b", "4 expire b", "5 set b"]);
    }));

  it("more keys than one stretch takes end all the same", () =>
    withBed(async (bed) => {
      const mutations = Array.from({ length: 2500 }, (_, i) => ({
        kind: "set" as const,
        opId: bed.opId(),
        key: `k${i}`,
        payload: { bytes: utf8("x"), contentType: "t/p" },
        expiresInMs: 1000,
      }));
      await bed.mutate(...mutations);
      bed.nowMs += 1000;
      expect((await bed.read("k0", "k2499")).entries).toEqual([null, null]);
      expect(
        expectReply(await bed.shard.list({ ...bed.scope(), prefix: "", limit: 10, values: false })).items,
      ).toEqual([]);
      expect(await bed.set("k2400", "new")).toMatchObject({ outcome: "ok", existed: false });
      for (let i = 0; i < 3; i++) await bed.shard.onAlarm();
      expect(expectReply(await bed.shard.usage(bed.scope()))).toMatchObject({ keys: 1, valueBytes: 3 });
    }));
});

describe("list", () => {
  const listed = async (bed: ShardBed, prefix: string, limit: number, after?: string) => {
    const reply = expectReply(
      await bed.shard.list({
        ...bed.scope(),
        prefix,
        limit,
        values: false,
        ...(after === undefined ? {} : { after }),
      }),
    );
    return { keys: reply.items.map((item) => item.key), more: reply.more };
  };

  it("pages through a prefix in order of the keys' bytes, which is not UTF-16 order", () =>
    withBed(async (bed) => {
      // U+FFFD sorts after U+1F600 in UTF-16 units, before it in UTF-8 bytes.
      for (const key of ["p:\u{1f600}", "p:\ufffd", "p:b", "p:a", "q:a", "p", "o:z", "p:", "p:\u0000"])
        await bed.set(key, "x");
      const expected = ["p:", "p:\u0000", "p:a", "p:b", "p:\ufffd", "p:\u{1f600}"];
      expect(await listed(bed, "p:", 100)).toEqual({ keys: expected, more: false });
      const seen: string[] = [];
      let after: string | undefined;
      for (;;) {
        const page = await listed(bed, "p:", 2, after);
        seen.push(...page.keys);
        if (!page.more) break;
        after = page.keys.at(-1);
      }
      expect(seen).toEqual(expected);
      expect((await listed(bed, "", 100)).keys.length).toBe(9);
      expect((await listed(bed, "p:", 100, "a")).keys).toEqual(expected);
      expect((await listed(bed, "p:", 100, "z")).keys).toEqual([]);
    }));

  it("ends a page with values at 4 MiB, but gives at least one", () =>
    withBed(async (bed) => {
      const bytes = new Uint8Array(1_000_000).fill(7);
      for (let i = 0; i < 6; i++) await bed.set(`k${i}`, "", { payload: { bytes, contentType: "x/y" } });
      const reply = expectReply(
        await bed.shard.list({ ...bed.scope(), prefix: "", limit: 100, values: true }),
      );
      expect(reply.items.length).toBe(4);
      expect(reply.more).toBe(true);
      expect(reply.items[3]?.payload?.bytes).toEqual(bytes);
    }));
});

describe("spaces", () => {
  it("a read never creates one; its first write asks for it by name", () =>
    host.withSql(async (sql) => {
      const bed = new ShardBed(sql);
      expect(refusedCode(await bed.shard.getSpace("test"))).toBe("space_not_found");
      expect(refusedCode(await bed.shard.read({ ...bed.scope(), keys: ["a"] }))).toBe("space_not_found");
      expect(refusedCode(await bed.shard.mutate({ ...bed.scope(), mutations: [] }))).toBe("space_not_found");
    }));

  it("the same settings again confirm, others are space_conflict, wrong ones change nothing", () =>
    host.withSql(async (sql) => {
      const bed = new ShardBed(sql);
      expect(refusedCode(await bed.shard.createSpace("test", { shards: 257 }))).toBe("invalid_argument");
      expect(refusedCode(await bed.shard.createSpace("Bad Name", {}))).toBe("invalid_space");
      expect(refusedCode(await bed.shard.getSpace("test"))).toBe("space_not_found");
      expect(expectReply(await bed.shard.createSpace("test", { shards: 4 }))).toMatchObject({
        created: true,
      });
      expect(expectReply(await bed.shard.createSpace("test", {}))).toMatchObject({
        created: false,
        space: { shards: 4 },
      });
      expect(refusedCode(await bed.shard.createSpace("test", { shards: 2 }))).toBe("space_conflict");
      expect(refusedCode(await bed.shard.createSpace("test", { strict: true }))).toBe("space_conflict");
    }));

  it("deleting marks first, refuses all calls, and a space made again has another id and epoch", () =>
    withBed(async (bed) => {
      await bed.set("a", "1");
      const before = await bed.read("a");
      await bed.shard.deleteSpace("test", "begin");
      expect(refusedCode(await bed.shard.read({ ...bed.scope(), keys: ["a"] }))).toBe("space_deleting");
      expect(refusedCode(await bed.shard.mutate({ ...bed.scope(), mutations: [] }))).toBe("space_deleting");
      expect(refusedCode(await bed.shard.createSpace("test", {}))).toBe("space_deleting");
      bed.restart();
      expect(refusedCode(await bed.shard.getSpace("test"))).toBe("space_deleting");
      await bed.shard.deleteSpace("test", "finish");
      expect(refusedCode(await bed.shard.getSpace("test"))).toBe("space_not_found");
      const old = bed.spaceId;
      await bed.create();
      expect(bed.spaceId).not.toBe(old);
      const after = await bed.read("a");
      expect(after.entries).toEqual([null]);
      expect(after.epoch).not.toBe(before.epoch);
      expect(await bed.shard.read({ ...bed.scope(), spaceId: old, keys: ["a"] })).toMatchObject({
        stale: true,
      });
    }));

  it("CO1 a strict space refuses keys that no registration covers, on every kind of write", () =>
    host.withSql(async (sql) => {
      const bed = await new ShardBed(sql).create({ strict: true });
      expect(verdictCode(await bed.set("user:1", "x"))).toBe("unregistered");
      expect(verdictCode(await bed.delete("user:1"))).toBe("unregistered");
      const settings = { mode: "eventual" as const, cacheTtlMs: 1000, maxStalenessMs: 1000 };
      await bed.shard.register({ ...bed.scope(), pattern: "user:*", settings });
      expect(verdictCode(await bed.set("user:1", "x"))).toBe("ok");
      expect(verdictCode(await bed.set("other", "x"))).toBe("unregistered");
    }));
});

describe("registrations", () => {
  const settings = { mode: "eventual" as const, cacheTtlMs: 1000, maxStalenessMs: 1000 };

  it("CORE-10 the same again confirms, other settings are refused and the first stay, until changed explicitly", () =>
    withBed(async (bed) => {
      const register = (cacheTtlMs: number, ifVersion?: number) =>
        bed.shard.register({
          ...bed.scope(),
          pattern: "user:*",
          settings: { ...settings, cacheTtlMs },
          ...(ifVersion === undefined ? {} : { ifVersion }),
        });
      expect(expectReply(await register(1000))).toMatchObject({ created: true, registrations: 1 });
      expect(expectReply(await register(1000))).toMatchObject({ created: false, registrations: 1 });
      expect(refusedCode(await register(2000))).toBe("registration_conflict");
      expect(refusedCode(await register(2000, 9))).toBe("precondition_failed");
      expect(expectReply(await bed.shard.getRegistrations(bed.scope())).list).toMatchObject([
        { pattern: "user:*", settings, version: 1 },
      ]);
      expect(expectReply(await register(2000, 1))).toMatchObject({
        created: false,
        registration: { version: 2 },
      });
      bed.restart();
      expect(expectReply(await bed.shard.getRegistrations(bed.scope()))).toMatchObject({
        registrations: 2,
        list: [{ settings: { cacheTtlMs: 2000 } }],
      });
      expect(short((await changesSince(bed, 0)).changes)).toEqual(["1 register user:*", "2 register user:*"]);
    }));

  it("static ones can't be changed or removed, and count in a strict space", () =>
    host.withSql(async (sql) => {
      const statics = [{ pattern: "s:*", settings, version: 0, source: "static" as const }];
      const bed = await new ShardBed(sql, { statics }).create({ strict: true });
      expect(verdictCode(await bed.set("s:1", "x"))).toBe("ok");
      expect(refusedCode(await bed.shard.unregister({ ...bed.scope(), pattern: "s:*" }))).toBe(
        "registration_conflict",
      );
      const other = { ...settings, cacheTtlMs: 5 };
      expect(refusedCode(await bed.shard.register({ ...bed.scope(), pattern: "s:*", settings: other }))).toBe(
        "registration_conflict",
      );
      expect(
        expectReply(await bed.shard.register({ ...bed.scope(), pattern: "s:*", settings })),
      ).toMatchObject({
        created: false,
      });
    }));
});

/** What a home shard would say, as the test sets it: two databases can't be open at once in one test of workerd. */
class ScriptedHome {
  space: SpaceSettings | undefined;
  list: StoredRegistration[] = [];
  registrations = 0;
  asked: string[] = [];
  #made = 0;

  create(strict = false): string {
    const id = String(++this.#made).padStart(16, "0");
    this.space = { name: "test", id, shards: 2, strict, createdAtMs: 0 };
    return id;
  }

  async getSpace() {
    this.asked.push("space");
    if (this.space === undefined) return { refused: new WarpError("space_not_found", "no").toData() };
    return { space: this.space, registrations: this.registrations };
  }

  async getRegistrations() {
    this.asked.push("registrations");
    return { registrations: this.registrations, list: this.list };
  }
}

describe("a shard that is not the home shard", () => {
  const away = (work: (home: ScriptedHome, bed: ShardBed) => Promise<void>, strict = false) =>
    host.withSql(async (sql) => {
      const home = new ScriptedHome();
      const bed = new ShardBed(sql, { home: () => home });
      bed.spaceId = home.create(strict);
      await work(home, bed);
    });
  const put = (bed: ShardBed, key = "a") => ({
    ...bed.scope(1),
    mutations: [
      { kind: "set" as const, opId: bed.opId(), key, payload: { bytes: utf8("x"), contentType: "t/p" } },
    ],
  });

  it("answers reads as empty before its first write, which makes it a part of the space", () =>
    away(async (home, bed) => {
      const empty = expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["a"] }));
      expect(empty).toEqual({ epoch: unwrittenEpoch, asOf: 0, registrations: 0, entries: [null] });
      const since = { epoch: unwrittenEpoch, since: 0, limit: 1 };
      expect(expectReply(await bed.shard.changes({ ...bed.scope(1), ...since }))).toEqual({
        epoch: unwrittenEpoch,
        asOf: 0,
        registrations: 0,
        changes: [],
        to: 0,
      });
      // The home shard vouches once that the space still is what the reader takes it to be.
      expect(home.asked).toEqual(["space"]);
      const wrote = expectReply(await bed.shard.mutate(put(bed)));
      expect(wrote).toMatchObject({ asOf: 1, verdicts: [{ outcome: "ok", version: 1 }] });
      await bed.shard.mutate(put(bed));
      expect(home.asked).toEqual(["space", "space"]);
      expect(expectReply(await bed.shard.changes({ ...bed.scope(1), ...since })).gap).toBe("epoch");
    }));

  it("refuses a first write of a space that the home shard does not know, or knows under another id", () =>
    away(async (home, bed) => {
      const old = put(bed);
      home.create();
      expect(await bed.shard.mutate(old)).toMatchObject({ stale: true });
      home.space = undefined;
      const none = await bed.shard.mutate(old);
      expect(refusedCode(none)).toBe("space_not_found");
      expect(none, "whoever took the space to exist looks again, and makes it").toMatchObject({
        stale: true,
      });
      bed.spaceId = home.create();
      bed.restart();
      expect(expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["a"] })).epoch).toBe(unwrittenEpoch);
    }));

  it("SB3 an unwritten shard answers nothing about a space that has ended", () =>
    away(async (home, bed) => {
      const ask = async () => await bed.shard.read({ ...bed.scope(1), keys: ["a"] });
      expectReply(await ask());
      // Every shard hears of a deletion, those that were never written to as well.
      await bed.shard.deleteSpace("test", "finish", bed.spaceId);
      home.space = undefined;
      expect(await ask()).toMatchObject({ stale: true });
      home.create();
      expect(await ask(), "the next life may have other shards").toMatchObject({ stale: true });
      bed.restart();
      expect(await ask()).toMatchObject({ stale: true });
    }));

  it("SB3 the home shard's word is not kept if the space ends while it is on its way", () =>
    away(async (home, bed) => {
      const said = Promise.withResolvers<void>();
      const answer = await home.getSpace();
      home.getSpace = async () => {
        await said.promise;
        return answer;
      };
      const late = bed.shard.read({ ...bed.scope(1), keys: ["a"] });
      await bed.shard.deleteSpace("test", "finish", bed.spaceId);
      said.resolve();
      await late;
      home.getSpace = async () => ({ refused: new WarpError("space_not_found", "no").toData() });
      expect(await bed.shard.read({ ...bed.scope(1), keys: ["a"] })).toMatchObject({ stale: true });
    }));

  it("OU1 a late word of the home shard does not wipe what was written since", () =>
    away(async (home, bed) => {
      await bed.shard.mutate(put(bed));
      bed.spaceId = home.create();
      const said = Promise.withResolvers<void>();
      const answer = await home.getSpace();
      const prompt = home.getSpace.bind(home);
      home.getSpace = async () => {
        await said.promise;
        return answer;
      };
      // Two calls meet the remains of the old life together; the word for the first comes late.
      const late = bed.shard.read({ ...bed.scope(1), keys: ["new"] });
      home.getSpace = prompt;
      expect(verdictCode(expectReply(await bed.shard.mutate(put(bed, "new"))).verdicts[0])).toBe("ok");
      said.resolve();
      expect(expectReply(await late).entries).toMatchObject([{ key: "new" }]);
      expect(expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["new"] })).entries).toMatchObject([
        { key: "new" },
      ]);
    }));

  it("OU1 a late step of an earlier deletion does not end the next life", () =>
    away(async (home, bed) => {
      const old = bed.spaceId;
      await bed.shard.mutate(put(bed));
      bed.spaceId = home.create();
      await bed.shard.mutate(put(bed, "new"));
      expect(await bed.shard.deleteSpace("test", "finish", old)).toEqual({ deleted: false });
      expect(expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["new"] })).entries).toMatchObject([
        { key: "new" },
      ]);
      expect(await bed.shard.deleteSpace("test", "finish", bed.spaceId)).toEqual({ deleted: true });
    }));

  it("OU1 a first write whose home shard fails is a definite refusal, and nothing was done", () =>
    away(async (home, bed) => {
      const healthy = home.getSpace.bind(home);
      home.getSpace = () => Promise.reject(new Error("Network connection lost."));
      const refused = await bed.shard.mutate(put(bed));
      expect(refused).toMatchObject({ refused: { code: "unavailable", outcome: "fail", retryable: true } });
      expect(await bed.shard.read({ ...bed.scope(1), keys: ["a"] })).toMatchObject({
        refused: { code: "unavailable" },
      });
      expect(bed.sql.all("SELECT name FROM sqlite_master WHERE name = 'log'")).toEqual([]);
      home.getSpace = healthy;
      await bed.shard.mutate(put(bed));
      home.getRegistrations = () => Promise.reject(new Error("Network connection lost."));
      bed.registrations = 7;
      expect(await bed.shard.mutate(put(bed, "b"))).toMatchObject({
        refused: { code: "unavailable", outcome: "fail" },
      });
      bed.registrations = 0;
      expect(expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["b"] })).entries).toEqual([null]);
    }));

  it("drops what is left of a deleted space when it meets its successor, and refuses latecomers", () =>
    away(async (home, bed) => {
      await bed.shard.mutate(put(bed));
      const old = bed.scope(1);
      bed.spaceId = home.create();
      expect(expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["a"] })).entries).toEqual([null]);
      expect(expectReply(await bed.shard.mutate(put(bed))).asOf).toBe(1);
      expect(await bed.shard.read({ ...old, keys: ["a"] })).toMatchObject({ stale: true });
      expect(expectReply(await bed.shard.read({ ...bed.scope(1), keys: ["a"] })).entries[0]).not.toBeNull();
    }));

  it("fetches registrations that a caller knows and it does not, before it acts, and keeps them", () =>
    away(async (home, bed) => {
      expect(verdictCode(expectReply(await bed.shard.mutate(put(bed, "user:1"))).verdicts[0])).toBe(
        "unregistered",
      );
      const settings = { mode: "eventual" as const, cacheTtlMs: 1000, maxStalenessMs: 1000 };
      home.list = [{ pattern: "user:*", settings, version: 3, source: "space" }];
      home.registrations = 3;
      bed.registrations = 3;
      expect(verdictCode(expectReply(await bed.shard.mutate(put(bed, "user:1"))).verdicts[0])).toBe("ok");
      bed.restart();
      bed.registrations = 0;
      expect(verdictCode(expectReply(await bed.shard.mutate(put(bed, "user:2"))).verdicts[0])).toBe("ok");
      expect(home.asked).toEqual(["space", "registrations"]);
    }, true));
});
