import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { Caller } from "../../src/protocol/wire/caller.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { HubBed, type TestSocket } from "../support/hub-bed.ts";

/** A space whose keys are all strong, with some sessions that have a node lease. */
async function withHolders(
  sessions: number,
  work: (bed: HubBed, sockets: readonly TestSocket[]) => Promise<void>,
  settings: object = {},
) {
  await host.withSql(async (sql) => {
    const bed = new HubBed(sql);
    await bed.bed.create();
    await bed.bed.shard.register({
      ...bed.bed.scope(),
      pattern: "*",
      settings: { mode: "strong", cacheTtlMs: 60_000, maxStalenessMs: 5_000, ...settings },
    });
    await bed.bed.set("k", "old", { opId: bed.bed.opId() });
    const caller: Partial<Caller> = { isAdmin: true };
    const sockets: TestSocket[] = [];
    for (let at = 0; at < sessions; at++) sockets.push(await bed.join({}, caller));
    for (const [at, socket] of sockets.entries()) {
      await lease(bed, socket, 100 + at);
      await bed.say(socket, hold(bed, 200 + at));
    }
    await work(bed, sockets);
  });
}

const lease = (bed: HubBed, socket: TestSocket, id: number) =>
  bed.say(socket, { t: "ping", id, lease: true });
const hold = (bed: HubBed, id: number) => ({
  t: "call" as const,
  id,
  m: "read" as const,
  a: [{ ...bed.bed.scope(), keys: ["k"], strong: true, hold: true }],
});
const write = (bed: HubBed, id: number, value: string) => ({
  t: "call" as const,
  id,
  m: "mutate" as const,
  a: [
    {
      ...bed.bed.scope(),
      mutations: [
        {
          kind: "set" as const,
          opId: bed.bed.opId(),
          key: "k",
          payload: { bytes: utf8(value), contentType: "text/plain" },
        },
      ],
    },
  ],
});
const answered = (socket: TestSocket, id: number) => socket.of("ok").find((frame) => frame.id === id);

describe("strong writes over the hub", () => {
  test("ST2 a write waits until every holder has acknowledged the invalidation, and for nobody else", () =>
    withHolders(2, async (bed, [a, b]) => {
      if (a === undefined || b === undefined) throw new Error("two sessions");
      expect(answered(a, 200)).toMatchObject({ r: { held: [0] } });
      const bystander = await bed.join({}, { isAdmin: true });
      await bed.say(bystander, write(bed, 1, "new"));
      await bed.clock.advance(100);
      expect([a, b].map((socket) => socket.of("inv").length)).toEqual([1, 1]);
      expect(bystander.of("inv")).toEqual([]);
      expect(answered(bystander, 1)).toBeUndefined();
      // Who reads meanwhile gets the old value, and may not keep it.
      await bed.say(bystander, hold(bed, 2));
      expect(answered(bystander, 2)).toMatchObject({ r: { entries: [{ payload: { bytes: utf8("old") } }] } });
      expect(answered(bystander, 2)?.r).not.toHaveProperty("held");
      await bed.say(a, { t: "ack", inv: 1 });
      expect(answered(bystander, 1)).toBeUndefined();
      await bed.say(b, { t: "ack", inv: 1 });
      await bed.clock.advance(20);
      expect(answered(bystander, 1)).toMatchObject({ r: { verdicts: [{ outcome: "ok" }] } });
      expect(await bed.bed.text("k")).toBe("new");
    }));

  test("ST3 a holder whose socket is lost costs the rest of its lease, one that says bye nothing", () =>
    withHolders(2, async (bed, [a, b]) => {
      if (a === undefined || b === undefined) throw new Error("two sessions");
      const writer = await bed.join({}, { isAdmin: true });
      await bed.say(b, { t: "bye" });
      await bed.clock.advance(1_000);
      bed.hub.closed(a);
      await bed.say(writer, write(bed, 1, "new"));
      await bed.clock.advance(3_000);
      expect(answered(writer, 1)).toBeUndefined();
      await bed.clock.advance(100);
      expect(answered(writer, 1)).toBeDefined();
    }));

  test("ST5 WA8 a session from before a wake-up drops all before it has a lease again, on the same socket", () =>
    withHolders(1, async (bed, [a]) => {
      if (a === undefined) throw new Error("one session");
      await bed.clock.advance(10_000);
      bed.restart();
      await lease(bed, a, 300);
      expect(a.of("pong").at(-1)).not.toHaveProperty("leaseMs");
      expect(a.of("inv")).toMatchObject([{ n: 1, prefixes: [""] }]);
      await lease(bed, a, 301);
      expect(a.of("pong").at(-1)).not.toHaveProperty("leaseMs");
      await bed.say(a, { t: "ack", inv: 1 });
      await lease(bed, a, 302);
      expect(a.of("pong").at(-1)).toMatchObject({ id: 302, leaseMs: 4_000 });
      expect(a.closedWith).toBeUndefined();
    }));

  test("SB5 ST7 a quorum counts nodes that acknowledge, and never the writer's", () =>
    withHolders(
      1,
      async (bed, [a]) => {
        if (a === undefined) throw new Error("one session");
        await bed.say(a, write(bed, 1, "new"));
        await bed.clock.advance(20);
        expect(answered(a, 1)).toMatchObject({
          r: { verdicts: [{ outcome: "fail", error: { code: "quorum_failed" } }] },
        });
        const other = await bed.join({}, { isAdmin: true });
        await bed.say(a, write(bed, 2, "new"));
        await bed.clock.advance(20);
        for (const socket of [a, other]) {
          for (const { n } of socket.of("inv")) await bed.say(socket, { t: "ack", inv: n });
        }
        await bed.clock.advance(20);
        expect(answered(a, 2)).toMatchObject({ r: { verdicts: [{ outcome: "ok" }] } });
      },
      { quorum: 1 },
    ));
});
