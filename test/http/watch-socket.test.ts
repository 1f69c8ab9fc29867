import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { HttpConfig } from "../../src/http/config.ts";
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

describe("GET /v1/{space}/watch as a WebSocket", () => {
  it("WB-09 WA3 published text arrives; the first message is the position, and each has its cursor", () =>
    withBed(async (bed) => {
      const caller = await bed.socket("key=room");
      await bed.put("room", "one\ntwo");
      await bed.send("publish/room?retained=true", { method: "POST", body: "hello" });
      await bed.pass(20);
      expect(caller.items).toEqual([
        { kind: "position", cursor: expect.stringMatching(/^[0-9a-f]{16}\.0$/) },
        {
          ...{ kind: "set", key: "room", version: 1, revision: 1, shard: 0 },
          ...{ cursor: expect.stringMatching(/\.1$/), contentType: "text/plain", text: "one\ntwo" },
        },
        {
          ...{ kind: "publish", key: "room", version: 0, revision: 2, shard: 0 },
          ...{
            cursor: expect.stringMatching(/\.2$/),
            contentType: "text/plain;charset=UTF-8",
            text: "hello",
          },
        },
      ]);
      const { cursor } = caller.items[1] ?? {};
      const next = await bed.socket(`key=room&from=${cursor}`);
      await bed.pass(20);
      expect(next.told).toEqual(["position", "publish room=hello"]);
    }));

  it("WB-09 its end at either end removes the watcher, and so does that of the host", () =>
    withBed(
      async (bed) => {
        const gone = await bed.socket("key=a");
        expect(bed.shard.sockets).toBe(1);
        gone.leave();
        await bed.pass(20);
        expect(bed.sockets).toBe(0);
        const rotated = await bed.socket("key=a");
        await bed.pass(60_000);
        expect(rotated.told.at(-1)).toBe("rotate");
        expect(rotated.closedWith?.code).toBe(4200);
        expect(bed.sockets).toBe(0);
        const closed = await bed.socket("key=a");
        bed.door?.close();
        await bed.settle();
        expect(closed.closedWith?.code).toBe(4200);
        await bed.pass(20);
        expect(bed.sockets).toBe(0);
      },
      { rotateMs: 60_000 },
    ));

  it("echoes its subprotocol where it is offered, and takes the token from another item", () =>
    withBed(async (bed) => {
      expect((await bed.socket("key=a")).protocol).toBeUndefined();
      const offer = { "Sec-WebSocket-Protocol": "warp.auth.x, warp.watch.json" };
      expect((await bed.socket("key=a", offer)).protocol).toBe("warp.watch.json");
    }));

  it.each(["warp.auth.x", "mqtt", "warp.v1.json, warp.auth.x"])(
    "refuses one that offers others only, since browsers would drop it without a word: %s",
    (offer) =>
      withBed(async (bed) => {
        const headers = { Upgrade: "websocket", "Sec-WebSocket-Protocol": offer };
        const response = await bed.send("watch?key=a", { headers });
        expect([response.status, await response.json()]).toMatchObject([400, { code: "protocol_mismatch" }]);
        expect(bed.sockets).toBe(0);
      }),
  );

  it.each(['{"t":"hello"}', "", '{"kind":"mark","n":1}', '{"kind":"mark"}', new Uint8Array(1)])(
    "takes no messages but marks that were sent: %j",
    (message) =>
      withBed(async (bed) => {
        const caller = await bed.socket("key=a");
        caller.say(message);
        expect(caller.closedWith).toMatchObject({ code: 4000 });
        await bed.pass(20);
        expect(bed.sockets).toBe(0);
      }),
  );

  it("a silent one is told its position every 15 s", () =>
    withBed(async (bed) => {
      const caller = await bed.socket("key=a");
      await bed.pass(31_000, 1_000);
      expect(caller.told).toEqual(["position", "position", "position"]);
      expect(new Set(caller.messages).size).toBe(1);
    }));

  it("WA7 one that takes nothing in is sent no more, told so and closed; read again in time, it is told all", () =>
    withBed(async (bed) => {
      const slow = await bed.socket("prefix=&ops=set");
      const back = await bed.socket("prefix=&ops=set");
      slow.reads = false;
      back.reads = false;
      const value = "x".repeat(16_000);
      await bed.putAll(
        Array.from({ length: 60 }, (_, i) => `k${i}`),
        () => value,
      );
      await bed.pass(5_000, 1_000);
      const sent = slow.messages.join("").length;
      expect(sent).toBeGreaterThan(262_144);
      expect(sent).toBeLessThan(300_000);
      // One mark says that all before it has come, too.
      back.reads = true;
      back.say(back.marks.at(-1) ?? "");
      await bed.pass(7_000, 1_000);
      expect(slow.closedWith).toMatchObject({ code: 4101 });
      expect(back.closedWith).toBeUndefined();
      expect(back.told).toHaveLength(61);
      expect(bed.shard.sockets).toBe(1);
    }));

  it("ends with its space by the code that says so", () =>
    withBed(async (bed) => {
      const caller = await bed.socket("key=a");
      const { shard } = bed.shard.bed;
      for (const step of ["begin", "finish"] as const) await shard.deleteSpace("test", step);
      await bed.pass(1_000);
      expect(caller.items.at(-1)).toMatchObject({ kind: "end", code: "space_not_found" });
      expect(caller.closedWith?.code).toBe(4010);
    }));
});
