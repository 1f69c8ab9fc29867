import { describe, expect, test } from "vitest";
import { host } from "#host";
import { parseSessionBounds } from "../../../src/protocol/config.ts";
import type { Caller } from "../../../src/protocol/wire/caller.ts";
import { Hub } from "../../../src/shard/hub/hub.ts";
import { WatchBed } from "../../support/watch-bed.ts";

const bounds = { socketsPerSubject: 3, watchesPerSubject: 4, messagesPerSecond: 10 };
const browser: Partial<Caller> = { follows: false };

/** A hub with tight bounds; each life of it has them. */
async function withBed(work: (bed: WatchBed, restart: () => void) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new WatchBed(sql);
    await bed.bed.create();
    const bind = () => {
      bed.hub = new Hub({
        ...bed.hubOptions(),
        bounds,
        authenticate: async (token, { isPending: _, ...caller }) => ({ ...caller, subject: token }),
      });
    };
    bind();
    await work(bed, () => {
      bed.restart();
      bind();
    });
  });
}

describe("SE3 sockets of one subject", () => {
  test("are bounded in one object, those of others are not touched, and room comes back", () =>
    withBed(async (bed, restart) => {
      const mine = [bed.open(browser), bed.open(browser), bed.open(browser)];
      restart();
      const fourth = bed.open(browser);
      expect(fourth.closedWith).toMatchObject({ code: 4100, reason: expect.stringContaining("subject") });
      expect(bed.open({ ...browser, subject: "another" }).closedWith).toBeUndefined();
      const [first] = mine;
      if (first !== undefined) {
        first.closedWith = { code: 1000, reason: "" };
        bed.hub.closed(first);
      }
      expect(bed.open(browser).closedWith).toBeUndefined();
    }));

  test("of nodes and of administrators are not bounded", () =>
    withBed(async (bed) => {
      for (const caller of [{}, { ...browser, isAdmin: true }]) {
        const sockets = Array.from({ length: 5 }, () => bed.open(caller));
        expect(sockets.filter(({ closedWith }) => closedWith !== undefined)).toEqual([]);
      }
      expect(bed.open(browser).closedWith).toBeUndefined();
    }));

  test("are counted when the token comes, where it comes in a frame", () =>
    withBed(async (bed) => {
      const pending = { ...browser, isPending: true as const, subject: "" };
      const sockets = Array.from({ length: 5 }, () => bed.open(pending));
      for (const socket of sockets) await bed.say(socket, { t: "auth", id: 1, token: "web" });
      expect(sockets.map(({ closedWith }) => closedWith?.code)).toEqual([
        undefined,
        undefined,
        undefined,
        4100,
        4100,
      ]);
    }));
});

describe("SE3 watches of one subject", () => {
  test("are bounded over all its sessions; one that ends, however, makes room", () =>
    withBed(async (bed, restart) => {
      const [one, two] = [await bed.watcher(browser), await bed.watcher(browser)];
      const other = await bed.watcher({ ...browser, subject: "another" });
      for (const id of [1, 2, 3]) await bed.watch(one, id, { target: { key: `a${id}` } });
      await bed.watch(two, 1, { target: { prefix: "b" } });
      expect((await bed.watch(two, 2, { target: { key: "c" } })).ended).toBe("overloaded");
      expect((await bed.watch(other, 1, { target: { key: "c" } })).ended).toBeUndefined();
      await bed.say(one.socket, { t: "unsub", id: 1 });
      expect((await bed.watch(two, 3, { target: { key: "c" } })).ended).toBeUndefined();
      expect((await bed.watch(two, 4, { target: { key: "d" } })).ended).toBe("overloaded");
      restart();
      expect((await bed.watch(two, 5, { target: { key: "d" } })).ended).toBe("overloaded");
      one.socket.closedWith = { code: 1006, reason: "" };
      bed.hub.closed(one.socket);
      expect((await bed.watch(two, 6, { target: { key: "d" } })).ended).toBeUndefined();
      expect((await bed.watch(two, 7, { target: { key: "e" } })).ended).toBeUndefined();
      expect((await bed.watch(two, 8, { target: { key: "f" } })).ended).toBe("overloaded");
    }));

  test("of nodes are not bounded, nor those of administrators", () =>
    withBed(async (bed) => {
      for (const caller of [{}, { ...browser, isAdmin: true }]) {
        const who = await bed.watcher(caller);
        for (const id of [1, 2, 3, 4, 5, 6]) {
          expect((await bed.watch(who, id, { target: { key: "a" } })).ended).toBeUndefined();
        }
      }
    }));
});

describe("SE3 messages of one session", () => {
  const call = (id: number) => ({ t: "call", id, m: "getSpace", a: ["test"] }) as const;

  test("may come in a burst; then its calls are overloaded, and it is told when they are not any more", () =>
    withBed(async (bed) => {
      const { socket } = await bed.watcher(browser);
      // The hello was one.
      for (let id = 1; id < 50; id++) await bed.say(socket, call(id));
      expect(socket.of("ok")).toHaveLength(49);
      await bed.say(socket, call(50));
      expect(socket.of("err")).toMatchObject([
        { id: 50, e: { code: "overloaded", retryAfterMs: 100, outcome: "fail" } },
      ]);
      await bed.clock.advance(200);
      await bed.say(socket, call(51));
      expect(socket.of("ok").map(({ id }) => id)).toContain(51);
      await bed.clock.advance(10_000);
      for (let id = 60; id < 110; id++) await bed.say(socket, call(id));
      expect(socket.of("err")).toHaveLength(1);
      expect(socket.closedWith).toBeUndefined();
    }));

  test("that are twice too many end it, whatever they are", () =>
    withBed(async (bed) => {
      const { socket } = await bed.watcher(browser);
      for (let n = 1; n < 100; n++) await bed.say(socket, { t: "unsub", id: n });
      expect(socket.closedWith).toBeUndefined();
      await bed.say(socket, { t: "unsub", id: 1 });
      expect(socket.closedWith).toMatchObject({ code: 4100, reason: expect.stringContaining("overloaded") });
    }));

  test("that answer marks are not counted: who takes in much is not closed for it", () =>
    withBed(async (bed) => {
      const who = await bed.watcher(browser);
      await bed.watch(who, 1, { target: { prefix: "" } });
      for (let at = 0; at < 130; at++) await bed.publish({ key: "a" }, "x".repeat(60_000), false);
      // As many answers that nobody has asked for are counted.
      for (let n = 0; n < 60; n++) await bed.say(who.socket, { t: "seen", n: 1 });
      expect(who.socket.of("mark").length).toBeGreaterThan(120);
      expect(who.socket.closedWith).toBeUndefined();
      for (let n = 0; n < 60; n++) await bed.say(who.socket, { t: "seen", n: 1 });
      expect(who.socket.closedWith).toMatchObject({ code: 4100 });
    }));

  test("of a node, or an administrator, are not bounded", () =>
    withBed(async (bed) => {
      for (const caller of [{}, { ...browser, isAdmin: true }]) {
        const { socket } = await bed.watcher(caller);
        for (let id = 1; id < 200; id++) await bed.say(socket, call(id));
        expect(socket.of("ok")).toHaveLength(199);
      }
    }));
});

describe("SE3 the variables", () => {
  test("have their ranges, and say so", () => {
    expect(parseSessionBounds({})).toEqual({
      socketsPerSubject: 1_000,
      watchesPerSubject: 20_000,
      messagesPerSecond: 200,
    });
    expect(parseSessionBounds({ WARP_MAX_MESSAGES_PER_SECOND: "7" }).messagesPerSecond).toBe(7);
    for (const name of [
      "WARP_MAX_SOCKETS_PER_SUBJECT",
      "WARP_MAX_WATCHES_PER_SUBJECT",
      "WARP_MAX_MESSAGES_PER_SECOND",
    ]) {
      for (const text of ["0", "-1", "x", "1.5", "999999999"]) {
        expect(() => parseSessionBounds({ [name]: text })).toThrow(name);
      }
    }
  });
});
