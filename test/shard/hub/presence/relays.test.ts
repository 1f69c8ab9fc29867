import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { TestSocket } from "../../../support/hub-bed.ts";
import { PresenceWorld } from "../../../support/presence-world.ts";
import { seeded } from "../../../support/seeded.ts";

/** A shard, object 0, and two relays. */
async function withWorld(work: (world: PresenceWorld) => Promise<void>, seed = 1): Promise<void> {
  await host.withSql(async (sql) => {
    const world = new PresenceWorld(sql, 2, seed);
    await world.create();
    await work(world);
    expect(world.reported).toEqual([]);
  });
}

/** Who is there by what a socket has been told. */
function there(socket: TestSocket): unknown[] {
  const members = new Map<string, unknown>();
  for (const { all, es } of socket.of("pres")) {
    if (all) members.clear();
    for (const [member, data] of es) {
      if (data === null) members.delete(member);
      else members.set(member, data);
    }
  }
  return [...members.values()].sort();
}

describe("WA11 who is there, over a shard and its relays", () => {
  test("all are told of all, wherever they are, and of who leaves", () =>
    withWorld(async (world) => {
      const sockets = [await world.join(0, "shard"), await world.join(1, "one"), await world.join(2, "two")];
      await world.clock.advance(100);
      for (const socket of sockets) expect(there(socket)).toEqual(["one", "shard", "two"]);
      const [atShard, atOne, atTwo] = sockets as [TestSocket, TestSocket, TestSocket];
      await world.show(1, atOne, "one again");
      world.cut(2, atTwo);
      await world.clock.advance(100);
      for (const socket of [atShard, atOne]) expect(there(socket)).toEqual(["one again", "shard"]);
      world.cut(0, atShard);
      await world.clock.advance(100);
      expect(there(atOne)).toEqual(["one again"]);
      const late = await world.join(2);
      await world.clock.advance(100);
      expect(there(late)).toEqual(["one again"]);
    }));

  test("WA8 instances that wake ask each other; a shard that nobody asks tells its relays nothing", () =>
    withWorld(async (world) => {
      const [atOne, atTwo] = [await world.join(1, "one"), await world.join(2, "two")];
      await world.clock.advance(100);
      world.restart(0);
      const late = await world.join(0, "late");
      await world.clock.advance(100);
      for (const socket of [late, atOne, atTwo]) expect(there(socket)).toEqual(["late", "one", "two"]);
      world.restart(1);
      await world.show(2, atTwo, "two again");
      await world.show(1, atOne, "one again");
      await world.clock.advance(100);
      for (const socket of [late, atOne, atTwo]) {
        expect(there(socket)).toEqual(["late", "one again", "two again"]);
      }
      const fresh = await world.join(1);
      await world.clock.advance(100);
      expect(there(fresh)).toEqual(["late", "one again", "two again"]);
    }));

  test("WA8 the last session of a relay leaves while all sleep, and all are told", () =>
    withWorld(async (world) => {
      const [atShard, atOne, atTwo] = [
        await world.join(0, "shard"),
        await world.join(1, "one"),
        await world.join(2, "two"),
      ];
      await world.clock.advance(20_000);
      for (const at of [0, 1, 2]) expect(world.restart(at)).toBe(true);
      world.cut(2, atTwo);
      await world.clock.advance(100);
      for (const socket of [atShard, atOne]) expect(there(socket)).toEqual(["one", "shard"]);
    }));

  test("more than one call carries is told in pieces", () =>
    withWorld(async (world) => {
      const sockets: TestSocket[] = [];
      for (let n = 0; n < 130; n++) {
        const socket = await world.join(1);
        for (let id = 2; id <= 6; id++) {
          await world.say(1, socket, { t: "sub", id, key: `k${id}`, mode: "all", from: "now" });
          await world.say(1, socket, { t: "here", id, data: n });
        }
        sockets.push(socket);
      }
      await world.clock.advance(1_000);
      const looker = await world.join(2);
      await world.say(2, looker, {
        t: "sub",
        id: 2,
        key: "k6",
        mode: "all",
        from: "now",
        presence: true,
      });
      await world.clock.advance(1_000);
      expect(new Set(looker.of("pres").flatMap(({ es }) => es.map(([member]) => member))).size).toBe(130);
      for (const socket of sockets) world.cut(1, socket);
      await world.clock.advance(2_000);
      expect(there(looker)).toEqual([]);
    }));

  test("100 seeds of comings, goings, lost calls and new instances of all objects: in the end all know who is there", async () => {
    let restarts = 0;
    for (let seed = 1; seed <= 100; seed++) {
      await withWorld(async (world) => {
        const random = seeded(seed);
        world.lost = random.below(30);
        const open: { readonly at: number; readonly socket: TestSocket; shown: unknown }[] = [];
        for (let step = 0; step < 40; step++) {
          const dice = random.below(16);
          const one = open.length === 0 ? undefined : random.pick(open);
          if (one === undefined || dice < 4) {
            const at = random.below(3);
            const shown = random.below(3) === 0 ? null : `${step}`;
            open.push({ at, socket: await world.join(at, shown), shown });
          } else if (dice < 9) {
            one.shown = random.below(4) === 0 ? null : `${step}`;
            await world.show(one.at, one.socket, one.shown);
          } else if (dice < 11) {
            world.cut(one.at, one.socket);
            open.splice(open.indexOf(one), 1);
          } else if (dice < 13) {
            // Objects sleep after ten idle seconds.
            await world.clock.advance(12_000);
            if (world.restart(random.below(3))) restarts++;
          } else await world.clock.advance(random.below(300));
        }
        world.lost = 0;
        await world.clock.advance(120_000);
        await world.write();
        for (const at of [0, 1, 2])
          open.push({ at, socket: await world.join(at, `last ${at}`), shown: `last ${at}` });
        await world.clock.advance(120_000);
        const wanted = open.flatMap(({ shown }) => (shown === null ? [] : [shown])).sort();
        for (const { at, socket } of open) {
          if (socket.closedWith === undefined)
            expect(there(socket), `seed ${seed}, at ${at}`).toEqual(wanted);
        }
      }, seed);
    }
    expect(restarts).toBeGreaterThan(100);
  });
});
