import { describe, expect, test } from "vitest";
import { host } from "#host";
import type { LockCommand, LockVerdict } from "../../../src/protocol/lock.ts";
import type { Caller } from "../../../src/protocol/wire/caller.ts";
import { HubBed, type TestSocket } from "../../support/hub-bed.ts";
import { fenceOf, wordOf } from "../../support/lock-shard.ts";
import { expectReply } from "../../support/shard-bed.ts";

const ttlMs = 60_000;

function withHub(work: (bed: HubBed) => Promise<void>): Promise<void> {
  return host.withSql(async (sql) => {
    const bed = new HubBed(sql);
    await bed.bed.create();
    await work(bed);
  });
}

const join = (bed: HubBed, caller: Partial<Caller> = {}) => bed.join({}, { locks: true, ...caller });

type Wish = Omit<Extract<LockCommand, { kind: "acquire" }>, "opId" | "as" | "ttlMs" | "kind">;

const acquiring = (bed: HubBed, wish: Wish): LockCommand => ({
  kind: "acquire",
  opId: bed.bed.opId(),
  as: "mutex",
  ttlMs,
  ...wish,
});

let ids = 1_000;

/** Makes a call over a socket; gives the id under which its answer comes. */
async function call(
  bed: HubBed,
  socket: TestSocket,
  m: "lock" | "waitLock",
  request: object,
): Promise<number> {
  const id = ids++;
  await bed.say(socket, { t: "call", id, m, a: [{ ...bed.bed.scope(), ...request }] });
  return id;
}

async function lock(bed: HubBed, socket: TestSocket, command: LockCommand): Promise<LockVerdict> {
  const id = await call(bed, socket, "lock", { commands: [command] });
  const reply = socket.of("ok").find((frame) => frame.id === id)?.r as
    | { verdicts: LockVerdict[] }
    | undefined;
  const verdict = reply?.verdicts[0];
  if (verdict === undefined) throw new Error(`no verdict: ${JSON.stringify(socket.of("err").at(-1))}`);
  return verdict;
}

/** Ends a socket, as its host tells it. */
async function leave(bed: HubBed, socket: TestSocket): Promise<void> {
  socket.close(1000, "");
  bed.hub.closed(socket);
  await bed.clock.settle();
}

const holders = async (bed: HubBed, name: string): Promise<string[]> => {
  const { info } = expectReply(await bed.bed.shard.lockInfo({ ...bed.bed.scope(), name }));
  return info.holders.map(({ owner, offered }) => (offered ? `${owner}?` : owner));
};

describe("LK11 a lock of a session", () => {
  test("ends with its socket where that was asked for, and goes to the next waiter; else it stays until its deadline", () =>
    withHub(async (bed) => {
      const [one, other] = [await join(bed), await join(bed)];
      await lock(bed, one, acquiring(bed, { name: "tied", owner: "a", endsWithSession: true }));
      await lock(bed, one, acquiring(bed, { name: "free", owner: "a" }));
      const place = await lock(bed, other, acquiring(bed, { name: "tied", owner: "b", waitMs: 60_000 }));
      expect(wordOf(place)).toBe("waiting");
      const ticket = "ticket" in place ? place.ticket : "";
      const id = await call(bed, other, "waitLock", { name: "tied", owner: "b", ticket, waitMs: 20_000 });
      expect(other.of("ok").some((frame) => frame.id === id)).toBe(false);
      await leave(bed, one);
      expect(other.of("ok").find((frame) => frame.id === id)?.r).toMatchObject({
        verdict: { state: "offered" },
      });
      expect(await holders(bed, "free")).toEqual(["a"]);
      expect(other.of("lost")).toEqual([]);
    }));

  test("LK9 a waiter whose socket has ended is passed over, though its poll was open, and keeps its place", () =>
    withHub(async (bed) => {
      const [holder, first, second] = [await join(bed), await join(bed), await join(bed)];
      const fence = fenceOf(await lock(bed, holder, acquiring(bed, { name: "n", owner: "h" })));
      const places = [];
      for (const [at, socket] of [first, second].entries()) {
        const owner = `w${at}`;
        const place = await lock(bed, socket, acquiring(bed, { name: "n", owner, waitMs: 60_000 }));
        const ticket = "ticket" in place ? place.ticket : "";
        places.push({ name: "n", owner, ticket, waitMs: 20_000 });
        await call(bed, socket, "waitLock", places[at] ?? {});
      }
      await leave(bed, first);
      await lock(bed, holder, { kind: "release", opId: bed.bed.opId(), name: "n", owner: "h", fence });
      expect(await holders(bed, "n")).toEqual(["w1?"]);
      const again = await join(bed);
      await call(bed, again, "waitLock", { ...places[0], waitMs: 0 });
      expect(again.of("ok").at(-1)?.r).toMatchObject({ verdict: { state: "waiting", position: 1 } });
    }));

  test("stays while its socket does, over a sleep of the shard; what is tied to one that ended meanwhile ends with the first call after it", () =>
    withHub(async (bed) => {
      const [stays, goes] = [await join(bed), await join(bed)];
      await lock(bed, stays, acquiring(bed, { name: "stays", owner: "a", endsWithSession: true }));
      await lock(bed, goes, acquiring(bed, { name: "goes", owner: "b", endsWithSession: true }));
      // Its end was never told to any instance.
      goes.close(1006, "");
      bed.restart();
      expect(await holders(bed, "goes")).toEqual([]);
      expect(await holders(bed, "stays")).toEqual(["a"]);
      await leave(bed, stays);
      expect(await holders(bed, "stays")).toEqual([]);
    }));

  test("ends with its socket also where the instance that gave it is gone and nothing was asked since", () =>
    withHub(async (bed) => {
      const socket = await join(bed);
      await lock(bed, socket, acquiring(bed, { name: "n", owner: "a", endsWithSession: true }));
      bed.restart();
      await leave(bed, socket);
      const rows = bed.bed.sql.all("SELECT reason FROM locks");
      expect(rows.map(({ reason }) => reason)).toEqual(["session"]);
    }));

  test("is not given to a session that has ended before its turn came", () =>
    withHub(async (bed) => {
      const command = acquiring(bed, { name: "n", owner: "a", endsWithSession: true });
      const request = { ...bed.bed.scope(), commands: [command] };
      const reply = expectReply(await bed.bed.shard.lock(request, "no-such-session"));
      expect(reply.verdicts.map(wordOf)).toEqual(["session_ended"]);
      const alone = expectReply(await bed.bed.shard.lock(request));
      expect(alone.verdicts.map(wordOf)).toEqual(["invalid_argument"]);
    }));

  test("nobody's end costs a commit where no locks were asked for", () =>
    withHub(async (bed) => {
      const [one, other] = [await join(bed), await join(bed)];
      await lock(bed, one, acquiring(bed, { name: "n", owner: "a" }));
      const before = bed.bed.shard.figures.commits;
      await leave(bed, other);
      expect(bed.bed.shard.figures.commits).toBe(before);
    }));
});

describe("LK12 a holder is told of the end of its grant", () => {
  test("when it expires or is forced, over the socket that got it, and nobody else is; not of its own release", () =>
    withHub(async (bed) => {
      const [one, other] = [await join(bed), await join(bed, { isAdmin: true })];
      const fences = [];
      for (const name of ["expires", "forced", "released"]) {
        const wish = acquiring(bed, { name, owner: "a" });
        fences.push(fenceOf(await lock(bed, one, wish)));
      }
      const [expires = 0, forced = 0, released = 0] = fences;
      await lock(bed, one, {
        kind: "release",
        opId: bed.bed.opId(),
        name: "released",
        owner: "a",
        fence: released,
      });
      const by = "test";
      expect(
        await lock(bed, other, { kind: "force", opId: bed.bed.opId(), name: "forced", by }),
      ).toMatchObject({
        state: "ended",
        count: 1,
      });
      expect(one.of("lost")).toMatchObject([{ name: "forced", fence: forced, reason: "forced" }]);
      await bed.clock.advance(ttlMs);
      await bed.bed.shard.onAlarm();
      expect(one.of("lost")[1]).toMatchObject({ name: "expires", fence: expires, reason: "expired" });
      expect(one.of("lost")).toHaveLength(2);
      expect(other.of("lost")).toEqual([]);
    }));
});

describe("who may", () => {
  test("locks want the verb lock, op ids of the subject, and force the verb admin under one's own name", () =>
    withHub(async (bed) => {
      const codes = async (caller: Partial<Caller>, command: LockCommand): Promise<string> => {
        const socket = await bed.join({}, caller);
        await call(bed, socket, "lock", { commands: [command] });
        const [err] = socket.of("err");
        return err?.e.code ?? "ok";
      };
      const wish = (): LockCommand => acquiring(bed, { name: "n", owner: "a" });
      const force = (by: string): LockCommand => ({ kind: "force", opId: bed.bed.opId(), name: "n", by });
      expect(await codes({ locks: false }, wish())).toBe("forbidden");
      expect(await codes({ locks: true }, wish())).toBe("ok");
      expect(await codes({ locks: true, subject: "other" }, wish())).toBe("forbidden");
      expect(await codes({ locks: true }, force("test"))).toBe("forbidden");
      expect(await codes({ isAdmin: true }, force("someone"))).toBe("forbidden");
      expect(await codes({ isAdmin: true }, force("test"))).toBe("ok");
      const socket = await bed.join({}, { locks: false });
      await call(bed, socket, "waitLock", { name: "n", owner: "a", ticket: "t", waitMs: 0 });
      expect(socket.of("err")).toMatchObject([{ e: { code: "forbidden" } }]);
    }));
});

describe("SB1 the log's pushes beside locks", () => {
  test("revisions without entries are told with the next entry, without a hole and without a frame of their own", () =>
    withHub(async (bed) => {
      const socket = await join(bed);
      await bed.bed.set("a", "1");
      await bed.clock.advance(20);
      for (let at = 0; at < 20; at++) await lock(bed, socket, acquiring(bed, { name: `n${at}`, owner: "a" }));
      await bed.clock.advance(20);
      expect(socket.of("ev")).toHaveLength(1);
      await bed.bed.set("b", "1");
      await bed.clock.advance(20);
      expect(socket.entries()).toEqual(["1 set a", "22 set b"]);
      expect(socket.of("ev")[1]).toMatchObject({ after: 1, to: 22 });
      expect(socket.of("gap")).toEqual([]);
    }));

  test("a session hears of its position now and then, and is not taken for slow, however many there are", () =>
    withHub(async (bed) => {
      const socket = await join(bed);
      const commands = (round: number) =>
        Array.from({ length: 128 }, (_, at) => acquiring(bed, { name: `n${round}.${at}`, owner: "a" }));
      for (let round = 0; round < 90; round++) {
        await bed.bed.shard.lock({ ...bed.bed.scope(), commands: commands(round) });
        await bed.clock.advance(20);
      }
      expect(socket.of("gap")).toEqual([]);
      expect(socket.of("ev")).toEqual([]);
      const told = socket.of("prog").map(({ to }) => to);
      expect(told.length).toBeGreaterThan(5);
      expect(told.length).toBeLessThan(15);
      await bed.bed.set("k", "1");
      await bed.clock.advance(20);
      expect(socket.of("ev")).toMatchObject([{ after: told.at(-1), to: 90 * 128 + 1 }]);
      // A node that was away: it asks from where it was, and nothing is missing.
      const { epoch } = socket.of("welcome")[0] as { epoch: string };
      const late = await join(bed);
      await bed.say(late, { t: "beat" });
      const reply = expectReply(
        await bed.bed.shard.changes({ ...bed.bed.scope(), epoch, since: 0, limit: 10 }),
      );
      expect(reply.changes.map(({ key }) => key)).toEqual(["k"]);
    }));
});
