import { describe, expect, test } from "vitest";
import { host } from "#host";
import { WarpError } from "../../../../src/errors.ts";
import type { Caller } from "../../../../src/protocol/wire/caller.ts";
import { utf8 } from "../../../../src/runtime/bytes.ts";
import { Hub } from "../../../../src/shard/hub/hub.ts";
import { WatchBed } from "../../../support/watch-bed.ts";

async function withBed(work: (bed: WatchBed) => Promise<void>) {
  await host.withSql(async (sql) => {
    const bed = new WatchBed(sql);
    await bed.bed.create();
    await work(bed);
  });
}

const narrow: Partial<Caller> = { prefixes: ["my/", "shared"], invalidates: false, locks: false };
const payload = { bytes: utf8("1"), contentType: "text/plain" };

describe("WA9 a token of some prefixes", () => {
  test("may watch what lies within them, and is told of nothing else", () =>
    withBed(async (bed) => {
      const who = await bed.watcher(narrow);
      const mine = await bed.watch(who, 1, { target: { prefix: "my/" } });
      const one = await bed.watch(who, 2, { target: { key: "shared-1" } });
      const all = await bed.watch(who, 3, { target: { prefix: "" } });
      const part = await bed.watch(who, 4, { target: { prefix: "my" } }, "snapshot");
      const other = await bed.watch(who, 5, { target: { key: "yours" } });
      for (const key of ["my/a", "yours", "shared-1", "mya"]) await bed.bed.set(key, "1");
      await bed.clock.advance(20);
      expect([all.ended, part.ended, other.ended]).toEqual(["forbidden", "forbidden", "forbidden"]);
      expect(mine.told).toEqual(["1 set my/a 1"]);
      expect(one.told).toEqual(["3 set shared-1 1"]);
      expect(who.socket.sent.join()).not.toContain("yours");
    }));

  test("may not follow the log", () =>
    withBed(async (bed) => {
      const socket = await bed.join({}, narrow);
      expect(socket.closedWith).toMatchObject({ code: 4003 });
      expect(socket.frames).toEqual([]);
    }));

  test("a cursor in its hello makes no new epoch", () =>
    withBed(async (bed) => {
      await bed.bed.set("my/a", "1");
      const { epoch } = bed.bed.shard.watching.log.written;
      await bed.join({ follow: false, cursor: { epoch, revision: 1_000 } }, narrow);
      expect(bed.bed.shard.watching.log.written.epoch).toBe(epoch);
    }));

  test("may call what is about keys within them, and nothing else", () =>
    withBed(async (bed) => {
      const { socket } = await bed.watcher(narrow);
      const scope = bed.bed.scope();
      const opId = () => bed.bed.opId();
      let id = 0;
      const call = async (m: string, ...a: unknown[]): Promise<string> => {
        await bed.say(socket, { t: "call", id: ++id, m: m as "read", a });
        await bed.clock.advance(1);
        const failed = socket.of("err").find((frame) => frame.id === id);
        return failed?.e.code ?? (socket.of("ok").some((frame) => frame.id === id) ? "ok" : "nothing");
      };
      const set = (key: string) => ({ kind: "set", opId: opId(), key, payload });
      expect(await call("mutate", { ...scope, mutations: [set("my/a")] })).toBe("ok");
      expect(await call("mutate", { ...scope, mutations: [set("my/a"), set("a")] })).toBe("forbidden");
      const guarded = { ...set("my/a"), guard: { lock: "other", fence: 1 } };
      expect(await call("mutate", { ...scope, mutations: [guarded] })).toBe("forbidden");
      expect(await call("read", { ...scope, keys: ["my/a", "shared"] })).toBe("ok");
      expect(await call("read", { ...scope, keys: ["my/a", "a"] })).toBe("forbidden");
      expect(await call("list", { ...scope, prefix: "my/x", limit: 1, values: true })).toBe("ok");
      expect(await call("list", { ...scope, prefix: "m", limit: 1, values: true })).toBe("forbidden");
      const transaction = ([compare, success, failure]: readonly [string, string, string]) => ({
        ...scope,
        transaction: {
          opId: opId(),
          compare: [{ key: compare, exists: true }],
          success: [{ kind: "get", key: success }],
          failure: [{ kind: "delete", key: failure }],
        },
      });
      expect(await call("transact", transaction(["my/a", "my/b", "my/c"]))).toBe("ok");
      for (const keys of [
        ["a", "my/b", "my/c"],
        ["my/a", "b", "my/c"],
        ["my/a", "my/b", "c"],
      ] as const) {
        expect(await call("transact", transaction(keys))).toBe("forbidden");
      }
      const publish = (target: object) => ({ ...scope, opId: opId(), target, payload, retained: true });
      expect(await call("publish", publish({ prefix: "my/x" }))).toBe("ok");
      expect(await call("publish", publish({ prefix: "" }))).toBe("forbidden");
      const { epoch } = bed.bed.shard.watching.log.written;
      expect(await call("changes", { ...scope, epoch, since: 0, limit: 10 })).toBe("forbidden");
      expect(await call("usage", scope)).toBe("forbidden");
      expect(await call("getRegistrations", scope)).toBe("forbidden");
      expect(await call("listLocks", { ...scope, prefix: "my/", limit: 1 })).toBe("forbidden");
      expect(await call("getSpace", "test")).toBe("ok");
    }));

  test("without the verb it neither writes nor publishes, without the other it does not delete", () =>
    withBed(async (bed) => {
      const { socket } = await bed.watcher({ ...narrow, writes: false });
      const deletes = await bed.watcher({ ...narrow, deletes: false });
      const scope = bed.bed.scope();
      const say = (to: typeof socket, id: number, m: string, a: object) =>
        bed.say(to, { t: "call", id, m: m as "read", a: [a] });
      await say(socket, 1, "mutate", {
        ...scope,
        mutations: [{ kind: "set", opId: bed.bed.opId(), key: "my/a", payload }],
      });
      await say(socket, 2, "publish", {
        ...scope,
        opId: bed.bed.opId(),
        target: { key: "my/a" },
        payload,
        retained: false,
      });
      await say(socket, 3, "read", { ...scope, keys: ["my/a"] });
      await say(deletes.socket, 1, "mutate", {
        ...scope,
        mutations: [{ kind: "delete", opId: bed.bed.opId(), key: "my/a" }],
      });
      await bed.clock.advance(20);
      expect(socket.of("err").map(({ id, e }) => [id, e.code])).toEqual([
        [1, "forbidden"],
        [2, "forbidden"],
      ]);
      expect(socket.of("ok").map(({ id }) => id)).toEqual([3]);
      expect(deletes.socket.of("err")).toMatchObject([{ e: { code: "forbidden" } }]);
    }));
});

describe("WA9 a token without the verb", () => {
  /** What becomes of one call of a watcher. */
  async function outcome(bed: WatchBed, caller: Partial<Caller>, m: string, a: object): Promise<string> {
    const { socket } = await bed.watcher({ follows: false, ...caller });
    await bed.say(socket, { t: "call", id: 1, m: m as "read", a: [{ ...bed.bed.scope(), ...a }] });
    await bed.clock.advance(20);
    return socket.of("err")[0]?.e.code ?? (socket.of("ok").length > 0 ? "ok" : "nothing");
  }

  test("read reads nothing, watches nothing and compares nothing, but writes", () =>
    withBed(async (bed) => {
      const blind = { reads: false };
      const { epoch } = bed.bed.shard.watching.log.written;
      const calls: readonly (readonly [string, object])[] = [
        ["read", { keys: ["a"] }],
        ["list", { prefix: "", limit: 1, values: true }],
        ["changes", { epoch, since: 0, limit: 1 }],
        ["usage", {}],
        ["readVersion", { key: "a", which: { version: 1 } }],
        ["history", { key: "a", limit: 1 }],
        ["claimLoad", { key: "a", holder: "h", ttlMs: 100, waitMs: 0 }],
        ["getRegistrations", {}],
        ["lockInfo", { name: "a" }],
        ["listLocks", { prefix: "", limit: 1 }],
        ["observe", { name: "a", since: 0, limit: 1, waitMs: 0 }],
        ["leaseInfo", { id: "aaaaaaaaaaaaaaaa" }],
        ["listLeases", { limit: 1 }],
        ["leaseKeys", { id: "aaaaaaaaaaaaaaaa", limit: 1 }],
      ];
      for (const [m, a] of calls) expect([m, await outcome(bed, blind, m, a)]).toEqual([m, "forbidden"]);
      const transact = (transaction: object) =>
        outcome(bed, blind, "transact", {
          transaction: { opId: bed.bed.opId(), compare: [], success: [], failure: [], ...transaction },
        });
      expect(await transact({ compare: [{ key: "a", exists: true }] })).toBe("forbidden");
      expect(await transact({ failure: [{ kind: "get", key: "a" }] })).toBe("forbidden");
      expect(await transact({ success: [{ kind: "set", key: "a", payload }] })).toBe("ok");
      const who = await bed.watcher(blind);
      expect((await bed.watch(who, 1, { target: { key: "a" } })).ended).toBe("forbidden");
    }));

  test("write deletes all the same, but attaches no key to a lease", () =>
    withBed(async (bed) => {
      const mutate = (caller: Partial<Caller>, mutation: object) =>
        outcome(bed, caller, "mutate", { mutations: [{ opId: bed.bed.opId(), ...mutation }] });
      expect(await mutate({ writes: false }, { kind: "delete", key: "a" })).toBe("ok");
      expect(await mutate({ writes: false }, { kind: "merge", key: "a", operand: payload })).toBe(
        "forbidden",
      );
      expect(await mutate({ writes: false }, { kind: "restore", key: "a", version: 1 })).toBe("forbidden");
      const leased = { kind: "set", key: "a", payload, lease: "aaaaaaaaaaaaaaaa" };
      expect(await mutate({ deletes: false }, leased)).toBe("forbidden");
      const transaction = { opId: bed.bed.opId(), compare: [], success: [leased], failure: [] };
      expect(await outcome(bed, { deletes: false }, "transact", { transaction })).toBe("forbidden");
    }));

  test("to change anything leaves no seals", () =>
    withBed(async (bed) => {
      const nothing = { writes: false, deletes: false, invalidates: false, locks: false };
      const seal = (caller: Partial<Caller>) =>
        outcome(bed, caller, "resolve", { opIds: [bed.bed.opId()], seal: true });
      expect(await seal(nothing)).toBe("forbidden");
      expect(await seal({ ...nothing, locks: true })).toBe("ok");
    }));
});

describe("WA9 who is no node", () => {
  test("may not follow the log", () =>
    withBed(async (bed) => {
      const socket = await bed.join({}, { follows: false });
      expect(socket.closedWith).toMatchObject({ code: 4003, reason: expect.stringContaining("forbidden") });
      expect(socket.frames).toEqual([]);
    }));

  test("is no member: it is told of no invalidation, owes no acknowledgement and gets no lease", () =>
    withBed(async (bed) => {
      const node = await bed.join({ follow: false });
      const { socket } = await bed.watcher({ follows: false });
      const { socket: less } = await bed.watcher(narrow);
      expect(bed.hub.all()).toHaveLength(1);
      for (const { session } of bed.hub.all()) {
        expect(session).toBe(node.of("welcome")[0]?.session);
      }
      await bed.say(socket, { t: "ping", id: 1, lease: true });
      expect(socket.of("pong")).toEqual([{ t: "pong", id: 1, epoch: expect.anything(), to: 0 }]);
      expect(less.closedWith).toBeUndefined();
    }));
});

describe("WA9 a newer token on the same socket", () => {
  const tokens: Readonly<Record<string, Partial<Caller>>> = {
    same: { ...narrow, expiresAtMs: 1_790_000_100_000 },
    less: { prefixes: ["my/"] },
    other: { subject: "someone" },
  };

  /** A hub that knows some tokens. */
  async function withTokens(work: (bed: WatchBed) => Promise<void>) {
    await withBed(async (bed) => {
      bed.hub = new Hub({
        ...bed.hubOptions(),
        authenticate: async (token, caller) => {
          const found = tokens[token];
          if (found === undefined) throw new WarpError("token_invalid", "no such token");
          return { ...caller, ...found };
        },
      });
      await work(bed);
    });
  }

  test("moves the end of the session; watches that it does not cover end, others go on", () =>
    withTokens(async (bed) => {
      const who = await bed.watcher({ ...narrow, expiresAtMs: bed.clock.now() + 1_000 });
      const mine = await bed.watch(who, 1, { target: { prefix: "my/" } });
      const shared = await bed.watch(who, 2, { target: { prefix: "shared" } });
      await bed.say(who.socket, { t: "auth", id: 1, token: "same" });
      expect(who.socket.of("ok")).toMatchObject([{ id: 1, r: { expiresAtMs: 1_790_000_100_000 } }]);
      await bed.clock.advance(2_000);
      await bed.bed.set("my/a", "1");
      await bed.clock.advance(20);
      expect(mine.told).toEqual(["1 set my/a 1"]);
      await bed.say(who.socket, { t: "auth", id: 2, token: "less" });
      expect([mine.ended, shared.ended]).toEqual([undefined, "forbidden"]);
      const before = who.socket.sent.length;
      await bed.bed.set("shared", "1");
      await bed.bed.set("my/b", "1");
      await bed.clock.advance(20);
      expect(shared.told).toEqual([]);
      expect(who.socket.sent.slice(before).join()).toContain("my/b");
      expect(who.socket.sent.slice(before).join()).not.toContain("shared");
    }));

  test("ends the session when its rights do, also one that had no end before", () =>
    withTokens(async (bed) => {
      const { socket } = await bed.watcher(narrow);
      await bed.say(socket, { t: "auth", id: 1, token: "same" });
      expect(bed.bed.alarmMs).toBe(1_790_000_100_000);
      await bed.clock.advance(200_000);
      await bed.bed.shard.onAlarm();
      expect(socket.closedWith).toMatchObject({ code: 4003 });
    }));

  test("that is not good, or somebody else's, changes nothing; the session ends when its own rights do", () =>
    withTokens(async (bed) => {
      const who = await bed.watcher({ ...narrow, expiresAtMs: bed.clock.now() + 1_000 });
      await bed.watch(who, 1, { target: { prefix: "my/" } });
      await bed.say(who.socket, { t: "auth", id: 1, token: "bad" });
      await bed.say(who.socket, { t: "auth", id: 2, token: "other" });
      expect(who.socket.of("err").map(({ e }) => e.code)).toEqual(["token_invalid", "forbidden"]);
      await bed.clock.advance(1_000);
      await bed.bed.set("my/a", "1");
      await bed.clock.advance(20);
      expect(who.socket.closedWith).toMatchObject({ code: 4003 });
      expect(who.socket.of("we")).toEqual([]);
    }));
});
