import { describe, expect, test } from "vitest";
import { host } from "#host";
import { closeCodes } from "../../../src/protocol/wire/frames.ts";
import { encodeMsgpack } from "../../../src/protocol/wire/msgpack/encode.ts";
import { Hub } from "../../../src/shard/hub/hub.ts";
import { SharedFrame } from "../../../src/shard/hub/session-codec.ts";
import { HubBed } from "../../support/hub-bed.ts";

async function withBed(work: (bed: HubBed) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new HubBed(sql);
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

describe("a session by MessagePack", () => {
  test("WA8 it speaks it from its welcome on, through a hibernation, and beats as text", () =>
    withBed(async (bed) => {
      const socket = await bed.join({}, { codec: "msgpack" });
      expect(socket.of("welcome")).toHaveLength(1);
      await bed.bed.set("a", "1");
      bed.restart();
      await bed.bed.set("a", "2");
      await bed.clock.advance(20);
      expect(socket.of("ev").at(-1)?.es.at(-1)).toEqual([2, "set", "a"]);
      expect(socket.sent).toEqual([]);
      await bed.say(socket, { t: "beat" });
      expect(socket.sent).toEqual(['{"t":"beat"}']);
    }));

  test("it keeps its codec when another token comes", () =>
    withBed(async (bed) => {
      bed.hub = new Hub({ ...bed.hubOptions(), authenticate: async (_, { codec, ...caller }) => caller });
      const socket = await bed.join({ follow: false }, { codec: "msgpack" });
      await bed.say(socket, { t: "auth", id: 1, token: "t" });
      bed.restart();
      await bed.say(socket, { t: "ping", id: 2 });
      expect(socket.of("pong")).toHaveLength(1);
      expect(socket.sent).toEqual([]);
    }));

  test("what many are sent is packed once for all of them", () =>
    withBed(async (bed) => {
      const sockets = [];
      for (let n = 0; n < 3; n++) {
        const socket = await bed.join({ follow: false }, { codec: "msgpack" });
        await bed.say(socket, { t: "sub", id: 1, prefix: "", mode: "all", from: "now" });
        sockets.push(socket);
      }
      await bed.clock.advance(20);
      await bed.bed.set("a", "1");
      await bed.clock.advance(20);
      const [first, ...others] = sockets.map(({ packed }) => packed.at(-1));
      for (const other of others) expect(other).toBe(first);
      const frame = new SharedFrame('{"t":"beat"}');
      expect(frame.packed).toBe(frame.packed);
    }));

  test.each<[string, "msgpack" | undefined, string | Uint8Array]>([
    ["text", "msgpack", '{"t":"bye"}'],
    ["no MessagePack", "msgpack", Uint8Array.of(0xc1)],
    ["a value that is no frame", "msgpack", encodeMsgpack([1])],
    ["a binary message in a session by JSON", undefined, encodeMsgpack({ t: "bye" })],
  ])("SE4 %s ends it: 4000 invalid_frame", (_what, codec, data) =>
    withBed(async (bed) => {
      const socket = await bed.join({}, codec === undefined ? {} : { codec });
      await bed.say(socket, data);
      expect(socket.closedWith).toMatchObject({ code: closeCodes.invalidFrame });
      expect(socket.closedWith?.reason).toMatch(/^invalid_frame: /);
    }),
  );
});
