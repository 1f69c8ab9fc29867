import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { ServerFrame } from "../../src/protocol/wire/frames.ts";
import { HubBed, type TestSocket } from "../support/hub-bed.ts";

/** Runs `work` on a shard with a space and its hub. */
async function withHub(
  work: (bed: HubBed) => Promise<void>,
  options: ConstructorParameters<typeof HubBed>[1] = {},
) {
  await host.withSql(async (sql) => {
    const bed = new HubBed(sql, options);
    await bed.bed.create();
    await work(bed);
  });
}

const keys = (socket: TestSocket) => socket.entries().map((entry) => entry.split(" ")[2]);

describe("hello", () => {
  test("a node is welcomed at the head, and hears of what comes after", () =>
    withHub(async (bed) => {
      await bed.bed.set("before", "1");
      const socket = await bed.join();
      expect(socket.frames).toMatchObject([
        { t: "welcome", revision: 1, resumed: "fresh", subject: "test", heartbeatMs: 1_000, leaseMs: 4_000 },
      ]);
      await bed.bed.set("after", "1");
      await bed.bed.delete("before");
      await bed.clock.advance(20);
      expect(socket.entries()).toEqual(["2 set after", "3 delete before"]);
    }));

  test("SB1 with a cursor what came after it is pushed, each entry once and in order", () =>
    withHub(async (bed) => {
      const first = await bed.join();
      for (const key of ["a", "b", "c"]) await bed.bed.set(key, "1");
      const { epoch } = first.of("welcome")[0] as { epoch: string };
      const second = await bed.join({ cursor: { epoch, revision: 1 } });
      expect(second.of("welcome")).toMatchObject([{ resumed: "replay", revision: 3 }]);
      await bed.bed.set("d", "1");
      await bed.clock.advance(20);
      expect(keys(second)).toEqual(["b", "c", "d"]);
      expect(keys(first)).toEqual(["a", "b", "c", "d"]);
      // Nothing to replay: nothing is pushed.
      const third = await bed.join({ cursor: { epoch, revision: 4 } });
      expect(third.frames).toHaveLength(1);
    }));

  test("SB2 a cursor of another epoch, or from before the kept log, is told of the gap", () =>
    withHub(
      async (bed) => {
        for (let at = 0; at < 12; at++) await bed.bed.set(`k${at}`, "1");
        const other = await bed.join({ cursor: { epoch: "00000000000000aa", revision: 1 } });
        expect(other.of("welcome")).toMatchObject([{ resumed: "gap", revision: 12 }]);
        expect(other.of("gap")).toEqual([]);
        await bed.bed.set("next", "1");
        await bed.clock.advance(20);
        expect(keys(other)).toEqual(["next"]);
      },
      { logMaxEntries: 1 },
    ));

  test("SB2 a cursor that the log has never reached means that the storage was set back: a new epoch for all", () =>
    withHub(async (bed) => {
      const peer = await bed.join();
      const { epoch } = peer.of("welcome")[0] as { epoch: string };
      const socket = await bed.join({ cursor: { epoch, revision: 77 } });
      const [welcome] = socket.of("welcome");
      expect(welcome).toMatchObject({ resumed: "gap" });
      expect(welcome?.epoch).not.toBe(epoch);
      await bed.clock.advance(20);
      expect(peer.of("gap")).toMatchObject([{ epoch: welcome?.epoch, why: "epoch" }]);
      expect(socket.of("gap")).toEqual([]);
    }));

  test("a shard that was never written to welcomes too, and its first write is a new epoch", () =>
    host.withSql(async (sql) => {
      const bed = new HubBed(sql);
      const socket = await bed.join();
      expect(bed.reported).toEqual([]);
      expect(socket.of("welcome")).toMatchObject([{ epoch: "0000000000000000", revision: 0 }]);
      await bed.bed.create();
      await bed.bed.set("a", "1");
      await bed.clock.advance(20);
      expect(socket.of("gap")).toMatchObject([{ why: "epoch" }]);
      expect(socket.entries().length).toBeLessThanOrEqual(1);
    }));

  test("without follow nothing is pushed, and there is no lease", () =>
    withHub(async (bed) => {
      const socket = await bed.join({ follow: false });
      expect(socket.of("welcome")).toMatchObject([{ leaseMs: 0, resumed: "fresh" }]);
      await bed.bed.set("a", "1");
      await bed.clock.advance(20);
      expect(socket.frames).toHaveLength(1);
    }));

  test("the zone is the one that hello names, else the one that the edge saw", () =>
    withHub(async (bed) => {
      await bed.join();
      await bed.join({ zone: "there" });
      expect(bed.hub.all().map(({ zone }) => zone)).toEqual(["here", "there"]);
    }));
});

describe("pushes", () => {
  test("SB7 the first entry leaves at once, what comes within 16 ms together, then at once again", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const start = bed.clock.now();
      await bed.bed.set("a", "1");
      for (const key of ["b", "c", "d"]) {
        await bed.clock.advance(4);
        await bed.bed.set(key, "1");
      }
      await bed.clock.advance(100);
      await bed.bed.set("e", "1");
      await bed.clock.settle();
      const pushes = socket.frames.flatMap((frame, at) =>
        frame.t === "ev" ? [{ at: (socket.times[at] ?? 0) - start, n: frame.es.length }] : [],
      );
      expect(pushes).toEqual([
        { at: 0, n: 1 },
        { at: 16, n: 3 },
        { at: 112, n: 1 },
      ]);
    }));

  test("pushes carry no values, and one encoding serves all sessions", () =>
    withHub(async (bed) => {
      const sockets = [await bed.join(), await bed.join(), await bed.join()];
      await bed.bed.set("k", "a value to be kept to itself");
      await bed.clock.advance(20);
      const texts = sockets.map((socket) => socket.sent.at(-1));
      expect(new Set(texts).size).toBe(1);
      expect(texts[0]).not.toContain("value");
    }));

  test("nothing is pushed before it is durable", () => {
    let durable = (): void => {};
    return withHub(
      async (bed) => {
        const socket = await bed.join();
        let hold = true;
        waiting = () => (hold ? new Promise<void>((resolve) => (durable = resolve)) : Promise.resolve());
        const write = bed.bed.set("a", "1");
        await bed.clock.advance(50);
        expect(socket.of("ev")).toEqual([]);
        // A session that comes meanwhile is not told of it either.
        const late = await bed.join();
        expect(late.of("welcome")).toMatchObject([{ revision: 0 }]);
        hold = false;
        durable();
        await write;
        await bed.clock.advance(20);
        expect(keys(socket)).toEqual(["a"]);
        expect(keys(late)).toEqual(["a"]);
      },
      { durable: () => waiting() },
    );
  });
  let waiting = (): Promise<void> => Promise.resolve();

  test("an expiry that a read brought about is pushed", () =>
    withHub(async (bed) => {
      await bed.bed.set("a", "1", { expiresInMs: 100 });
      const socket = await bed.join();
      await bed.clock.advance(200);
      await bed.bed.read("a");
      await bed.clock.advance(20);
      expect(socket.entries()).toEqual(["2 expire a"]);
    }));

  test("long replays come in pages, in order", () =>
    withHub(async (bed) => {
      const { epoch } = (await bed.join()).of("welcome")[0] as { epoch: string };
      for (let round = 0; round < 5; round++) {
        await bed.bed.mutate(
          ...Array.from({ length: 500 }, (_, at) => ({
            kind: "invalidate" as const,
            opId: bed.bed.opId(),
            key: `k${round * 500 + at}`,
          })),
        );
      }
      const socket = await bed.join({ cursor: { epoch, revision: 100 } });
      expect(socket.of("ev").map(({ es }) => es.length)).toEqual([1_000, 1_000, 400]);
      expect(keys(socket)).toEqual(Array.from({ length: 2_400 }, (_, at) => `k${at + 100}`));
    }));
});

/** Writes `rounds` times 500 entries of more than 500 bytes each. */
async function fill(bed: HubBed, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await bed.bed.mutate(
      ...Array.from({ length: 500 }, (_, at) => ({
        kind: "invalidate" as const,
        opId: bed.bed.opId(),
        key: `${round}:${at}:`.padEnd(500, "x"),
      })),
    );
    await bed.clock.advance(20);
  }
}

describe("WA7 slow consumers", () => {
  test("above 256 KiB on their way pushes wait in the log, and go on without a hole when they have arrived", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const fast = await bed.join();
      socket.reads = false;
      await fill(bed, 8);
      expect(fast.entries()).toHaveLength(4_000);
      const sent = socket.sent.join("").length;
      expect(sent).toBeGreaterThan(262_144);
      expect(sent).toBeLessThan(262_144 + 300_000);
      // A little room lets a little through.
      socket.catchUp(1);
      await bed.clock.settle();
      expect(socket.sent.join("").length).toBeLessThan(sent + 2 * 300_000);
      socket.reads = true;
      socket.catchUp();
      await bed.clock.advance(20);
      expect(socket.entries()).toEqual(fast.entries());
      expect(socket.of("gap")).toEqual([]);
      await bed.clock.advance(10_000);
      expect(bed.clock.timers).toBe(0);
      expect(socket.closedWith).toBeUndefined();
    }));

  test("SB2 a session that is more than 10,000 entries behind is told of the gap", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const { epoch } = socket.of("welcome")[0] as { epoch: string };
      socket.reads = false;
      await fill(bed, 24);
      socket.reads = true;
      socket.catchUp();
      await bed.clock.advance(20);
      expect(socket.of("gap")).toMatchObject([{ to: 12_000, why: "slow" }]);
      await bed.bed.set("next", "1");
      await bed.clock.advance(20);
      expect(socket.entries().at(-1)).toBe("12001 set next");
      const far = await bed.join({ cursor: { epoch, revision: 1_000 } });
      expect(far.of("welcome")).toMatchObject([{ resumed: "replay" }]);
      expect(far.of("gap")).toMatchObject([{ to: 12_001, why: "slow" }]);
    }));

  test("one that takes in nothing for 10 s is closed with 4101; one that takes in a little is not", () =>
    withHub(async (bed) => {
      const [stuck, slow] = [await bed.join(), await bed.join()];
      stuck.reads = false;
      slow.reads = false;
      await fill(bed, 8);
      await bed.clock.advance(8_000);
      slow.catchUp(1);
      await bed.clock.advance(2_500);
      expect(stuck.closedWith?.code).toBe(4101);
      expect(slow.closedWith).toBeUndefined();
      await bed.clock.advance(8_000);
      expect(slow.closedWith?.code).toBe(4101);
      expect(bed.hub.all()).toEqual([]);
      expect(bed.clock.timers).toBe(0);
    }));

  test("a large answer that is still on its way does not make its reader slow", () =>
    withHub(async (bed) => {
      await bed.bed.set("big", "x".repeat(900_000));
      const socket = await bed.join();
      socket.reads = false;
      const scope = bed.bed.scope();
      await bed.say(socket, { t: "call", id: 1, m: "read", a: [{ ...scope, keys: ["big", "big"] }] });
      expect(socket.of("ok")).toHaveLength(1);
      await bed.bed.set("a", "1");
      await bed.clock.advance(20);
      expect(keys(socket)).toEqual(["a"]);
    }));

  test("who leaves its answers unread gets refusals, and in the end is closed", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      socket.reads = false;
      const big = "x".repeat(17_000_000);
      bed.bed.shard.getSpace = async () => ({ big }) as never;
      const ask = (id: number) => bed.say(socket, { t: "call", id, m: "getSpace", a: ["test"] });
      for (let id = 1; id <= 3; id++) await ask(id);
      expect(socket.of("ok").map(({ id }) => id)).toEqual([1, 2]);
      expect(socket.of("err")).toMatchObject([{ id: 3, e: { code: "overloaded", outcome: "fail" } }]);
      socket.reads = true;
      socket.catchUp();
      await ask(4);
      expect(socket.of("ok").at(-1)?.id).toBe(4);
      socket.reads = false;
      // Several at once pass the look at what is on its way.
      for (const id of [5, 6, 7, 8]) {
        void bed.hub.message(socket, JSON.stringify({ t: "call", id, m: "getSpace", a: ["test"] }));
      }
      await bed.say(socket, { t: "ping", id: 9 });
      await bed.say(socket, { t: "ping", id: 10 });
      expect(socket.closedWith?.code).toBe(4101);
    }));

  test("a mark that nobody waits for says nothing", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      await bed.say(socket, { t: "seen", n: 7 });
      await bed.say(socket, { t: "ping", id: 1 });
      expect(socket.of("pong")).toHaveLength(1);
    }));
});

describe("calls", () => {
  test("calls are answered by their ids, refusals too, each when it is known", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const scope = bed.bed.scope();
      await bed.bed.shard.claimLoad({ ...scope, key: "k", holder: "other", ttlMs: 5_000, waitMs: 0 });
      const claim = { ...scope, key: "k", holder: "me", ttlMs: 100, waitMs: 1_000 };
      await bed.say(socket, { t: "call", id: 1, m: "claimLoad", a: [claim] });
      await bed.say(socket, { t: "call", id: 2, m: "read", a: [{ ...scope, keys: ["x"] }] });
      const elsewhere = { ...scope, spaceId: "another" };
      await bed.say(socket, { t: "call", id: 3, m: "read", a: [{ ...elsewhere, keys: ["x"] }] });
      await bed.clock.advance(1_000);
      const answers = socket.of("ok").map(({ id, r }) => ({ id, r }));
      expect(answers).toMatchObject([
        { id: 2, r: { entries: [null] } },
        { id: 3, r: { refused: { code: "unavailable" }, stale: true } },
        { id: 1, r: { claim: "busy" } },
      ]);
    }));

  test("OU2 op ids must be of the session's subject, except an administrator's", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const scope = bed.bed.scope();
      const mutation = (opId: string) => ({ kind: "delete" as const, opId, key: "k" });
      const own = bed.bed.opId();
      const foreign = own.replace("/test", "/test2");
      const ask = (id: number, opId: string, to = socket) =>
        bed.say(to, { t: "call", id, m: "mutate", a: [{ ...scope, mutations: [mutation(opId)] }] });
      await ask(1, own);
      await ask(2, foreign);
      await ask(3, own.replace("/test", "#2/test"));
      await ask(4, own.replace("/test", ""));
      await bed.say(socket, { t: "call", id: 5, m: "resolve", a: [{ ...scope, opIds: [foreign] }] });
      expect(socket.of("ok").map(({ id }) => id)).toEqual([1, 3]);
      expect(socket.of("err").map(({ id, e }) => [id, e.code])).toEqual([
        [2, "forbidden"],
        [4, "forbidden"],
        [5, "forbidden"],
      ]);
      const admin = await bed.join({}, { isAdmin: true });
      await ask(1, foreign, admin);
      expect(admin.of("ok")).toHaveLength(1);
    }));

  test("SE2 a session does what its token's verbs allow, in its own shard", () =>
    withHub(async (bed) => {
      const socket = await bed.join({}, { invalidates: false });
      const scope = bed.bed.scope();
      const settings = { mode: "strong" as const, cacheTtlMs: 1, maxStalenessMs: 1 };
      const opId = bed.bed.opId();
      await bed.say(socket, { t: "call", id: 1, m: "register", a: [{ ...scope, pattern: "a", settings }] });
      await bed.say(socket, { t: "call", id: 2, m: "deleteSpace", a: ["test", "begin"] });
      await bed.say(socket, { t: "call", id: 3, m: "createSpace", a: ["test", { shards: 2 }] });
      await bed.say(socket, {
        t: "call",
        id: 4,
        m: "mutate",
        a: [{ ...scope, mutations: [{ kind: "invalidatePrefix", opId, prefix: "" }] }],
      });
      await bed.say(socket, { t: "call", id: 5, m: "read", a: [{ ...scope, space: "other", keys: [] }] });
      await bed.say(socket, { t: "call", id: 6, m: "read", a: [{ ...scope, shard: 1, keys: [] }] });
      await bed.say(socket, { t: "call", id: 7, m: "getSpace", a: ["other"] });
      await bed.say(socket, { t: "call", id: 8, m: "createSpace", a: ["test", {}] });
      const storage = { name: "x", write: "behind" as const };
      await bed.say(socket, { t: "call", id: 9, m: "createSpace", a: ["test", { storage }] });
      await bed.say(socket, { t: "call", id: 10, m: "createSpace", a: ["test", { fallback: "x" }] });
      expect(socket.of("err").map(({ id, e }) => [id, e.code])).toEqual([
        [1, "forbidden"],
        [2, "forbidden"],
        [3, "forbidden"],
        [4, "forbidden"],
        [5, "invalid_argument"],
        [6, "invalid_argument"],
        [7, "invalid_argument"],
        [9, "forbidden"],
        [10, "forbidden"],
      ]);
      expect(socket.of("ok")).toMatchObject([{ id: 8, r: { created: false } }]);
      expect(bed.bed.shard.figures.logHead).toBe(0);
    }));

  test("settings of a registration are read strictly", () =>
    withHub(async (bed) => {
      const socket = await bed.join({}, { isAdmin: true });
      const request = { ...bed.bed.scope(), pattern: "a:*" };
      const register = (id: number, settings: object) =>
        bed.say(socket, JSON.stringify({ t: "call", id, m: "register", a: [{ ...request, settings }] }));
      await register(1, { mode: "strong", cacheTtlMs: "1" });
      await register(2, { mode: "eventual", nope: 1 });
      await register(3, { mode: "strong", cacheTtlMs: 1_000, maxStalenessMs: 1_000 });
      expect(socket.of("err").map(({ e }) => e.code)).toEqual(["invalid_ttl", "invalid_registration"]);
      expect(socket.of("ok")).toMatchObject([{ id: 3, r: { created: true } }]);
      expect(bed.reported).toEqual([]);
    }));

  test("more calls than a session may have under way are refused, the others go on", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const scope = bed.bed.scope();
      await bed.bed.shard.claimLoad({ ...scope, key: "k", holder: "other", ttlMs: 5_000, waitMs: 0 });
      for (let id = 0; id <= 1_024; id++) {
        const claim = { ...scope, key: "k", holder: `h${id}`, ttlMs: 100, waitMs: 1_000 };
        void bed.hub.message(socket, JSON.stringify({ t: "call", id, m: "claimLoad", a: [claim] }));
      }
      await bed.clock.advance(1_000);
      expect(socket.of("err")).toMatchObject([{ id: 1_024, e: { code: "overloaded" } }]);
      expect(socket.of("ok")).toHaveLength(1_024);
    }));

  test("what a shard throws unexpectedly is internal, reported, and unknown for a mutation", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const scope = bed.bed.scope();
      bed.bed.shard.mutate = () => Promise.reject(new TypeError("secret detail"));
      bed.bed.shard.read = () => Promise.reject(new TypeError("secret detail"));
      await bed.say(socket, { t: "call", id: 1, m: "mutate", a: [{ ...scope, mutations: [] }] });
      await bed.say(socket, { t: "call", id: 2, m: "read", a: [{ ...scope, keys: [] }] });
      expect(socket.of("err").map(({ e }) => [e.code, e.outcome])).toEqual([
        ["internal", "unknown"],
        ["internal", "fail"],
      ]);
      expect(JSON.stringify(socket.frames)).not.toContain("secret");
      expect(bed.reported).toHaveLength(2);
    }));
});

describe("bad input", () => {
  test.each([
    ["no JSON", "{", 4000, "invalid_frame"],
    ["a frame of no known kind", '{"t":"later"}', 4000, "invalid_frame"],
    ["a ping without id", '{"t":"ping"}', 4000, "invalid_frame"],
    ["a call without id", '{"t":"call","m":"read","a":[]}', 4000, "invalid_frame"],
    ["a second hello", '{"t":"hello","v":1,"node":"node-again"}', 4000, "invalid_frame"],
    ["bytes", new Uint8Array(2), 4000, "invalid_frame"],
    ["a frame over size", `{"t":"bye","x":"${"x".repeat(33_554_432)}"}`, 4009, "frame_too_large"],
    ["an ack of what was never sent", '{"t":"ack","inv":1}', 4005, "invalid_frame"],
  ])("%s ends the session and changes nothing", (_what, data, code, reason) =>
    withHub(async (bed) => {
      const events: string[] = [];
      bed.hub.listen({
        joined: () => {},
        acknowledged: () => void events.push("ack"),
        left: (session) => void events.push(`left ${session}`),
      });
      const socket = await bed.join();
      const bystander = await bed.join();
      const [welcome] = socket.of("welcome");
      await bed.say(socket, data);
      expect(socket.closedWith).toMatchObject({ code, reason: expect.stringMatching(`^${reason}: `) });
      expect(events).toEqual([`left ${welcome?.session}`]);
      expect(bystander.closedWith).toBeUndefined();
      // What comes after it is not heard.
      await bed.say(socket, { t: "ping", id: 9 });
      expect(socket.of("pong")).toEqual([]);
      expect(bed.bed.shard.figures.logHead).toBe(0);
      expect(bed.reported).toEqual([]);
    }),
  );

  test.each([
    ["a method that there is not", { m: "constructor", a: [] }],
    ["no arguments", { m: "read" }],
    [
      "an argument of a wrong type",
      { m: "read", a: [{ space: "test", shard: 0, registrations: 0, keys: [7] }] },
    ],
    ["bytes that are none", { m: "mutate", a: [{ mutations: [{ payload: { bytes: { $bytes: "%" } } }] }] }],
  ])("a call with %s is invalid_frame, and the session stays", (_what, call) =>
    withHub(async (bed) => {
      const socket = await bed.join();
      await bed.say(socket, JSON.stringify({ t: "call", id: 5, ...call }));
      expect(socket.of("err")).toMatchObject([{ id: 5, e: { code: "invalid_frame", outcome: "fail" } }]);
      expect(socket.closedWith).toBeUndefined();
      await bed.say(socket, { t: "ping", id: 6 });
      expect(socket.of("pong")).toMatchObject([{ id: 6 }]);
    }),
  );

  test("another version is protocol_mismatch, 4001", () =>
    withHub(async (bed) => {
      const socket = await bed.join({ v: 2 });
      expect(socket.closedWith).toMatchObject({
        code: 4001,
        reason: expect.stringMatching(/^protocol_mismatch/),
      });
      expect(bed.hub.all()).toEqual([]);
    }));

  test("a hello after 10 s is too late, 4004; anything before it is 4000", () =>
    withHub(async (bed) => {
      const late = bed.open();
      const eager = bed.open();
      await bed.say(eager, { t: "ping", id: 1 });
      expect(eager.closedWith?.code).toBe(4000);
      await bed.clock.advance(9_999);
      expect(late.closedWith).toBeUndefined();
      await bed.clock.advance(1);
      expect(late.closedWith?.code).toBe(4004);
      await bed.say(late, { t: "hello", v: 1, node: "node-too-late" });
      expect(late.frames).toEqual([]);
      expect(bed.clock.timers).toBe(0);
    }));

  test("a socket that is lost before its hello leaves nothing behind", () =>
    withHub(async (bed) => {
      const socket = bed.open();
      expect(bed.clock.timers).toBe(1);
      bed.hub.closed(socket);
      expect(bed.clock.timers).toBe(0);
    }));

  test("SE3 the 201st session is turned away with 4100, unless another has been silent for a minute", () =>
    withHub(async (bed) => {
      for (let at = 0; at < 200; at++) await bed.join();
      const refused = await bed.join();
      expect(refused.closedWith?.code).toBe(4100);
      expect(refused.frames).toEqual([]);
      await bed.clock.advance(60_000);
      for (const [at, socket] of bed.sockets.entries()) {
        if (at === 7) continue;
        if (at === 9) socket.lastBeatMs = bed.clock.now();
        else await bed.say(socket, '{"t":"beat"}');
      }
      const taken = await bed.join();
      expect(taken.of("welcome")).toHaveLength(1);
      expect(bed.sockets[7]?.closedWith?.code).toBe(4102);
      expect(bed.hub.all()).toHaveLength(200);
    }));

  test("SE2 a session ends with its token: at the next event, and by the alarm", () =>
    withHub(async (bed) => {
      const endsAt = bed.clock.now() + 5_000;
      const socket = await bed.join({}, { expiresAtMs: endsAt });
      const other = await bed.join({}, { expiresAtMs: endsAt + 60_000 });
      expect(bed.bed.alarmMs).toBeLessThanOrEqual(endsAt);
      await bed.clock.advance(5_000);
      await bed.bed.set("a", "1");
      expect(socket.closedWith?.code).toBe(4003);
      expect(socket.of("ev")).toEqual([]);
      await bed.clock.advance(60_000);
      await bed.bed.shard.onAlarm();
      expect(other.closedWith?.code).toBe(4003);
      expect(bed.hub.nextMs()).toBeUndefined();
    }));

  test("deleting the space closes every socket with 4010, behind the answer", () =>
    withHub(async (bed) => {
      const socket = await bed.join({}, { isAdmin: true });
      await bed.say(socket, { t: "call", id: 1, m: "deleteSpace", a: ["test", "begin"] });
      expect(socket.closedWith).toBeUndefined();
      await bed.say(socket, { t: "call", id: 2, m: "deleteSpace", a: ["test", "finish"] });
      await bed.clock.advance(1);
      expect(socket.of("ok").map(({ id }) => id)).toEqual([1, 2]);
      expect(socket.closedWith?.code).toBe(4010);
    }));
});

describe("members", () => {
  test("hello joins, bye gives the lease back and leaves, a lost socket leaves", () =>
    withHub(async (bed) => {
      const events: string[] = [];
      const leases = {
        grant: async () => 4_000,
        giveBack: () => void events.push("giveBack"),
        leaseUntilMs: () => 0,
      };
      bed.bed.shard.serve = () => leases;
      bed.remake();
      bed.hub.listen({
        joined: () => void events.push("joined"),
        acknowledged: (_session, n) => void events.push(`acked ${n}`),
        left: () => void events.push("left"),
      });
      const socket = await bed.join();
      const session = socket.of("welcome")[0]?.session ?? "";
      expect(bed.hub.get(session)).toEqual({ session, node: "node-1-of-many", zone: "here" });
      const invalidation = { revision: 3, keys: ["a"], prefixes: [], tags: ["t"] };
      expect(bed.hub.send(session, invalidation)).toBe(1);
      expect(bed.hub.send(session, invalidation)).toBe(2);
      expect(socket.of("inv")).toMatchObject([{ n: 1, at: 3, keys: ["a"], tags: ["t"] }, { n: 2 }]);
      expect(socket.of("inv")[0]).not.toHaveProperty("prefixes");
      await bed.say(socket, { t: "ack", inv: 2 });
      await bed.say(socket, { t: "ack", inv: 1 });
      await bed.say(socket, { t: "ping", id: 1, lease: true });
      await bed.say(socket, { t: "ping", id: 2 });
      expect(socket.of("pong")).toMatchObject([{ id: 1, leaseMs: 4_000 }, { id: 2 }]);
      expect(socket.of("pong")[1]).not.toHaveProperty("leaseMs");
      await bed.say(socket, { t: "bye" });
      expect(events).toEqual(["joined", "acked 2", "giveBack", "left"]);
      expect(socket.closedWith?.code).toBe(1000);
      expect(bed.hub.send(session, invalidation)).toBeUndefined();
      const lost = await bed.join();
      bed.hub.closed(lost);
      expect(events.slice(4)).toEqual(["joined", "left"]);
    }));

  test("a lease that can't be given now is a pong without one", () =>
    withHub(async (bed) => {
      bed.bed.shard.serve = () => ({
        grant: () => Promise.reject(new Error("no commit")),
        giveBack: () => {},
        leaseUntilMs: () => 0,
      });
      bed.remake();
      const socket = await bed.join();
      await bed.say(socket, { t: "ping", id: 1, lease: true });
      expect(socket.of("pong")).toHaveLength(1);
      expect(socket.of("pong")[0]).not.toHaveProperty("leaseMs");
      expect(bed.reported).toHaveLength(1);
    }));
});

describe("WA8 hibernation", () => {
  test("the next instance goes on with the sockets of the last: nothing twice, nothing missed", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      await bed.bed.set("a", "1");
      await bed.clock.advance(2_000);
      await bed.bed.set("b", "1");
      await bed.clock.advance(2_000);
      bed.restart();
      await bed.bed.set("c", "1");
      await bed.clock.advance(20);
      expect(keys(socket)).toEqual(["a", "b", "c"]);
      await bed.say(socket, { t: "ping", id: 1 });
      expect(socket.of("pong")).toMatchObject([{ id: 1, to: 3 }]);
      expect(bed.hub.all()).toHaveLength(1);
    }));

  test("what an instance did not come to push, the next one does", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      await bed.bed.set("a", "1");
      await bed.bed.set("b", "1");
      // The second waits for its 16 ms; the instance ends before.
      const before = socket.frames.length;
      bed.restart();
      await bed.say(socket, { t: "ping", id: 1 });
      await bed.bed.set("c", "1");
      await bed.clock.advance(20);
      const seen = new Set(
        socket.frames.flatMap((frame: ServerFrame) =>
          frame.t === "ev" ? frame.es.map(([revision]) => revision) : [],
        ),
      );
      expect(before).toBe(2);
      expect([...seen].sort()).toEqual([1, 2, 3]);
    }));

  test("invalidations are numbered on, so that a late ack is none from the future", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      const session = socket.of("welcome")[0]?.session ?? "";
      const invalidation = { revision: 1, keys: ["a"], prefixes: [], tags: [] };
      bed.hub.send(session, invalidation);
      bed.hub.send(session, invalidation);
      bed.restart();
      await bed.say(socket, { t: "ack", inv: 2 });
      expect(socket.closedWith).toBeUndefined();
      expect(bed.hub.send(session, invalidation)).toBe(3);
      await bed.say(socket, { t: "ack", inv: 4 });
      expect(socket.closedWith?.code).toBe(4005);
    }));

  test("who has not said hello yet must still do so in time, and tokens still end", () =>
    withHub(async (bed) => {
      const silent = bed.open();
      const ending = await bed.join({}, { expiresAtMs: bed.clock.now() + 8_000 });
      await bed.clock.advance(6_000);
      bed.restart();
      expect(bed.hub.all()).toHaveLength(1);
      await bed.clock.advance(4_000);
      expect(silent.closedWith?.code).toBe(4004);
      await bed.bed.set("a", "1");
      expect(ending.closedWith?.code).toBe(4003);
    }));

  test("a socket whose attachment is not understood is closed with 4200", () =>
    withHub(async (bed) => {
      const socket = await bed.join();
      socket.attachment = { format: 99 };
      bed.restart();
      expect(bed.hub.all()).toEqual([]);
      expect(socket.closedWith?.code).toBe(4200);
    }));

  test("attachments are small, and written at most once a second for pushes", () =>
    withHub(async (bed) => {
      const socket = await bed.join(
        { node: "n".repeat(64), zone: "z".repeat(64) },
        { subject: "s".repeat(128) },
      );
      let written = 0;
      let attachment = socket.attachment;
      Object.defineProperty(socket, "attachment", {
        get: () => attachment,
        set: (value) => {
          attachment = value;
          written++;
        },
      });
      for (let round = 0; round < 50; round++) {
        await bed.bed.set("a", "1");
        await bed.clock.advance(20);
      }
      expect(socket.of("ev")).toHaveLength(50);
      expect(written).toBeLessThanOrEqual(2);
      expect(JSON.stringify(attachment).length).toBeLessThan(2_048);
    }));
});
