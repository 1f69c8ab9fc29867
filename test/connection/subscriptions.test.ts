import { describe, expect, it } from "vitest";
import { subscribed } from "../../src/connection/socket/subscriptions.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { closeCodes, type WireChange } from "../../src/protocol/wire/frames.ts";
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
  const errors: unknown[] = [];
  let held = 0;
  const state = { breaks: false };
  const connection = subscribed(space.connection(), {
    node: "isolate-under-test",
    sockets: (shard) => ({
      open(_, protocols, near) {
        if (state.breaks) throw new Error("no request runs now");
        return wire.open(`shard ${shard}`, protocols, near);
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
  return { clock, hub, wire, space, errors, state, connection, heard, stop, use, held: () => held };
}

describe("subscriptions of an isolate", () => {
  it("SB-07 begins with the first use of a shard and lasts 25 s; a later use goes on where it ended", async () => {
    const { clock, hub, heard, use, held } = bed();
    await use();
    expect([hub.sessions.length, held()]).toEqual([1, 1]);
    expect(hub.last.hello).toMatchObject({ node: "isolate-under-test" });
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(19_000);
    await use();
    await clock.advance(5_900);
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

  it("SB-08 under use the next one is there before the last one ends, and nothing comes twice or not at all", async () => {
    const { clock, hub, heard, use } = bed();
    for (let revision = 1; revision <= 120; revision++) {
      await use(0, 500);
      for (const session of hub.sessions) {
        if (session.closed !== undefined) continue;
        const from = session.hello.cursor?.revision ?? 0;
        // As the hub does: what is new, and to a new one all since its cursor.
        const after = session.frames.length === 1 ? from : revision - 1;
        session.frames.push({ t: "beat" });
        const all = Array.from({ length: revision - after }, (_, i) => after + i + 1);
        session.ev(after, ...all.map((each): WireChange => [each, "set", `k${each}`]));
      }
      hub.revision = revision;
      await clock.advance(5);
    }
    expect(hub.sessions.length).toBeGreaterThanOrEqual(3);
    const told = heard.pushed.flatMap(({ changes }) => changes.map(({ revision }) => revision));
    expect(told).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
    expect(heard.all).not.toContain("lost 0");
  });

  it("where the next one can't be opened the last one still counts until its end", async () => {
    const { clock, hub, wire, heard, use } = bed();
    await use();
    const first = hub.last;
    await clock.advance(20_000);
    wire.refusesWith = { code: 1006, reason: "" };
    await use();
    first.ev(0, [1, "set", "a"]);
    await clock.advance(5_000);
    expect(heard.all).toEqual(["changes 0-1 1:set:a", "lost 0"]);
  });

  it("requests that find all in L1 keep it going, one shard at a time, as long as they come", async () => {
    const { clock, hub, connection, use, held } = bed();
    connection.renew();
    await clock.advance(20);
    expect(hub.sessions).toHaveLength(0);
    await use(0);
    await use(1);
    for (let i = 0; i < 100; i++) {
      connection.renew();
      await clock.advance(1_000);
    }
    expect(held()).toBe(2);
    expect(hub.sessions.length).toBeLessThanOrEqual(12);
    expect(new Set(hub.sessions.slice(-2).map(({ end }) => end.url)).size).toBe(2);
    await clock.advance(100_000);
    const { length } = hub.sessions;
    connection.renew();
    await clock.advance(20);
    expect(hub.sessions).toHaveLength(length);
  });

  it("SE3 a node subscribes to eight shards at most", async () => {
    const { hub, use } = bed();
    for (let shard = 0; shard < 20; shard++) await use(shard);
    expect(hub.sessions).toHaveLength(8);
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
    expect(space.scopes.at(-1)).toMatchObject({ node: "isolate-under-test" });
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

  it("one whose holder went without a word is followed by the next use after 20 s", async () => {
    const { clock, hub, wire, heard, use } = bed();
    await use();
    hub.last.ev(0, [1, "set", "a"]);
    await clock.advance(5);
    // The request was cut off: no timer of it goes off any more, and nobody tells.
    wire.silence();
    clock.forget();
    await clock.advance(19_000);
    await use();
    expect(hub.sessions).toHaveLength(1);
    await clock.advance(1_000);
    await use();
    expect(hub.sessions).toHaveLength(2);
    expect(hub.last.hello.cursor).toMatchObject({ revision: 1 });
    hub.last.ev(1, [2, "set", "b"]);
    await clock.advance(5);
    expect(heard.all).toEqual(["changes 0-1 1:set:a", "changes 1-2 2:set:b"]);
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
