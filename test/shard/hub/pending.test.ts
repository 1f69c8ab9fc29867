import { describe, expect, test } from "vitest";
import { host } from "#host";
import { WarpError } from "../../../src/errors.ts";
import type { Caller } from "../../../src/protocol/wire/caller.ts";
import { helloTimeoutMs, maxPendingSessions } from "../../../src/runtime/limits.ts";
import { Hub } from "../../../src/shard/hub/hub.ts";
import { HubBed } from "../../support/hub-bed.ts";

const pending: Partial<Caller> = {
  isPending: true,
  subject: "",
  follows: false,
  invalidates: false,
  locks: false,
};
const hello = { t: "hello", v: 1, node: "a-browser", follow: false } as const;

/** A hub that takes the token `good`, after `delayMs`. */
async function withBed(work: (bed: HubBed) => Promise<void>, delayMs = 0): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new HubBed(sql);
    await bed.bed.create();
    bed.hub = new Hub({
      ...bed.hubOptions(),
      authenticate: async (token, { isPending: _, ...caller }) => {
        if (delayMs > 0) await new Promise<void>((resolve) => bed.clock.after(delayMs, resolve));
        if (token === "good")
          return { ...caller, subject: "web", prefixes: ["my/"], expiresAtMs: 1_790_000_100_000 };
        throw new WarpError(token === "old" ? "token_expired" : "token_invalid", "no such token");
      },
    });
    await work(bed);
  });
}

describe("WA9 a socket that was opened without a token", () => {
  test("is its bearer's from its first frame on", () =>
    withBed(async (bed) => {
      const socket = bed.open(pending);
      await bed.say(socket, { t: "auth", id: 7, token: "good" });
      await bed.say(socket, hello);
      expect(socket.frames).toMatchObject([
        { t: "ok", id: 7, r: { expiresAtMs: 1_790_000_100_000 } },
        { t: "welcome", subject: "web", shards: 1, expiresAtMs: 1_790_000_100_000 },
      ]);
      await bed.say(socket, { t: "call", id: 8, m: "read", a: [{ ...bed.bed.scope(), keys: ["yours"] }] });
      expect(socket.of("err")).toMatchObject([{ id: 8, e: { code: "forbidden" } }]);
    }));

  test("brings newer tokens one after the other: the last one counts, and what is said after it", () =>
    withBed(async (bed) => {
      bed.hub = new Hub({
        ...bed.hubOptions(),
        authenticate: async (token, { isPending: _, ...caller }) => {
          await new Promise<void>((resolve) => bed.clock.after(token === "wide" ? 100 : 10, resolve));
          if (token === "bad") throw new WarpError("token_invalid", "no such token");
          return { ...caller, subject: "web", prefixes: token === "wide" ? ["my/", "our/"] : ["my/"] };
        },
      });
      const socket = bed.open(pending);
      void bed.say(socket, { t: "auth", id: 1, token: "narrow" });
      void bed.say(socket, hello);
      await bed.clock.advance(200);
      void bed.say(socket, { t: "auth", id: 2, token: "wide" });
      void bed.say(socket, { t: "auth", id: 3, token: "narrow" });
      void bed.say(socket, { t: "auth", id: 4, token: "bad" });
      void bed.say(socket, { t: "sub", id: 5, prefix: "our/", mode: "all", from: "now" });
      await bed.clock.advance(200);
      expect(socket.frames.map((frame) => ("id" in frame ? [frame.t, frame.id] : frame.t))).toEqual([
        ["ok", 1],
        "welcome",
        ["ok", 2],
        ["ok", 3],
        ["err", 4],
        ["end", 5],
      ]);
    }));

  test("may say all at once: what follows waits for its token, and for its welcome", () =>
    withBed(async (bed) => {
      const socket = bed.open(pending);
      void bed.say(socket, { t: "auth", id: 1, token: "good" });
      void bed.say(socket, hello);
      void bed.say(socket, { t: "sub", id: 2, key: "my/a", mode: "all", from: "now" });
      await bed.say(socket, { t: "call", id: 3, m: "getSpace", a: ["test"] });
      expect(socket.frames).toEqual([]);
      await bed.clock.advance(200);
      expect(socket.frames.map(({ t }) => t)).toEqual(["ok", "welcome", "on", "ok"]);
    }, 100));

  test.each([
    ["hello", JSON.stringify(hello), "token_missing"],
    ["a call", '{"t":"call","id":1,"m":"getSpace","a":["test"]}', "token_missing"],
    ["a token that is not good", '{"t":"auth","id":1,"token":"bad"}', "token_invalid"],
    ["a token that has ended", '{"t":"auth","id":1,"token":"old"}', "token_expired"],
  ])("ends with 4003 when it says %s, and nothing is told", (_what, frame, code) =>
    withBed(async (bed) => {
      const socket = bed.open(pending);
      await bed.say(socket, frame);
      expect(socket.closedWith).toMatchObject({ code: 4003, reason: expect.stringContaining(code) });
      expect(socket.frames).toEqual([]);
    }),
  );

  test("ends with 4003 when it says nothing in time, with 4004 when it has a token and does not say hello", () =>
    withBed(async (bed) => {
      const silent = bed.open(pending);
      const shy = bed.open(pending);
      await bed.say(shy, { t: "auth", id: 1, token: "good" });
      await bed.clock.advance(helloTimeoutMs - 1);
      expect([silent.closedWith, shy.closedWith]).toEqual([undefined, undefined]);
      await bed.clock.advance(1);
      expect([silent.closedWith?.code, shy.closedWith?.code]).toEqual([4003, 4004]);
      expect(silent.closedWith?.reason).toContain("token_missing");
    }));

  test("still waits for its token when the instance is another one", () =>
    withBed(async (bed) => {
      const socket = bed.open(pending);
      await bed.clock.advance(5_000);
      bed.restart();
      await bed.say(socket, hello);
      expect(socket.closedWith).toMatchObject({ code: 4003 });
    }));

  test("takes no room from others: the 65th is closed, and room is there again when tokens have come", () =>
    withBed(async (bed) => {
      const sockets = Array.from({ length: maxPendingSessions }, () => bed.open(pending));
      expect(bed.open(pending).closedWith).toMatchObject({ code: 4100 });
      expect(bed.open().closedWith).toBeUndefined();
      for (const socket of sockets.slice(0, 2)) await bed.say(socket, { t: "auth", id: 1, token: "good" });
      expect([bed.open(pending), bed.open(pending)].map(({ closedWith }) => closedWith)).toEqual([
        undefined,
        undefined,
      ]);
      expect(bed.open(pending).closedWith).toMatchObject({ code: 4100 });
    }));
});
