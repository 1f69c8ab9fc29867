import { describe, expect, it } from "vitest";
import { host } from "#host";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import type { HttpConfig } from "../../src/http/config.ts";
import { problemOf, secret } from "./bed.ts";
import { HttpWatchBed } from "./watch-bed.ts";

async function withBed(
  work: (bed: HttpWatchBed) => Promise<void>,
  changes: Partial<HttpConfig> = {},
): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = await HttpWatchBed.create(sql, changes);
    await work(bed);
    expect(bed.shard.reported).toEqual([]);
    expect(bed.logged).toEqual([]);
  });
}

async function token(bed: HttpWatchBed, claims: object): Promise<string> {
  const iat = Math.floor(bed.shard.clock.now() / 1_000);
  const all = {
    ...{ sub: "web", spaces: ["*"], prefixes: [""], verbs: ["read"] as const },
    ...{ iat, exp: iat + 3_600, jti: "t" },
    ...claims,
  };
  return await signToken(all, await hmacKey(secret));
}

describe("GET /v1/{space}/watch", () => {
  it("WB-08 published text appears as a data line, and a change with its value", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("key=room");
      expect(stream.response.headers.get("Content-Type")).toBe("text/event-stream");
      expect(stream.response.headers.get("Cache-Control")).toBe("no-store");
      await bed.put("room", "one\ntwo");
      const sent = await bed.send("publish/room", {
        method: "POST",
        body: '{"text":"hello"}',
        headers: { "Content-Type": "application/json" },
      });
      expect(sent.status).toBe(200);
      await bed.pass(20);
      expect(stream.items).toMatchObject([
        {
          kind: "set",
          key: "room",
          version: 1,
          revision: 1,
          shard: 0,
          contentType: "text/plain",
          text: "one\ntwo",
        },
        {
          kind: "publish",
          key: "room",
          version: 0,
          contentType: "application/json",
          json: { text: "hello" },
        },
      ]);
    }));

  it.each<[string, string, number, string, Record<string, string>?]>([
    ["no key", "", 400, "invalid_argument"],
    ["key and prefix", "key=a&prefix=b", 400, "invalid_argument"],
    ["an empty key", "key=", 400, "invalid_key"],
    ["a key that is too long", `key=${"x".repeat(513)}`, 400, "invalid_key"],
    ["a prefix that is too long", `prefix=${"x".repeat(513)}`, 400, "invalid_key"],
    ["an unknown mode", "key=a&mode=some", 400, "invalid_argument"],
    ["an unknown operation", "key=a&ops=set,put", 400, "invalid_argument"],
    ["no operation", "key=a&ops=", 400, "invalid_argument"],
    ["another parameter", "key=a&to=b", 400, "invalid_argument"],
    ["a cursor that is none", "key=a&from=yesterday", 400, "invalid_cursor"],
    ["a cursor of other shards", "key=a&from=00000000000000aa.1~00000000000000aa.2", 400, "invalid_cursor"],
    ["a foreign page", "key=a", 403, "origin_forbidden", { Origin: "https://evil.example" }],
  ])(
    "WB-08 WB-09 %s is refused before the stream and before the upgrade",
    (_what, query, status, code, headers = {}) =>
      withBed(async (bed) => {
        for (const upgrade of [{}, { Upgrade: "websocket" }]) {
          const response = await bed.send(`watch?${query}`, { headers: { ...headers, ...upgrade } });
          expect(response.status).toBe(status);
          expect((await problemOf(response)).code).toBe(code);
        }
        expect(bed.callers).toEqual([]);
        expect(bed.sockets).toBe(0);
      }),
  );

  it("who misspells where to begin is told what there is", () =>
    withBed(async (bed) => {
      const problem = await problemOf(await bed.send("watch?key=a&from=snapshots"));
      expect(problem).toMatchObject({ code: "invalid_cursor", detail: "from is now, snapshot or a cursor" });
    }));

  it("a cursor of the future is invalid_cursor, a space that is not there space_not_found", () =>
    withBed(async (bed) => {
      await bed.put("a", "1");
      const { cursor } = await bed.changes("key=a");
      const future = cursor.replace(/\.\d+$/, ".99");
      expect((await problemOf(await bed.send(`watch?key=a&from=${future}`))).code).toBe("invalid_cursor");
      expect((await problemOf(await bed.send(`changes?key=a&since=${future}`))).code).toBe("invalid_cursor");
      const { shard } = bed.shard.bed;
      for (const step of ["begin", "finish"] as const) await shard.deleteSpace("test", step);
      expect((await problemOf(await bed.send("watch?key=a"))).code).toBe("space_not_found");
      expect(bed.sockets).toBe(0);
    }));

  it("WA3 the first thing that a stream says is its cursor; Last-Event-ID goes on behind it without an event having come, and before `from`", () =>
    withBed(async (bed) => {
      await bed.put("a", "0");
      const first = await bed.stream("prefix=");
      const { lastEventId } = first.parser;
      expect(lastEventId).toMatch(/^[0-9a-f]{16}\.1$/);
      expect(first.parser.reconnectionMs).toBeGreaterThanOrEqual(500);
      expect(first.parser.events).toEqual([]);
      await first.leave();
      await bed.put("a", "1");
      await bed.put("b", "2");
      const next = await bed.stream("prefix=&from=snapshot", { "Last-Event-ID": lastEventId });
      await bed.pass(20);
      expect(next.told).toEqual(["set a=1", "set b=2"]);
      expect(next.parser.lastEventId).toMatch(/\.3$/);
      const other = await bed.stream(`prefix=&from=${lastEventId}`);
      await bed.pass(20);
      expect(other.told).toEqual(next.told);
    }));

  it("WA3 a position that moves without events is told as a bare id", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("key=quiet");
      const before = stream.parser.lastEventId;
      for (let i = 0; i < 3; i++) {
        await bed.put("loud", String(i));
        await bed.pass(16_000);
      }
      expect(stream.parser.events).toEqual([]);
      expect(stream.parser.lastEventId).not.toBe(before);
      expect(stream.parser.lastEventId).toMatch(/\.[23]$/);
    }));

  it("WA4 a snapshot is the state, `done`, then what happens; the first cursor comes with `done`", () =>
    withBed(async (bed) => {
      await bed.put("a", "1");
      await bed.put("b", "2");
      const stream = await bed.stream("prefix=&from=snapshot");
      await bed.put("a", "3");
      expect(stream.told).toEqual(["snapshot a=1,b=2", "set a=3"]);
      expect(stream.items[0]).toMatchObject({ shard: 0, first: true, done: true });
      expect(stream.parser.events.map(({ lastEventId }) => lastEventId.split(".")[1])).toEqual(["2", "3"]);
    }));

  it("WA5 `keys` has no values, `ops` chooses", () =>
    withBed(async (bed) => {
      const keys = await bed.stream("prefix=&mode=keys&ops=set");
      await bed.put("a", "1");
      await bed.send("keys/a", { method: "DELETE" });
      await bed.pass(20);
      expect(keys.told).toEqual(["set a"]);
      expect(keys.items[0]).not.toHaveProperty("contentType");
    }));

  it("WA2 what can't be told is a gap, and then the state", () =>
    withBed(async (bed) => {
      await bed.put("a", "1");
      const { cursor } = await bed.changes("prefix=");
      for (let times = 0; times < 3; times++) {
        await bed.pass(400_000, 400_000);
        await bed.put("z", String(times));
      }
      const stream = await bed.stream("prefix=", { "Last-Event-ID": cursor });
      await bed.pass(20);
      expect(stream.told).toEqual(["gap", "snapshot a=1,z=2"]);
      expect(stream.items[0]).toEqual({ kind: "gap", why: "compacted", shard: 0 });
      // The same for a poll: it is told where to go on, and reads the keys itself.
      const { cursor: present } = await bed.changes("prefix=");
      expect(await bed.changes(`prefix=&since=${cursor}`)).toEqual({
        cursor: present,
        events: [],
        gap: "compacted",
      });
    }));

  it("a comment comes every 15 s, and nothing else where nothing happens", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("key=a");
      const bytes = stream.bytes;
      await bed.pass(14_900, 100);
      expect(stream.bytes).toBe(bytes);
      await bed.pass(200, 100);
      expect(stream.parser.comments).toEqual([" keep-alive"]);
      await bed.pass(45_000);
      expect(stream.parser.comments).toHaveLength(4);
      expect(stream.isOver).toBe(false);
    }));

  it("a stream ends before its time is over, says so, and the next one goes on where it was", () =>
    withBed(
      async (bed) => {
        const stream = await bed.stream("prefix=");
        await bed.put("a", "1");
        await bed.pass(53_000);
        expect(stream.isOver).toBe(false);
        await bed.pass(7_000);
        expect(stream.told).toEqual(["set a=1", "rotate"]);
        expect(stream.isOver).toBe(true);
        expect(bed.sockets).toBe(0);
        await bed.put("a", "2");
        const next = await bed.stream("prefix=", { "Last-Event-ID": stream.parser.lastEventId });
        await bed.pass(20);
        expect(next.told).toEqual(["set a=2"]);
      },
      { rotateMs: 60_000 },
    ));

  it("WB-08 a client that goes away takes its watcher with it", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("key=a");
      expect(bed.shard.sockets).toBe(1);
      await stream.leave();
      await bed.pass(20);
      expect(bed.sockets).toBe(0);
    }));

  it("WA7 a client that does not read makes its shard wait, costs no more than a bound, and reads on to the last event", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("prefix=&ops=set", {}, { isRead: false });
      const value = "x".repeat(16_000);
      const keys = Array.from({ length: 250 }, (_, i) => `k${i}`);
      await bed.putAll(keys, (key) => `${key.slice(1)} ${value}`);
      await bed.pass(1_000);
      const wire = bed.wires[0];
      // Of the four megabytes that were written about one went to the edge.
      expect(wire?.received).toBeLessThan(2_500_000);
      void stream.read();
      await bed.pass(3_000);
      const numbers = stream.items.map(({ text }) => Number(String(text).split(" ")[0]));
      expect(numbers).toEqual(Array.from({ length: 250 }, (_, i) => i));
    }));

  it("a client that does not read loses its watch when the stream's time is over", () =>
    withBed(
      async (bed) => {
        const stream = await bed.stream("prefix=", {}, { isRead: false });
        await bed.put("a", "1");
        await bed.pass(60_000);
        expect(bed.sockets).toBe(0);
        void stream.read();
        await bed.settle();
        expect(stream.told.at(-1)).toBe("rotate");
        expect(stream.isOver).toBe(true);
      },
      { rotateMs: 60_000 },
    ));

  it("WA2 a socket to the shard that breaks is replaced: nothing is lost and nothing comes twice", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("prefix=&ops=set");
      await bed.put("a", "1");
      bed.wires[0]?.cut();
      await bed.put("a", "2");
      await bed.pass(5_000);
      bed.shard.restart(true);
      await bed.put("a", "3");
      expect(stream.told).toEqual(["set a=1", "set a=2", "set a=3"]);
    }));

  it("WA9 a stream ends with the rights of its token, and says why", () =>
    withBed(async (bed) => {
      const exp = Math.floor(bed.shard.clock.now() / 1_000) + 30;
      const bearer = await token(bed, { exp });
      const stream = await bed.stream("key=a", {}, { bearer });
      await bed.put("a", "1");
      await bed.pass(31_000);
      await bed.put("a", "2");
      expect(stream.told).toEqual(["set a=1", "end"]);
      expect(stream.items[1]).toMatchObject({ code: "token_expired", status: 401, outcome: "fail" });
      expect(stream.isOver).toBe(true);
      expect(bed.sockets).toBe(0);
    }));

  it("SE2 a token sees what lies within its prefixes, and nothing else", () =>
    withBed(async (bed) => {
      const bearer = await token(bed, { prefixes: ["user:", "room:"] });
      const stream = await bed.stream("prefix=user:", {}, { bearer });
      await bed.put("user:1", "1");
      await bed.put("other", "2");
      expect(stream.told).toEqual(["set user:1=1"]);
      for (const query of ["prefix=", "prefix=use", "key=other"]) {
        for (const route of ["watch", "changes"]) {
          const response = await bed.send(`${route}?${query}`, { bearer });
          expect((await problemOf(response)).code).toBe("forbidden");
        }
      }
      const writer = await token(bed, { verbs: ["write"] });
      expect((await problemOf(await bed.send("watch?key=a", { bearer: writer }))).code).toBe("forbidden");
    }));

  it("a stream ends with its space", () =>
    withBed(async (bed) => {
      const stream = await bed.stream("key=a");
      const { shard } = bed.shard.bed;
      for (const step of ["begin", "finish"] as const) await shard.deleteSpace("test", step);
      await bed.pass(1_000);
      expect(stream.items.at(-1)).toMatchObject({ kind: "end", code: "space_not_found" });
    }));

  it("a shard that takes no more, can't be reached or says nothing is a problem, in the time that the caller gives, and leaves nothing behind", () =>
    withBed(async (bed) => {
      const asked = () => bed.send("watch?key=a", { headers: { "Warp-Timeout-Ms": "2000" } });
      const ways: [code: string, way: typeof bed.onWire][] = [
        [
          "overloaded",
          (wire) => Object.assign(wire, { refusesWith: { code: 4100, reason: "overloaded: full" } }),
        ],
        ["unavailable", (wire) => Object.assign(wire, { refusesWith: { code: 1006, reason: "" } })],
        ["deadline_exceeded", (wire) => Object.assign(wire, { delayMs: 60_000 })],
      ];
      for (const [code, way] of ways) {
        bed.onWire = way;
        const begunAtMs = bed.shard.clock.now();
        const problem = await problemOf(await asked());
        expect(problem).toMatchObject({ code, outcome: "fail", retryable: true });
        expect(bed.shard.clock.now() - begunAtMs).toBeLessThanOrEqual(2_400);
        await bed.pass(120_000, 60_000);
        expect(bed.sockets, code).toBe(0);
        expect(bed.wires.at(-1)?.attempts, code).toBe(1);
      }
    }));

  it("OU1 a shard that refuses for good is a problem of certain outcome: a watch changes nothing", () =>
    withBed(async (bed) => {
      for (const [code, name] of [
        [4003, "token_expired"],
        [4010, "space_not_found"],
      ] as const) {
        bed.onWire = (wire) => Object.assign(wire, { refusesWith: { code, reason: `${name}: it is over` } });
        for (const path of ["watch?key=a", "changes?key=a"]) {
          expect(await problemOf(await bed.send(path))).toMatchObject({ code: name, outcome: "fail" });
        }
        expect(bed.sockets).toBe(0);
      }
    }));

  it("HEAD opens nothing", () =>
    withBed(async (bed) => {
      const response = await bed.send("watch?key=a", { method: "HEAD" });
      expect([response.status, response.headers.get("Content-Type")]).toEqual([200, "text/event-stream"]);
      expect(bed.wires).toEqual([]);
    }));
});
