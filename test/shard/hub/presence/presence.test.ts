import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { Caller } from "../../../../src/protocol/wire/caller.ts";
import { closeCodes } from "../../../../src/protocol/wire/frames.ts";
import { encodeMsgpack } from "../../../../src/protocol/wire/msgpack/encode.ts";
import { maxNamedMembers, maxShownPerSession } from "../../../../src/runtime/limits.ts";
import { Hub } from "../../../../src/shard/hub/hub.ts";
import { HubBed, type TestSocket } from "../../../support/hub-bed.ts";
import { seeded } from "../../../support/seeded.ts";

/** A hub whose sessions show themselves. */
class PresenceBed extends HubBed {
  /** A session that watches `key` as its subscription 1, and is told who is there. */
  async looker(key = "room", caller: Partial<Caller> = {}): Promise<TestSocket> {
    const socket = await this.join({ follow: false }, caller);
    await this.sub(socket, 1, key);
    return socket;
  }

  async sub(socket: TestSocket, id: number, key: string): Promise<void> {
    await this.say(socket, { t: "sub", id, key, mode: "all", from: "now", presence: true });
  }

  async show(socket: TestSocket, data: unknown, id = 1): Promise<void> {
    await this.say(socket, { t: "here", id, data });
  }

  /** What a session shows at `key`, which it does from its opening on. */
  async shower(data: unknown, key = "room", caller: Partial<Caller> = {}): Promise<TestSocket> {
    const socket = await this.looker(key, caller);
    await this.show(socket, data);
    return socket;
  }

  /** As the host tells of the end of a socket. */
  cut(socket: TestSocket): void {
    socket.closedWith ??= { code: 1006, reason: "" };
    this.hub.closed(socket);
  }
}

/** Who is there at subscription `id` by what a socket has been told, or how many. */
function there(socket: TestSocket, id = 1): unknown {
  const members = new Map<string, unknown>();
  let n: number | undefined;
  for (const frame of socket.of("pres")) {
    if (frame.id !== id) continue;
    if (frame.all) members.clear();
    for (const [member, data] of frame.es) {
      if (data === null) members.delete(member);
      else members.set(member, data);
    }
    n = frame.n;
  }
  return n ?? [...members.values()].map((data) => JSON.stringify(data)).sort();
}

async function withBed(work: (bed: PresenceBed) => Promise<void>, isCreated = true): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new PresenceBed(sql);
    if (isCreated) await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

describe("WA11 who is there", () => {
  test("all are told first, then what changes; members are known by no session's id", () =>
    withBed(async (bed) => {
      const ada = await bed.shower("Ada");
      const looker = await bed.looker();
      expect(looker.of("pres")).toHaveLength(1);
      expect(looker.of("pres")[0]).toMatchObject({ id: 1, all: true, es: [[expect.anything(), "Ada"]] });
      await bed.shower("Grace");
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(['"Ada"', '"Grace"']);
      expect(there(ada)).toEqual(['"Ada"', '"Grace"']);
      const me = ada.of("pres").find((frame) => frame.me !== undefined)?.me;
      expect(ada.of("pres").flatMap(({ es }) => es.map(([member]) => member))).toContain(me);
      const { session } = ada.of("welcome")[0] ?? {};
      expect(JSON.stringify(looker.of("pres"))).not.toContain(session);
    }));

  test("a lost socket, the end of the subscription, `null` and the end of rights are leaves", () =>
    withBed(async (bed) => {
      const authenticate = async (_: string, caller: Caller) => ({ ...caller, prefixes: ["other"] });
      bed.hub = new Hub({ ...bed.hubOptions(), authenticate });
      const [lost, ended, silent, narrowed] = [
        await bed.shower("lost"),
        await bed.shower("ended"),
        await bed.shower("silent"),
        await bed.shower("narrowed", "room", { prefixes: ["room"] }),
      ];
      const looker = await bed.looker();
      expect(there(looker)).toHaveLength(4);
      bed.cut(lost);
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(['"ended"', '"narrowed"', '"silent"']);
      await bed.say(ended, { t: "unsub", id: 1 });
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(['"narrowed"', '"silent"']);
      await bed.show(silent, null);
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(['"narrowed"']);
      await bed.say(narrowed, { t: "auth", id: 9, token: "t" });
      await bed.clock.advance(20);
      expect(narrowed.of("end")).toMatchObject([{ id: 1, e: { code: "forbidden" } }]);
      expect(there(looker)).toEqual([]);
    }));

  test("SE2 a narrow session shows itself, and is told who is there, where it may watch and nowhere else", () =>
    withBed(async (bed) => {
      await bed.shower("secret", "room");
      const narrow = await bed.looker("room", { prefixes: ["my/"] });
      await bed.show(narrow, "intruder");
      const writer = await bed.looker("my/a", { prefixes: ["my/"], reads: false });
      await bed.clock.advance(20);
      expect(narrow.of("end")).toMatchObject([{ e: { code: "forbidden" } }]);
      expect(writer.of("end")).toMatchObject([{ e: { code: "forbidden" } }]);
      expect([...narrow.of("pres"), ...writer.of("pres")]).toEqual([]);
      expect(there(await bed.looker("room"))).toEqual(['"secret"']);
    }));

  test("who does not ask for it is told nothing, and may show itself", () =>
    withBed(async (bed) => {
      const looker = await bed.looker();
      const plain = await bed.join({ follow: false });
      await bed.say(plain, { t: "sub", id: 7, key: "room", mode: "all", from: "now" });
      await bed.show(plain, { x: 1 }, 7);
      await bed.show(plain, { x: 1 }, 8);
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(['{"x":1}']);
      expect(plain.of("pres")).toEqual([]);
      expect(plain.closedWith).toBeUndefined();
    }));

  test("what changes within 16 ms comes together, the newest of each", () =>
    withBed(async (bed) => {
      const [one, looker] = [await bed.shower(0), await bed.looker()];
      await bed.clock.advance(100);
      const before = looker.of("pres").length;
      for (let n = 1; n <= 100; n++) await bed.show(one, n);
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(["100"]);
      expect(looker.of("pres").length - before).toBe(2);
    }));

  test("SE3 beyond 256 only their number is told, once a second; then names again", () =>
    withBed(async (bed) => {
      // Sessions are bounded; each is shown at several subscriptions of the same key.
      const sockets: TestSocket[] = [];
      const looker = await bed.looker();
      const each = 2;
      for (let n = 0; n < (maxNamedMembers + 20) / each; n++) {
        const socket = await bed.join({ follow: false });
        sockets.push(socket);
        for (let id = 1; id <= each; id++) {
          await bed.say(socket, { t: "sub", id, key: "room", mode: "all", from: "now" });
          await bed.show(socket, `${n}.${id}`, id);
        }
        await bed.clock.advance(20);
      }
      await bed.clock.advance(2_000);
      expect(there(looker)).toBe(maxNamedMembers + 20);
      const late = await bed.looker();
      expect(late.of("pres")).toMatchObject([{ all: true, es: [], n: maxNamedMembers + 20 }]);
      const before = looker.of("pres").length;
      for (const socket of sockets.slice(0, 20)) {
        bed.cut(socket);
        await bed.clock.advance(20);
      }
      expect(looker.of("pres").length - before).toBeLessThanOrEqual(2);
      for (const socket of sockets.slice(20, 60)) bed.cut(socket);
      await bed.clock.advance(2_000);
      expect(there(looker)).toHaveLength(maxNamedMembers + 20 - 60 * each);
      expect(there(late)).toEqual(there(looker));
    }));

  test("SE3 a session is shown at 16 targets at most; one more ends its watch with overloaded", () =>
    withBed(async (bed) => {
      const socket = await bed.join({ follow: false });
      for (let id = 1; id <= maxShownPerSession + 1; id++) {
        await bed.sub(socket, id, `k${id}`);
        await bed.show(socket, id, id);
      }
      expect(socket.of("end")).toMatchObject([{ id: maxShownPerSession + 1, e: { code: "overloaded" } }]);
      await bed.show(socket, null, 1);
      await bed.sub(socket, 99, "k99");
      await bed.show(socket, 99, 99);
      expect(socket.of("end")).toHaveLength(1);
    }));

  test.each<[string, unknown]>([
    ["more than 1 KiB", "x".repeat(1_023)],
    ["more than 1 KiB as UTF-8", "é".repeat(512)],
    ["nothing", undefined],
  ])("SE3 %s to be shown is invalid_frame", (_what, data) =>
    withBed(async (bed) => {
      const socket = await bed.looker();
      await bed.show(socket, data);
      expect(socket.closedWith).toMatchObject({ code: closeCodes.invalidFrame });
    }),
  );

  test("bytes are no JSON: a session by MessagePack that shows them is closed", () =>
    withBed(async (bed) => {
      const socket = await bed.looker("room", { codec: "msgpack" });
      await bed.show(socket, { a: [null, 1, "x"] });
      expect(there(socket)).toEqual(['{"a":[null,1,"x"]}']);
      await bed.say(socket, encodeMsgpack({ t: "here", id: 1, data: [new Uint8Array(1)] }));
      expect(socket.closedWith).toMatchObject({ code: closeCodes.invalidFrame });
    }));

  test("WA7 a session that takes in nothing is left out, and is told all once it does", () =>
    withBed(async (bed) => {
      const looker = await bed.looker();
      const one = await bed.shower(0);
      looker.reads = false;
      const large = "x".repeat(900);
      for (let n = 0; n < 600; n++) {
        await bed.show(one, `${n} ${large}`);
        await bed.clock.advance(16);
        if (n === 500) await bed.shower("other");
      }
      const told = looker.of("pres").length;
      expect(told).toBeLessThan(400);
      looker.reads = true;
      looker.catchUp();
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(there(one));
      expect(looker.of("pres").at(-1)).toMatchObject({ all: true });
    }));
});

describe("WA11 presence and the instances of a shard", () => {
  test("WA8 it survives a hibernation, and nobody is told anything by the wake-up", () =>
    withBed(async (bed) => {
      const [ada, looker] = [await bed.shower("Ada"), await bed.looker()];
      await bed.clock.advance(100);
      const before = looker.of("pres").length;
      bed.restart();
      const late = await bed.looker();
      expect(there(late)).toEqual(['"Ada"']);
      expect(looker.of("pres")).toHaveLength(before);
      await bed.show(ada, "Ada L.");
      await bed.clock.advance(20);
      expect(there(looker)).toEqual(['"Ada L."']);
      expect(there(late)).toEqual(['"Ada L."']);
    }));

  test.each([1, 14])(
    "the end of a socket that wakes the shard is a leave, with %i places that it was shown at",
    (places) =>
      withBed(async (bed) => {
        const looker = await bed.looker();
        const gone = await bed.join({ follow: false });
        for (let id = 1; id <= places; id++) {
          await bed.sub(gone, id, id === 1 ? "room" : `k${id}`);
          // So much goes into the database, not into the attachment.
          await bed.show(gone, "x".repeat(1_000), id);
        }
        await bed.clock.advance(20);
        expect(there(looker)).toHaveLength(1);
        const { watch } = gone.attachment as { watch: { isStored?: true } };
        expect(watch.isStored).toBe(places === 1 ? undefined : true);
        bed.restart();
        bed.cut(gone);
        await bed.clock.advance(20);
        expect(there(looker)).toEqual([]);
        expect(bed.bed.sql.all("SELECT session FROM subscriptions")).toEqual([]);
      }),
  );

  test("without a database what an attachment has no room for ends the watch with overloaded", () =>
    withBed(async (bed) => {
      const socket = await bed.join({ follow: false });
      for (let id = 1; id <= 10; id++) {
        await bed.sub(socket, id, `k${id}`);
        await bed.show(socket, "x".repeat(1_000), id);
      }
      expect(socket.of("end").length).toBeGreaterThan(0);
      for (const { e } of socket.of("end")) expect(e.code).toBe("overloaded");
      const looker = await bed.looker("k10");
      expect(there(looker)).toEqual([]);
    }, false));

  test("300 seeds of comings, goings, changes, slow readers, lost sockets and new instances: in the end all know who is there", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      await withBed(async (bed) => {
        const random = seeded(seed);
        const open: { readonly socket: TestSocket; shown: unknown }[] = [];
        for (let step = 0; step < 60; step++) {
          const dice = random.below(20);
          const one = open.length === 0 ? undefined : random.pick(open);
          if (one === undefined || dice < 4) {
            const codec = random.below(2) === 0 ? {} : { codec: "msgpack" as const };
            open.push({ socket: await bed.looker("room", codec), shown: null });
          } else if (dice < 12) {
            one.shown = random.below(4) === 0 ? null : `${step} ${"x".repeat(random.below(900))}`;
            await bed.show(one.socket, one.shown);
          } else if (dice < 14) {
            bed.cut(one.socket);
            open.splice(open.indexOf(one), 1);
          } else if (dice < 15) {
            // An instance ends when nothing is about to be told, but perhaps to somebody who is slow.
            await bed.clock.advance(20);
            bed.restart();
            if (random.below(2) === 0) {
              bed.cut(one.socket);
              open.splice(open.indexOf(one), 1);
            }
          } else if (dice < 17) {
            one.socket.reads = !one.socket.reads;
            if (one.socket.reads) one.socket.catchUp();
          } else await bed.clock.advance(random.below(30));
          if (random.below(3) === 0) await bed.clock.advance(20);
        }
        await bed.clock.advance(20);
        for (const { socket } of open) {
          socket.reads = true;
          socket.catchUp();
        }
        await bed.clock.advance(20);
        const wanted = open.flatMap(({ shown }) => (shown === null ? [] : [JSON.stringify(shown)])).sort();
        for (const { socket } of open) {
          if (socket.closedWith === undefined) expect(there(socket), `seed ${seed}`).toEqual(wanted);
        }
      });
    }
  });
});
