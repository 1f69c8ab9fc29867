import { describe, expect, it } from "vitest";
import type { SocketConnectionOptions } from "../../src/connection/socket/options.ts";
import { socketConnection } from "../../src/connection/socket/socket-connection.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import { closeCodes } from "../../src/protocol/wire/frames.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { SocketEvents } from "../../src/runtime/socket.ts";
import { failure } from "../contract/adapter-bed.ts";
import { seeded } from "../support/seeded.ts";
import { epoch, type FakeHub } from "./fake-hub.ts";
import { Heard, socketBed, stateOf } from "./socket-bed.ts";

const space = {
  space: { name: "test", id: "life-1", shards: 1, strict: false, createdAtMs: 0 },
  registrations: 0,
};
const stamp = { epoch, asOf: 7, registrations: 0 };

/** A hub whose shard knows the space and reads nothing. */
function knowsSpace(hub: FakeHub): void {
  hub.answer = (call) => {
    if (call.m === "getSpace") return space;
    if (call.m === "read") return { ...stamp, entries: [null] };
    return undefined;
  };
}

describe("socket connection: sessions", () => {
  it("opens a socket at the first call, one for each shard, and greets with name and zone", async () => {
    const { clock, hub, wire, ask } = socketBed({ zone: "eu-1", token: "secret" });
    expect(wire.attempts).toBe(0);
    const both = Promise.all([ask(0), ask(3), ask(0)]);
    await clock.advance(20);
    expect(await both).toEqual(Array(3).fill({ method: "getSpace" }));
    expect(hub.sessions.map(({ end }) => end.url)).toEqual([
      "ws://warp.test/v1/test/connect?shard=0",
      "ws://warp.test/v1/test/connect?shard=3",
    ]);
    expect(hub.last.end.protocols).toEqual(["warp.v1.json", "warp.auth.secret"]);
    expect(hub.last.hello).toEqual({
      t: "hello",
      v: 1,
      node: "node-under-test",
      zone: "eu-1",
      follow: true,
    });
  });

  it("asks a token function anew for each socket; without a token there is no attempt", async () => {
    let tokens = 0;
    const { clock, hub, wire, ask } = socketBed({
      token: async () => {
        if (++tokens === 1) throw new Error("no token today");
        return `t${tokens}`;
      },
    });
    const first = ask();
    expect(await failure(first)).toMatchObject({ code: "unavailable", outcome: "fail" });
    expect(wire.attempts).toBe(0);
    await clock.advance(200);
    expect(hub.last.end.protocols).toEqual(["warp.v1.json", "warp.auth.t2"]);
  });

  it.each<[string, Partial<SocketConnectionOptions>]>([
    ["url", { url: "ftp://warp.test" }],
    ["url", { url: "http://warp.test/?x=1" }],
    ["node", { node: "short" }],
    ["zone", { zone: "" }],
    ["backoff", { backoff: { baseMs: 10, capMs: 5 } }],
    ["connectTimeoutMs", { connectTimeoutMs: 0 }],
    ["unusedMs", { unusedMs: 10 }],
  ])("OU4 %s out of its range is refused by name", async (field, options) => {
    expect(() => socketBed(options)).toThrowError(
      expect.objectContaining({ code: "invalid_argument", details: { field } }),
    );
  });

  it("keeps the path of a proxy and the scheme's security", async () => {
    const { clock, hub, ask } = socketBed({ url: "https://x.test/warp/" });
    const call = ask();
    await clock.advance(20);
    await call;
    expect(hub.last.end.url).toBe("wss://x.test/warp/v1/test/connect?shard=0");
  });

  it("gives up a socket that is not welcomed in time, and says that nothing was sent", async () => {
    const { clock, hub, ask } = socketBed({ connectTimeoutMs: 500 });
    hub.greets = false;
    const call = failure(ask());
    await clock.advance(500);
    expect(await call).toMatchObject({ code: "unavailable", outcome: "fail", retryable: true });
    expect(hub.sessions[0]?.of("call")).toEqual([]);
  });

  it("closes the socket of a shard that is not used, and opens it again without a cursor", async () => {
    const { clock, hub, wire, connection, ask } = socketBed({ unusedMs: 5_000 });
    const heard = new Heard();
    connection.pushes?.listen(heard);
    void ask();
    await clock.advance(6_100);
    expect(wire.lines).toBe(0);
    expect(hub.last.of("bye")).toHaveLength(1);
    expect(hub.last.closed).toEqual({ code: 1000 });
    expect(heard.all).toEqual(["lost 0"]);
    await clock.advance(60_000);
    expect(hub.sessions).toHaveLength(1);
    const again = ask();
    await clock.advance(20);
    await again;
    expect(hub.last.hello.cursor).toBeUndefined();
  });

  it("CO10 close says bye, ends every socket and timer, and fails what waits", async () => {
    const { clock, hub, wire, connection, ask } = socketBed();
    hub.answer = () => undefined;
    const underWay = failure(ask(0));
    await clock.advance(20);
    const waiting = failure(ask(1));
    await connection.close();
    await connection.close();
    expect(await underWay).toMatchObject({ code: "unavailable", outcome: "unknown" });
    expect(await waiting).toMatchObject({ code: "warp_closed", outcome: "fail" });
    expect(await failure(ask(0))).toMatchObject({ code: "warp_closed" });
    expect(await failure(ask(2))).toMatchObject({ code: "warp_closed" });
    await clock.advance(5);
    expect(hub.sessions[0]?.of("bye")).toHaveLength(1);
    expect([wire.lines, clock.timers]).toEqual([0, 0]);
  });

  it("CO10 close ends the wait for the next attempt, and for the moment at which a shard is left", async () => {
    const { clock, hub, wire, connection, ask } = socketBed();
    const first = Promise.all([ask(0), ask(1)]);
    await clock.advance(20);
    await first;
    hub.last.send({ t: "go", withinMs: 60_000 });
    hub.sessions[0]?.end.close(4100, "");
    wire.refusesWith = { code: 1006, reason: "" };
    await clock.advance(5);
    expect(clock.timers).toBeGreaterThan(1);
    await connection.close();
    await clock.advance(5);
    expect(clock.timers).toBe(0);
    expect(wire.lines).toBe(0);
  });

  it("a shard that wants to be left is left within the time, calls under way get their answers", async () => {
    const { clock, hub, connection, ask } = socketBed();
    const heard = new Heard();
    connection.pushes?.listen(heard);
    const first = ask();
    await clock.advance(20);
    await first;
    const answers: (() => void)[] = [];
    hub.answer = (call, session) => {
      answers.push(() => session.send({ t: "ok", id: call.id, r: { method: "late" } }));
      return undefined;
    };
    const underWay = ask();
    await clock.advance(10);
    hub.last.send({ t: "go", withinMs: 200 });
    await clock.advance(220);
    expect(hub.sessions).toHaveLength(2);
    for (const answer of answers) answer();
    await clock.advance(1_100);
    expect(await underWay).toEqual({ method: "late" });
    expect(hub.sessions[0]?.of("bye")).toHaveLength(1);
    expect(hub.sessions[1]?.closed).toBeUndefined();
    expect(heard.all).toEqual(["lost 0"]);
    await connection.close();
    expect(clock.timers).toBeLessThanOrEqual(2);
  });
});

describe("socket connection: ends", () => {
  it("OU1 a mutation whose socket is lost is unknown, one that never left is a definite fail", async () => {
    const { clock, hub, wire, client } = socketBed();
    knowsSpace(hub);
    const set = () =>
      client.mutate([
        {
          kind: "set",
          opId: scopeOpId("test", uuidv7(clock, seeded(1))),
          key: "a",
          payload: { bytes: utf8("x"), contentType: "text/plain" },
        },
      ]);
    const sent = failure(set());
    await clock.advance(20);
    expect(hub.last.of("call").map(({ m }) => m)).toEqual(["getSpace", "mutate"]);
    wire.cut();
    expect(await sent).toMatchObject({ code: "unavailable", outcome: "unknown", retryable: true });
    wire.refusesWith = { code: 1006, reason: "" };
    const unsent = failure(set());
    await clock.advance(200);
    expect(await unsent).toMatchObject({ code: "unavailable", outcome: "fail" });
  });

  it("OU1 a mutation whose caller gives up before there is a socket is a definite fail and is never sent", async () => {
    const { clock, hub, client, ask } = socketBed();
    knowsSpace(hub);
    const met = client.space();
    await clock.advance(20);
    await met;
    hub.last.end.close(4200, "");
    hub.greets = false;
    await clock.advance(10);
    const opId = scopeOpId("test", uuidv7(clock, seeded(1)));
    const call = failure(client.mutate([{ kind: "delete", opId, key: "a" }], { timeoutMs: 100 }));
    await clock.advance(100);
    expect(await call).toMatchObject({ code: "deadline_exceeded", outcome: "fail" });
    hub.greets = true;
    await clock.advance(20_000);
    void ask();
    await clock.advance(50);
    expect(hub.sessions.flatMap((session) => session.of("call")).map(({ m }) => m)).not.toContain("mutate");
  });

  it("a read whose socket is lost is asked once more on the next one", async () => {
    const { clock, hub, wire, client } = socketBed();
    knowsSpace(hub);
    const met = client.space();
    await clock.advance(20);
    await met;
    const answer = hub.answer;
    hub.answer = () => undefined;
    const read = client.read(["a"]);
    await clock.advance(10);
    hub.answer = answer;
    wire.cut();
    await clock.advance(200);
    expect(await read).toMatchObject([{ answer: undefined, asOf: { revision: 7 } }]);
    expect(hub.sessions.map((session) => session.of("call").map(({ m }) => m))).toEqual([
      ["getSpace", "read"],
      ["read"],
    ]);
  });

  it("a shard that is gone makes the node look at the space anew: it may have fewer shards now", async () => {
    const { clock, hub, client } = socketBed();
    let shards = 2;
    hub.answer = (call, session) => {
      if (call.m === "getSpace") return { ...space, space: { ...space.space, id: `life-${shards}`, shards } };
      const { spaceId } = call.a[0] as { spaceId: string };
      if (spaceId !== `life-${shards}`) throw new Error("asked for an old space");
      return session.end.url.endsWith("shard=0") ? { ...stamp, entries: [null] } : undefined;
    };
    const key = Array.from({ length: 9 }, (_, i) => `k${i}`).find((each) => shardOf(each, 2) === 1) ?? "";
    const read = client.read([key]);
    await clock.advance(20);
    shards = 1;
    hub.greets = false;
    for (const session of hub.sessions) session.end.close(closeCodes.spaceGone, "space_not_found: deleted");
    expect(await stateOf(clock, read)).toBe("pending");
    await clock.advance(5);
    expect(await failure(read)).toMatchObject({ code: "space_not_found", outcome: "fail" });
    const again = client.read([key]);
    await clock.advance(5);
    hub.last.end.close(closeCodes.spaceGone, "space_not_found: no such shard");
    hub.greets = true;
    await clock.advance(20);
    expect(await again).toMatchObject([{ answer: undefined, asOf: { shard: 0 } }]);
    expect(client.life).toBe(1);
  });

  it("late words of a socket that was given up are ignored", async () => {
    const bed = socketBed();
    const nears: SocketEvents[] = [];
    const connection = socketConnection({
      url: "http://warp.test",
      space: "test",
      node: "node-under-test",
      sockets: {
        open(url, protocols, near) {
          nears.push(near);
          return bed.wire.open(url, protocols, near);
        },
      },
      timers: bed.clock,
      clock: bed.clock,
      random: seeded(1),
    });
    const heard = new Heard();
    connection.pushes?.listen(heard);
    bed.hub.answer = () => undefined;
    const lost = failure(connection.ready?.(0).then(() => connection.shard(0).getSpace("test")) ?? bed.ask());
    await bed.clock.advance(20);
    // Two invalidations are missing: it gives the socket up.
    bed.hub.last.send({ t: "inv", n: 3, epoch, at: 1, keys: ["a"] });
    await bed.clock.advance(200);
    expect(await lost).toMatchObject({ code: "unavailable", outcome: "unknown" });
    expect(heard.all).toEqual(["lost 0"]);
    const sent = bed.hub.last.frames.length;
    for (const late of [
      { t: "ev", epoch, after: 0, to: 1, es: [[1, "set", "a"]] },
      { t: "inv", n: 1, epoch, at: 1, keys: ["a"] },
      { t: "ok", id: 1, r: {} },
      { t: "go", withinMs: 0 },
    ]) {
      nears[0]?.message(JSON.stringify(late));
    }
    nears[0]?.closed(4003, "");
    await bed.clock.advance(10);
    expect(heard.all).toEqual(["lost 0"]);
    expect([nears.length, bed.hub.last.frames.length]).toEqual([2, sent]);
    await connection.ready?.(0);
  });

  it("a socket without a sign of life is given up after two beats", async () => {
    const { clock, hub, wire, connection, ask } = socketBed();
    const heard = new Heard();
    connection.pushes?.listen(heard);
    const first = ask();
    await clock.advance(20);
    await first;
    await clock.advance(10_000);
    expect(hub.sessions).toHaveLength(1);
    wire.silence();
    await clock.advance(1_900);
    expect(heard.all).toEqual([]);
    await clock.advance(1_100);
    expect(heard.all).toEqual(["lost 0"]);
    await clock.advance(200);
    expect(hub.sessions).toHaveLength(2);
  });

  it.each([
    ["malformed JSON", "{"],
    ["bytes", new Uint8Array([1, 2])],
    ["a welcome without its members", '{"t":"welcome"}'],
    ["an invalidation out of turn", `{"t":"inv","n":2,"epoch":"${epoch}","at":1}`],
  ])("%s from the shard ends the session, and the node connects again", async (_, data) => {
    const { clock, hub, ask } = socketBed();
    const first = ask();
    await clock.advance(20);
    await first;
    hub.last.end.send(data);
    await clock.advance(200);
    expect(hub.sessions).toHaveLength(2);
    expect(hub.sessions[0]?.closed).toEqual({ code: closeCodes.invalidFrame });
  });

  it("frames of a kind that it does not know are left alone", async () => {
    const { clock, hub, ask } = socketBed();
    const first = ask();
    await clock.advance(20);
    await first;
    hub.last.end.send('{"t":"weather","is":"fine"}');
    await clock.advance(200);
    expect(await stateOf(clock, ask())).toBe("pending");
    expect(hub.sessions).toHaveLength(1);
  });

  it("SE3 a call larger than a frame is refused before it is sent", async () => {
    const { clock, hub, connection, ask } = socketBed();
    hub.maxFrameBytes = 1_000;
    const first = ask();
    await clock.advance(20);
    await first;
    const large = connection.shard(0).getSpace("é".repeat(500));
    expect(await failure(large)).toMatchObject({ code: "frame_too_large", outcome: "fail" });
    expect(hub.last.of("call")).toHaveLength(1);
  });

  it("a listener that throws costs the session, so that nothing is missed unseen", async () => {
    const { clock, hub, connection, ask } = socketBed();
    const heard = new Heard();
    heard.changes = () => {
      throw new Error("a bug");
    };
    connection.pushes?.listen(heard);
    const first = ask();
    await clock.advance(20);
    await first;
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(200);
    expect(heard.all).toEqual(["lost 0"]);
    expect(hub.sessions).toHaveLength(2);
  });
});
