import { describe, expect, it } from "vitest";
import { subscribed } from "../../src/connection/socket/subscriptions.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { closeCodes } from "../../src/protocol/wire/frames.ts";
import type { SocketEvents } from "../../src/runtime/socket.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { VirtualWire } from "../support/virtual-wire.ts";
import { FakeHub } from "./fake-hub.ts";
import { FakeSpace } from "./fake-space.ts";
import { Heard } from "./socket-bed.ts";

/** A node whose calls go one way and whose pushes come by subscriptions. */
function bed() {
  const clock = virtualClock();
  const hub = new FakeHub();
  const wire = new VirtualWire(clock, hub.accept);
  const space = new FakeSpace();
  const nears: SocketEvents[] = [];
  const errors: unknown[] = [];
  let held = 0;
  const state = { breaks: false };
  const connection = subscribed(space.connection(), {
    node: "isolate-under-test",
    sockets: () => ({
      open(url, protocols, near) {
        if (state.breaks) throw new Error("no request runs now");
        nears.push(near);
        return wire.open(url, protocols, near);
      },
    }),
    background: {
      run: (work) => {
        held++;
        void work.finally(() => held--);
      },
    },
    clock,
    timers: clock,
    random: seeded(1),
    onError: (error) => errors.push(error),
  });
  const heard = new Heard();
  const stop = connection.pushes?.listen(heard);
  const use = async (shard = 0, ms = 20): Promise<void> => {
    connection.used?.(shard);
    await clock.advance(ms);
  };
  return { clock, hub, wire, space, nears, errors, state, connection, heard, stop, use, held: () => held };
}

describe("subscriptions of an isolate", () => {
  it("SB-07 begins with the first use of a shard, lasts 25 s, and the next use goes on where it ended", async () => {
    const { clock, hub, heard, use, held } = bed();
    await use();
    expect([hub.sessions.length, held()]).toEqual([1, 1]);
    expect(hub.last.hello).toMatchObject({ node: "isolate-under-test" });
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(24_900);
    await use();
    expect([hub.sessions.length, held()]).toEqual([1, 1]);
    await clock.advance(100);
    expect(held()).toBe(0);
    expect(hub.last.of("bye")).toHaveLength(1);
    expect(clock.timers).toBe(0);
    hub.revision = 3;
    await use();
    expect(hub.last.hello.cursor).toMatchObject({ revision: 1 });
    hub.last.ev(1, [2, "set", "b"], [3, "set", "c"]);
    await clock.advance(5);
    expect(heard.all).toEqual(["changes 0-1 1:set:a", "lost 0", "changes 1-3 2:set:b 3:set:c"]);
  });

  it("there is one for each shard that is used, however often", async () => {
    const { hub, use, held } = bed();
    for (let i = 0; i < 10; i++) {
      await use(0, 1);
      await use(2, 1);
    }
    expect([hub.sessions.length, held()]).toEqual([2, 2]);
  });

  it("there is none for whom nobody listens, and none for a space that is not there", async () => {
    const { clock, hub, space, connection, stop, use } = bed();
    const client = new SpaceClient({ connection, timers: clock });
    await expect(client.read(["a"])).rejects.toMatchObject({ code: "space_not_found" });
    await clock.advance(20);
    expect(hub.sessions).toHaveLength(0);
    stop?.();
    await use();
    expect(hub.sessions).toHaveLength(0);
    connection.pushes?.listen(new Heard());
    space.found();
    await client.read(["a"]);
    await clock.advance(20);
    expect(hub.sessions).toHaveLength(1);
  });

  it("it asks for no lease and serves nothing strong", async () => {
    const { clock, hub, connection, use } = bed();
    await use();
    await clock.advance(20_000);
    expect(hub.last.frames.map(({ t }) => t)).toEqual(["hello"]);
    expect(connection.pushes?.servesUntilMs(0, 1)).toBe(Number.NEGATIVE_INFINITY);
  });

  it("it acknowledges strong invalidations, so that it counts for a quorum", async () => {
    const { clock, hub, heard, use } = bed();
    await use();
    hub.last.send({ t: "inv", n: 1, epoch: "00000000000000aa", at: 4, keys: ["a"] });
    await clock.advance(5);
    expect(heard.all).toEqual(["invalidate a@4"]);
    expect(hub.last.of("ack")).toEqual([{ t: "ack", inv: 1 }]);
  });

  it("what breaks is opened again by a later use, ever less often while it keeps breaking", async () => {
    const { clock, hub, wire, errors, use, held } = bed();
    await use();
    wire.refusesWith = { code: 1006, reason: "" };
    wire.cut();
    for (let i = 0; i < 600; i++) await use(0, 100);
    expect(wire.attempts).toBeGreaterThan(4);
    expect(wire.attempts).toBeLessThan(25);
    expect([held(), errors]).toEqual([0, []]);
    wire.refusesWith = undefined;
    for (let i = 0; i < 310; i++) await use(0, 100);
    expect(hub.sessions.length).toBeGreaterThanOrEqual(2);
    await clock.advance(30_000);
    expect(held()).toBe(0);
  });

  it("a refusal is told and not repeated for 30 s", async () => {
    const { hub, wire, errors, use } = bed();
    hub.closesWith = { code: closeCodes.protocolMismatch, reason: "" };
    for (let i = 0; i < 29; i++) await use(0, 1_000);
    expect(wire.attempts).toBe(1);
    expect(errors).toMatchObject([{ code: "protocol_mismatch" }]);
    hub.closesWith = undefined;
    await use(0, 1_500);
    await use();
    expect(hub.sessions).toHaveLength(2);
  });

  it("a use never fails because of it", async () => {
    const { hub, errors, state, use } = bed();
    state.breaks = true;
    await use();
    expect(errors).toMatchObject([{ message: "no request runs now" }]);
    state.breaks = false;
    await use(0, 1_000);
    expect(hub.sessions).toHaveLength(0);
    await use(0, 30_000);
    await use();
    expect(hub.sessions).toHaveLength(1);
  });

  it("one whose holder went without a word is taken for dead, and its late words ignored", async () => {
    const { clock, hub, wire, nears, heard, use } = bed();
    await use();
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(5);
    // The request was cut off: no timer of it goes off any more, and nobody tells.
    wire.silence();
    clock.forget();
    await clock.advance(29_000);
    await use();
    expect(hub.sessions).toHaveLength(1);
    await clock.advance(1_000);
    await use();
    expect(hub.sessions).toHaveLength(2);
    expect(hub.last.hello.cursor).toMatchObject({ revision: 1 });
    nears[0]?.message('{"t":"ev","epoch":"00000000000000aa","after":1,"to":2,"es":[[2,"set","x"]]}');
    nears[0]?.closed(1006, "");
    expect(heard.all).toEqual(["changes 0-1 1:set:a"]);
    await use();
    expect(hub.sessions).toHaveLength(2);
  });

  it("after a minute without use it begins anew, without a replay", async () => {
    const { clock, hub, use } = bed();
    await use();
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(120_000);
    await use();
    expect(hub.last.hello.cursor).toBeUndefined();
  });

  it("CO10 closing hears nothing more and opens nothing more, and touches no socket of another's", async () => {
    const { clock, hub, space, connection, heard, use } = bed();
    await use();
    await connection.close();
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(5);
    await use();
    expect([heard.all, hub.sessions.length, space.closed]).toEqual([[], 1, 1]);
    expect(hub.last.closed).toBeUndefined();
    await clock.advance(25_000);
    expect(clock.timers).toBe(0);
  });
});
