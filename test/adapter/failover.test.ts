import { describe, expect, it, vi } from "vitest";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { payloadCodec } from "../../src/runtime/codec.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { bringBack, cutOff, ended, refusalOf, withFailover } from "../support/failover-scene.ts";

const json = (value: unknown) => ({ bytes: utf8(JSON.stringify(value)), contentType: "application/json" });

describe("SB8 changes while a shard can't be reached", () => {
  it("SB8 an unconditional eventual set goes to the stream, is provisional, is read back at once and applied once", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node);
      const done = await ended(bed, node.warp.set("a", 2));
      expect(done).toMatchObject({ key: "a", version: 0, cursor: "", etag: undefined, provisional: true });
      expect(node.warp.stats().provisional).toBe(1);
      const read = await ended(bed, node.warp.getEntry("a"));
      const provisional = {
        version: 0,
        etag: "",
        cursor: "",
        stale: true,
        cache: "stale",
        provisional: true,
      };
      expect(read).toMatchObject({ value: 2, ...provisional });
      await bringBack(bed, node);
      const after = await ended(bed, node.warp.getEntry("a"));
      expect(after).toMatchObject({ value: 2, stale: false });
      expect(after).not.toHaveProperty("provisional");
      expect(await bed.usage()).toMatchObject({ applied: 1, repeated: 0 });
    }));

  it("SB8 a delete is read back as an absence, a set with a life ends by it", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node);
      await ended(bed, node.warp.delete("a"));
      await ended(bed, node.warp.set("b", 1, { expiresInMs: 60_000 }));
      expect(await ended(bed, node.warp.lookup("a"))).toMatchObject({
        value: undefined,
        provisional: true,
        cache: "stale",
      });
      expect(await ended(bed, node.warp.getEntry("b"))).toMatchObject({ value: 1, provisional: true });
      await bed.clock.advance(60_000);
      expect(await ended(bed, node.warp.lookup("b"))).toMatchObject({ value: undefined, provisional: true });
    }));

  it("SB8 of a merged key the last known value is given, marked, until the shard knows the sum", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.register("n:*", { merge: "sum" }));
      await ended(bed, node.warp.set("n:1", 10));
      expect(await ended(bed, node.warp.get("n:1"))).toBe(10);
      await cutOff(bed, node);
      // Without `replace` a set is an operand there, too.
      const kinds = [node.warp.merge("n:1", 1), node.warp.set("n:1", 2), node.warp.merge("n:2", 5)];
      for (const call of kinds) expect(await ended(bed, call)).toMatchObject({ provisional: true });
      expect(await ended(bed, node.warp.getEntry("n:1"))).toMatchObject({
        value: 10,
        stale: true,
        provisional: true,
      });
      expect(await refusalOf(bed, node.warp.get("n:2"))).toMatchObject({ code: "unavailable" });
      await ended(bed, node.warp.set("n:2", 100, { replace: true }));
      expect(await ended(bed, node.warp.getEntry("n:2"))).toMatchObject({ value: 100, provisional: true });
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.get("n:1"))).toBe(13);
      expect(await ended(bed, node.warp.get("n:2"))).toBe(100);
    }));

  it("SB8 nothing else degrades: what is conditional, strong, guarded or about many keys is unavailable, each in its own verdict", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.register("s:*", { mode: "strong" }));
      await ended(bed, node.warp.set("s:1", 1));
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node);
      const refused = { code: "unavailable", outcome: "fail" };
      for (const call of [
        () => node.warp.set("s:1", 2),
        () => node.warp.delete("s:1"),
        () => node.warp.get("s:1"),
        () => node.warp.set("a", 2, { when: { noneOf: "*" } }),
        () => node.warp.set("a", 2, { ifVersion: 0 }),
        () => node.warp.set("a", 2, { guard: { lock: "l", fence: 1 } }),
        () => node.warp.set("a", 2, { lease: "lease000000000000000000" }),
        () => node.warp.merge("a", 2),
        () => node.warp.restore("a", 1),
        () => node.warp.invalidate({ keys: ["a"] }),
        () => node.warp.invalidate({ prefix: "a" }),
        () => node.warp.txn().set("a", 2).commit(),
        () => node.warp.cas("a", 1, 2),
        () => node.warp.list(),
        () => node.warp.register("x:*", {}),
      ]) {
        expect(
          await refusalOf(
            bed,
            call().then(() => undefined),
          ),
          `${call}`,
        ).toMatchObject(refused);
      }
      // Its handle tries more than once: one of the tries may have left.
      expect(await refusalOf(bed, node.warp.lock("l"))).toMatchObject({ code: "unavailable" });
      const results = await ended(
        bed,
        node.warp.batch([
          { op: "set", key: "a", payload: json(3) },
          { op: "set", key: "s:1", payload: json(3) },
          { op: "delete", key: "b" },
          { op: "set", key: "c", payload: json(3), when: { noneOf: "*" } },
          { op: "get", key: "a" },
          { op: "get", key: "never" },
        ]),
      );
      expect(results).toMatchObject([
        { op: "set", result: { key: "a", provisional: true } },
        { op: "set", key: "s:1", error: refused },
        { op: "delete", result: { key: "b", provisional: true } },
        { op: "set", key: "c", error: refused },
        { op: "get", lookup: { provisional: true } },
        { op: "get", key: "never", error: { code: "unavailable" } },
      ]);
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.get("a"))).toBe(3);
      expect(await ended(bed, node.warp.get("s:1"))).toBe(1);
      expect(await bed.usage()).toMatchObject({ applied: 2, repeated: 0, refused: 0 });
    }));

  it("SB8 nothing changes where the space has not opted in: every call is tried, and nothing is proposed", () =>
    withFailover(
      async (bed) => {
        const node = await bed.node();
        await ended(bed, node.warp.set("a", 1));
        node.reach = "down";
        for (let turn = 0; turn < 5; turn++) {
          const error = await refusalOf(bed, node.warp.set("a", 2));
          expect(error).toMatchObject({ code: "unavailable", outcome: "unknown" });
        }
        node.reach = "up";
        expect(await ended(bed, node.warp.set("a", 3))).not.toHaveProperty("provisional");
        expect(bed.streams.read(0, undefined, 500).proposals).toEqual([]);
      },
      { hasOptedIn: false },
    ));

  it("SB8 one failure proves nothing: its outcome is as it was, and only where failures follow each other the stream is used", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      node.reach = "down";
      expect(await refusalOf(bed, node.warp.set("a", 2))).toMatchObject({
        code: "unavailable",
        outcome: "unknown",
      });
      expect(await refusalOf(bed, node.warp.set("a", 3))).toMatchObject({
        code: "unavailable",
        outcome: "unknown",
      });
      expect(await ended(bed, node.warp.set("a", 4))).toMatchObject({ provisional: true });
      node.reach = "up";
    }));

  it("SB8 an operation that the shard may have carried out and that is proposed, too, is done once, under its op id", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.register("n:*", { merge: "sum" }));
      await ended(bed, node.warp.merge("n:1", 1));
      node.reach = "lost after";
      await ended(bed, node.warp.get("x")).catch(() => undefined);
      // Its try opens the breaker, and was carried out.
      expect(await ended(bed, node.warp.merge("n:1", 10))).toMatchObject({ provisional: true });
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.get("n:1"))).toBe(11);
      expect(await bed.usage()).toMatchObject({ applied: 1, repeated: 1 });
    }));

  it("SB8 a shard that gives no word is waited for so long, and no longer", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      node.reach = "silent";
      const calls = [1, 2, 3, 4].map((value) => node.warp.set(`k${value}`, value));
      await bed.clock.advance(1_990);
      const beganMs = bed.clock.now();
      const done = await Promise.allSettled(calls.map((call) => ended(bed, call)));
      // Those that were late before it counted as away go on waiting for the shard's word.
      expect(done.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled", "fulfilled"]);
      expect(bed.clock.now() - beganMs).toBeLessThanOrEqual(10_000);
      const next = bed.clock.now();
      expect(await ended(bed, node.warp.set("b", 1))).toMatchObject({ provisional: true });
      expect(bed.clock.now() - next).toBeLessThanOrEqual(2_100);
      node.reach = "up";
    }));
});

describe("SB8 the stream itself in trouble", () => {
  it("OU1 an append of unknown fate leaves an unknown outcome with its op id; once the shard is back it is settled", () =>
    withFailover(async (bed) => {
      let lost: "before" | "after" | undefined;
      const node = await bed.node(
        {},
        { faults: (call) => (call === "append" && lost ? { lost } : undefined) },
      );
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node);
      lost = "after";
      const opId = uuidv7(bed.clock, bed.bed.random);
      const error = await refusalOf(bed, node.warp.set("a", 2, { opId }));
      expect(error).toMatchObject({ code: "unavailable", outcome: "unknown", details: { opId } });
      lost = undefined;
      // It does stand there: the stream says so while the shard can't.
      expect(await ended(bed, node.warp.resolve(opId, { key: "a" }))).toEqual({ state: "pending" });
      expect(await refusalOf(bed, node.warp.resolve(opId, { key: "a", seal: true }))).toMatchObject({
        code: "unavailable",
      });
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.resolve(opId, { key: "a" }))).toMatchObject({ state: "ok" });
      expect(await ended(bed, node.warp.get("a"))).toBe(2);
    }));

  it("OU3 what the shard has not seen may wait in the stream, put there by another node: it is applied before anyone is told", () =>
    withFailover(async (bed) => {
      const [cut, whole] = [await bed.node(), await bed.node()];
      await ended(bed, cut.warp.set("a", 1));
      await ended(bed, whole.warp.get("a"));
      await cutOff(bed, cut);
      const opId = uuidv7(bed.clock, bed.bed.random);
      await ended(bed, cut.warp.set("a", 2, { opId }));
      expect(await ended(bed, whole.warp.resolve(opId, { key: "a" }))).toMatchObject({ state: "ok" });
      const other = uuidv7(bed.clock, bed.bed.random);
      expect(await ended(bed, whole.warp.resolve(other, { key: "a" }))).toEqual({ state: "unseen" });
    }));

  it("OU1 a stream that is full, or never heard of it, is a definite failure where the shard was not asked", () =>
    withFailover(
      async (bed) => {
        const node = await bed.node();
        await ended(bed, node.warp.set("a", 1));
        await cutOff(bed, node);
        for (const key of ["a", "b", "c"]) await ended(bed, node.warp.set(key, 2));
        const full = await refusalOf(bed, node.warp.set("d", 2));
        expect(full).toMatchObject({ code: "overloaded", outcome: "fail" });
        await bringBack(bed, node);
        expect(await ended(bed, node.warp.get("d"))).toBeUndefined();
      },
      { bounds: { maxProposals: 3 } },
    ));

  it("SB8 without a stream, too, copies are served within their bound, then marked; writes are refused", () =>
    withFailover(async (bed) => {
      const node = await bed.node({}, { faults: () => ({ lost: "before" }) });
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node);
      await bed.clock.advance(10_000);
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ value: 1, stale: true });
      expect(await refusalOf(bed, node.warp.set("a", 2))).toMatchObject({ code: "unavailable" });
      node.reach = "up";
    }));
});

describe("SB8 reads while a shard can't be reached", () => {
  it("SB3 a copy is served as it is within its bound, then marked stale; what nobody knows is unavailable", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      node.reach = "down";
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ cache: "hit", stale: false });
      await cutOff(bed, node);
      await bed.clock.advance(5_100);
      const late = await ended(bed, node.warp.getEntry("a"));
      expect(late).toMatchObject({ value: 1, cache: "stale", stale: true });
      expect(late).not.toHaveProperty("provisional");
      expect(late?.version).toBeGreaterThan(0);
      expect(await refusalOf(bed, node.warp.get("b"))).toMatchObject({ code: "unavailable" });
    }));

  it("SB8 another node's change is found in the stream, also one that came before an own operand", () =>
    withFailover(async (bed) => {
      const [one, other] = [await bed.node(), await bed.node()];
      await ended(bed, one.warp.register("n:*", { merge: "sum" }));
      for (const { warp } of [one, other]) await ended(bed, warp.set("a", 1));
      await ended(bed, one.warp.merge("n:1", 1));
      await cutOff(bed, one);
      await cutOff(bed, other);
      await ended(bed, one.warp.set("b", "one"));
      await ended(bed, one.warp.set("n:1", 40, { replace: true }));
      await ended(bed, other.warp.merge("n:1", 2));
      await bed.clock.advance(2_100);
      expect(await ended(bed, other.warp.getEntry("b"))).toMatchObject({ value: "one", provisional: true });
      expect(await ended(bed, other.warp.getEntry("n:1"))).toMatchObject({ value: 40, provisional: true });
      await bringBack(bed, one);
      await bringBack(bed, other);
      for (const { warp } of [one, other]) expect(await ended(bed, warp.get("n:1"))).toBe(42);
    }));

  it("SB8 a shard that is back applies what this node has proposed, or has read of the stream, before it answers", () =>
    withFailover(async (bed) => {
      const [one, other] = [await bed.node(), await bed.node()];
      for (const { warp } of [one, other]) await ended(bed, warp.set("a", 1));
      await cutOff(bed, one);
      await cutOff(bed, other);
      await ended(bed, one.warp.set("a", 2));
      await bed.clock.advance(6_000);
      expect(await ended(bed, other.warp.getEntry("a"))).toMatchObject({ value: 2, provisional: true });
      other.reach = "up";
      await bed.clock.advance(6_000);
      expect(await ended(bed, other.warp.getEntry("a"))).toMatchObject({ value: 2, stale: false });
      expect(await bed.usage()).toMatchObject({ applied: 1, repeated: 0 });
      one.reach = "up";
    }));

  it("SB8 a shard that answers but can't read its stream hides nothing that is known to wait there", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      await ended(bed, node.warp.set("b", 1));
      await cutOff(bed, node);
      await ended(bed, node.warp.set("a", 2));
      bed.drainRefusal = { code: "storage_unavailable", message: "gone", outcome: "fail", retryable: true };
      node.reach = "up";
      await bed.clock.advance(10_000);
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ value: 2, provisional: true });
      expect(await ended(bed, node.warp.getEntry("b"))).toMatchObject({ value: 1, stale: true });
      bed.drainRefusal = undefined;
      await bed.clock.advance(10_000);
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ value: 2, stale: false });
    }));

  it("SB8 while a shard is away one call at a time asks it again; the others are not held up", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node, "silent");
      await bed.clock.advance(3_000);
      const calls = Array.from({ length: 20 }, (_, at) => node.warp.set(`k${at}`, at));
      const begunMs = bed.clock.now();
      let early = 0;
      for (const call of calls) void call.then(() => (early += bed.clock.now() - begunMs < 100 ? 1 : 0));
      await Promise.all(calls.map((call) => ended(bed, call)));
      expect(early).toBe(19);
      node.reach = "up";
    }));
});

describe("SB8 a node that never met its space", () => {
  it("SB8 knows from the notice what may be proposed, and where", () =>
    withFailover(async (bed) => {
      const old = await bed.node();
      await ended(bed, old.warp.register("s:*", { mode: "strong" }));
      const node = await bed.node();
      node.reach = "down";
      const first = await ended(bed, node.warp.set("a", 1)).catch(() => undefined);
      const done = first ?? (await ended(bed, node.warp.set("a", 1)));
      expect(done).toMatchObject({ provisional: true });
      expect(await ended(bed, node.warp.get("a"))).toBe(1);
      expect(await refusalOf(bed, node.warp.set("s:1", 1))).toMatchObject({
        code: "unavailable",
        outcome: "fail",
      });
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ value: 1, stale: false });
      expect(await ended(bed, node.warp.set("s:1", 1))).not.toHaveProperty("provisional");
    }));

  it("SB8 does not hang on a home shard that gives no word: the notice is asked in time", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      node.reach = "silent";
      const begunMs = bed.clock.now();
      for (let turn = 0; turn < 3; turn++) {
        const done = await ended(bed, node.warp.set("a", turn)).catch(() => undefined);
        if (done?.provisional === true) break;
      }
      expect(bed.clock.now() - begunMs).toBeLessThan(12_000);
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ provisional: true });
      node.reach = "up";
    }));

  it("SB8 without a notice everything is unavailable", () =>
    withFailover(async (bed) => {
      bed.streams.announce(undefined);
      const node = await bed.node();
      node.reach = "down";
      for (let turn = 0; turn < 4; turn++)
        expect(await refusalOf(bed, node.warp.set("a", 1))).toMatchObject({
          code: "unavailable",
          outcome: "fail",
        });
      expect(await refusalOf(bed, node.warp.get("a"))).toMatchObject({ code: "unavailable" });
    }));

  it("SB8 the way is loaded when it is first needed", () =>
    withFailover(async (bed) => {
      const node = await bed.node({}, { lazily: true });
      expect(node.failover?.way).toBeUndefined();
      node.reach = "down";
      const first = node.warp.set("a", 1).catch(() => undefined);
      // No virtual time is in a module's loading.
      await vi.waitFor(() => expect(node.failover?.way).toBeDefined());
      const done = (await ended(bed, first)) ?? (await ended(bed, node.warp.set("a", 2)));
      expect(done).toMatchObject({ provisional: true });
    }));
});

describe("SB8 ids and what is read back", () => {
  it("OU2 a repeat of a provisional change is the same change", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.register("n:*", { merge: "sum" }));
      await ended(bed, node.warp.merge("n:1", 1));
      await cutOff(bed, node);
      const opId = uuidv7(bed.clock, bed.bed.random);
      for (let turn = 0; turn < 3; turn++)
        expect(await ended(bed, node.warp.merge("n:1", 10, { opId }))).toMatchObject({
          provisional: true,
          opId,
        });
      const { proposals } = bed.streams.read(0, undefined, 500);
      expect(proposals.map(({ mutation }) => mutation.opId)).toEqual([scopeOpId("node", opId)]);
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.merge("n:1", 10, { opId }))).toMatchObject({ replayed: true });
      expect(await ended(bed, node.warp.get("n:1"))).toBe(11);
    }));

  it("AD5 bytes come back as they were proposed", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 1));
      await cutOff(bed, node);
      const payload = { bytes: Uint8Array.from({ length: 256 }, (_, at) => at), contentType: "image/png" };
      await ended(bed, node.warp.set("b", payload, { codec: payloadCodec, tags: ["t"] }));
      const entry = await ended(bed, node.warp.getEntry("b", { codec: payloadCodec }));
      expect(entry).toMatchObject({ contentType: "image/png", tags: ["t"] });
      expect([...(entry?.value.bytes ?? [])]).toEqual([...payload.bytes]);
    }));
});

describe("SB8 beside a second tier", () => {
  it("SB8 no copy that another node keeps there is given in place of what waits, or from before it was applied", () =>
    withFailover(async (bed) => {
      const tier = memoryCache({});
      const [cut, whole] = [await bed.node({ secondTier: tier }), await bed.node({ secondTier: tier })];
      await ended(bed, cut.warp.register("k:*", { kvTtlMs: 60_000 }));
      await ended(bed, whole.warp.set("k:1", 1));
      await ended(bed, cut.warp.get("k:1"));
      await cutOff(bed, cut);
      bed.shardFaults = () => ({ lost: "before" });
      await ended(bed, cut.warp.set("k:1", 2));
      // The other one reads at the shard, which has not looked yet, and leaves what it found there.
      await bed.clock.advance(100);
      await ended(bed, whole.warp.invalidateLocal({ keys: ["k:1"] }));
      tier.clear();
      expect(await ended(bed, whole.warp.get("k:1"))).toBe(1);
      expect(tier.stats().entries).toBe(1);
      bed.shardFaults = () => undefined;
      expect(await ended(bed, cut.warp.getEntry("k:1"))).toMatchObject({ value: 2, provisional: true });
      cut.reach = "up";
      await bed.clock.advance(1_100);
      await ended(bed, cut.warp.get("other"));
      expect(await ended(bed, cut.warp.getEntry("k:1"))).toMatchObject({ value: 2, stale: false });
    }));
});
