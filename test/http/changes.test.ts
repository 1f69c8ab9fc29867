import { describe, expect, it } from "vitest";
import { host } from "#host";
import { problemOf } from "./bed.ts";
import { HttpWatchBed, textOf } from "./watch-bed.ts";

async function withBed(work: (bed: HttpWatchBed) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = await HttpWatchBed.create(sql);
    await work(bed);
    expect(bed.shard.reported).toEqual([]);
    expect(bed.sockets).toBe(0);
  });
}

describe("GET /v1/{space}/changes", () => {
  it("WA2 tells what has happened since a cursor, once and in order, and where to go on", () =>
    withBed(async (bed) => {
      await bed.put("a", "0");
      const start = await bed.changes("prefix=");
      expect(start).toEqual({ cursor: expect.stringMatching(/^[0-9a-f]{16}\.1$/), events: [] });
      await bed.put("a", "1");
      await bed.put("b", "2");
      await bed.send("keys/a", { method: "DELETE" });
      const next = await bed.changes(`prefix=&since=${start.cursor}`);
      expect(next.events.map(textOf)).toEqual(["set a=1", "set b=2", "delete a"]);
      expect(next.events[1]).toEqual({
        ...{ kind: "set", key: "b", version: 3, revision: 3, shard: 0 },
        ...{ cursor: expect.stringMatching(/\.3$/), contentType: "text/plain", text: "2" },
      });
      expect(next.cursor).toMatch(/\.4$/);
      expect(await bed.changes(`prefix=&since=${next.cursor}`)).toEqual({ cursor: next.cursor, events: [] });
      // In the middle, too.
      const rest = await bed.changes(`prefix=&since=${next.events[1]?.cursor}`);
      expect(rest.events.map(textOf)).toEqual(["delete a"]);
    }));

  it("waits for the first event, and gives an empty list at the end of its time", () =>
    withBed(async (bed) => {
      const { cursor } = await bed.changes("key=a");
      let answer: Awaited<ReturnType<typeof bed.changes>> | undefined;
      const asked = bed.send(`changes?key=a&since=${cursor}&waitMs=20000`).then(async (response) => {
        answer = (await response.json()) as typeof answer;
      });
      await bed.pass(10_000);
      expect(answer).toBeUndefined();
      await bed.put("a", "1");
      await asked;
      expect(answer?.events.map(textOf)).toEqual(["set a=1"]);
      const begun = bed.shard.clock.now();
      const empty = await bed.changes(`key=a&since=${answer?.cursor}&waitMs=2000`);
      expect(empty).toEqual({ cursor: answer?.cursor, events: [] });
      expect(bed.shard.clock.now() - begun).toBeGreaterThanOrEqual(2_000);
    }));

  it("its cursor moves on where nothing concerned it, so that it never falls out of the log", () =>
    withBed(async (bed) => {
      const { cursor } = await bed.changes("key=quiet");
      for (let i = 0; i < 5; i++) await bed.put("loud", String(i));
      const next = await bed.changes(`key=quiet&since=${cursor}`);
      expect(next.events).toEqual([]);
      expect(next.cursor).toMatch(/\.5$/);
    }));

  it("`limit` cuts, but not between changes of one revision; going on loses nothing", () =>
    withBed(async (bed) => {
      let { cursor } = await bed.changes("prefix=");
      await bed.put("a", "1");
      const success = ["x", "y", "z"].map((key) => ({ op: "set", key, text: "t" }));
      const txn = await bed.send("txn", {
        method: "POST",
        body: JSON.stringify({ success }),
        headers: { "Content-Type": "application/json" },
      });
      expect(txn.status).toBe(200);
      await bed.put("b", "2");
      const told: string[][] = [];
      for (;;) {
        const { events, cursor: next } = await bed.changes(`prefix=&since=${cursor}&limit=2`);
        if (events.length === 0) break;
        told.push(events.map(textOf));
        cursor = next;
      }
      expect(told).toEqual([["set a=1", "set x=t", "set y=t", "set z=t"], ["set b=2"]]);
    }));

  it("an answer is bounded in bytes, too", () =>
    withBed(async (bed) => {
      const { cursor } = await bed.changes("prefix=");
      const value = "x".repeat(16_000);
      const keys = Array.from({ length: 300 }, (_, i) => `k${i}`);
      await bed.putAll(keys, () => value);
      const first = await bed.changes(`prefix=&since=${cursor}&limit=1000`);
      expect(first.events.length).toBeGreaterThan(200);
      expect(first.events.length).toBeLessThan(300);
      const rest = await bed.changes(`prefix=&since=${first.cursor}&limit=1000`);
      expect([...first.events, ...rest.events].map(({ key }) => key)).toEqual(keys);
    }));

  it("WA5 `latest` tells of each key the newest, `keys` no values, `ops` chooses", () =>
    withBed(async (bed) => {
      const { cursor } = await bed.changes("prefix=");
      for (const value of ["1", "2", "3"]) await bed.put("a", value);
      await bed.send("keys/a", { method: "DELETE" });
      const told = async (query: string) =>
        (await bed.changes(`prefix=&since=${cursor}&${query}`)).events.map(textOf);
      expect(await told("mode=latest")).toEqual(["delete a"]);
      expect(await told("mode=latest&ops=set")).toEqual(["set a=3"]);
      expect(await told("mode=keys&ops=delete")).toEqual(["delete a"]);
    }));

  it.each([
    ["nothing", "", "invalid_argument"],
    ["a cursor that is none", "key=a&since=now", "invalid_cursor"],
    ["a wait that is too long", "key=a&waitMs=25001", "invalid_argument"],
    ["no events", "key=a&limit=0", "invalid_limit"],
    ["too many events", "key=a&limit=1001", "invalid_limit"],
  ])("%s is refused", (_what, query, code) =>
    withBed(async (bed) => {
      const response = await bed.send(`changes?${query}`);
      expect((await problemOf(response)).code).toBe(code);
    }),
  );
});

describe("POST /v1/{space}/publish/{key}", () => {
  const watched = async (bed: HttpWatchBed) => {
    const streams = await Promise.all(
      ["key=room:1", "prefix=room:", "prefix=ro", "key=other"].map((one) => bed.stream(one)),
    );
    return {
      told: async () => {
        await bed.pass(20);
        return streams.map(({ told }) => told);
      },
      leave: async () => {
        for (const stream of streams) await stream.leave();
        await bed.pass(20);
      },
    };
  };

  it("WB-02 X-21 a key reaches its watchers and those of its prefixes; a prefix reaches those whom it begins and those who begin it", () =>
    withBed(async (bed) => {
      const all = await watched(bed);
      const one = await bed.send("publish/room:1", { method: "POST", body: "1" });
      expect(await one.json()).toEqual({ opId: one.headers.get("Warp-Op-Id"), revisions: [] });
      expect(await all.told()).toEqual([
        ["publish room:1=1"],
        ["publish room:1=1"],
        ["publish room:1=1"],
        [],
      ]);
      const kept = await bed.send("publish/room:?prefix=true&retained=true", { method: "POST", body: "2" });
      expect(await kept.json()).toMatchObject({ revisions: [expect.stringMatching(/\.1$/)] });
      expect(await all.told()).toEqual([
        ["publish room:1=1", "publishPrefix room:=2"],
        ["publish room:1=1", "publishPrefix room:=2"],
        ["publish room:1=1", "publishPrefix room:=2"],
        [],
      ]);
      await bed.send("publish/?prefix=true", { method: "POST", body: "3" });
      expect((await all.told()).map((told) => told.at(-1))).toEqual(Array(4).fill("publishPrefix =3"));
      await all.leave();
    }));

  it("OU2 a retained one is told once, however often it is sent under one op id", () =>
    withBed(async (bed) => {
      const { cursor } = await bed.changes("prefix=");
      const send = (headers: Record<string, string>, body = "x") =>
        bed.send("publish/k?retained=true", { method: "POST", body, headers });
      const first = await send({});
      const id = { "Warp-Op-Id": first.headers.get("Warp-Op-Id") ?? "" };
      expect(await (await send(id)).json()).toEqual(await first.json());
      expect((await problemOf(await send(id, "y"))).code).toBe("op_id_reused");
      const { events } = await bed.changes(`prefix=&since=${cursor}`);
      expect(events.map(textOf)).toEqual(["publish k=x"]);
    }));

  it.each([
    ["publish/", "x", 400, "invalid_key"],
    [`publish/${"k".repeat(513)}`, "x", 400, "invalid_key"],
    ["publish/k", "x".repeat(65_537), 413, "value_too_large"],
    ["publish/k?retained=yes", "x", 400, "invalid_argument"],
    ["publish/k?prefix=user:", "x", 400, "invalid_argument"],
    ["publish/k?mode=all", "x", 400, "invalid_argument"],
  ])("%s is refused where it is wrong", (path, body, status, code) =>
    withBed(async (bed) => {
      const response = await bed.send(path, { method: "POST", body });
      expect([response.status, (await problemOf(response)).code]).toEqual([status, code]);
    }),
  );

  it("LK14 a fence that it would not look at is refused", () =>
    withBed(async (bed) => {
      const init = { method: "POST", body: "x", headers: { "Warp-Fence": "lock=1" } };
      expect((await problemOf(await bed.send("publish/k", init))).code).toBe("invalid_argument");
    }));
});
