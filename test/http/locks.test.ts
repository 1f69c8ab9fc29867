import { describe, expect, it } from "vitest";
import { hmacKey, signToken } from "../../src/auth/token.ts";
import { WarpError } from "../../src/errors.ts";
import { fakeBed, problemOf, secret } from "./bed.ts";
import { held } from "./fake-coordination.ts";
import { lockBed } from "./lock-bed.ts";

async function token(claims: { prefixes?: string[]; verbs: string[] }): Promise<string> {
  const exp = 1_800_003_600;
  const all = { sub: "web", spaces: ["*"], prefixes: [""], exp, iat: 1_800_000_000, jti: "j", ...claims };
  return await signToken(all as Parameters<typeof signToken>[0], await hmacKey(secret));
}

const ada = { owner: "ada", ttlMs: 30_000 };
const grace = { owner: "grace", ttlMs: 30_000 };

describe("acquire and release", () => {
  it("LK-01 LK1 LK2 a lock is granted, refused to a second, granted again after its release with a higher fence", async () => {
    const { done, refused } = lockBed();
    const first = await done("POST", "locks/nightly", ada);
    expect(first).toMatchObject({
      status: 201,
      name: "nightly",
      owner: "ada",
      ttlMs: 30_000,
      remainingMs: 30_000,
      count: 1,
      replayed: false,
    });
    expect(await refused("POST", "locks/nightly", grace)).toMatchObject({
      status: 409,
      code: "lock_held",
      outcome: "fail",
      details: { fence: first.fence, waiters: 0 },
    });
    expect(await done("DELETE", `locks/nightly?owner=ada&fence=${first.fence}`)).toEqual({
      status: 200,
      name: "nightly",
      released: true,
      count: 0,
    });
    const second = await done("POST", "locks/nightly", grace);
    expect(second.fence).toBeGreaterThan(Number(first.fence));
  });

  it("LK-04 LK6 LK5 it is free when its time is over, not before, and a late renewal is told how it ended", async () => {
    const { done, refused, advance } = lockBed();
    const { fence } = await done("POST", "locks/a", { owner: "ada", ttlMs: 1_000 });
    await advance(999);
    expect((await refused("POST", "locks/a", grace)).code).toBe("lock_held");
    await advance(1);
    const next = await done("POST", "locks/a", grace);
    expect(await refused("PATCH", "locks/a", { owner: "ada", fence })).toMatchObject({
      code: "lock_lost",
      outcome: "fail",
      details: { reason: "expired", fence: next.fence },
    });
  });

  it("LK4 LK-05 with another's owner or fence nothing is renewed, released or confirmed", async () => {
    const { done, refused } = lockBed();
    const { fence } = await done("POST", "locks/a", ada);
    for (const [owner, wrong] of [
      ["grace", fence],
      ["ada", Number(fence) + 1],
    ]) {
      expect((await refused("PATCH", "locks/a", { owner, fence: wrong })).code).toBe("not_owner");
      expect((await refused("DELETE", `locks/a?owner=${owner}&fence=${wrong}`)).code).toBe("not_owner");
      expect((await refused("GET", `locks/a?owner=${owner}&fence=${wrong}`)).code).toBe("not_owner");
    }
    expect(await done("GET", `locks/a?owner=ada&fence=${fence}`)).toMatchObject({ fence, owner: "ada" });
    await done("DELETE", `locks/a?owner=ada&fence=${fence}`);
    expect(await refused("DELETE", `locks/a?owner=ada&fence=${fence}`)).toMatchObject({
      code: "lock_lost",
      details: { reason: "released", fence: 0 },
    });
  });

  it("a renewal counts from its commit on, with another time to live if it names one", async () => {
    const { done, advance } = lockBed();
    const { fence } = await done("POST", "locks/a", ada);
    await advance(20_000);
    expect(await done("PATCH", "locks/a", { owner: "ada", fence })).toMatchObject({ remainingMs: 30_000 });
    expect(await done("PATCH", "locks/a", { owner: "ada", fence, ttlMs: 60_000 })).toMatchObject({
      ttlMs: 60_000,
      remainingMs: 60_000,
    });
  });

  it("OU2 a repeated op id gives the first answer, also to a caller that named no owner", async () => {
    const { send, done, refused, newOpId } = lockBed();
    const opId = newOpId();
    const first = await done("POST", "locks/a", { ttlMs: 1_000 }, { "Warp-Op-Id": opId });
    expect(first).toMatchObject({ opId, owner: opId, replayed: false });
    const again = await send("POST", "locks/a", { ttlMs: 1_000 }, { "Warp-Op-Id": opId });
    expect([again.status, again.headers.get("Warp-Replayed")]).toEqual([201, "true"]);
    expect(await again.json()).toMatchObject({ fence: first.fence, owner: opId, replayed: true });
    const other = await refused("POST", "locks/a", { ttlMs: 2_000 }, { "Warp-Op-Id": opId });
    expect(other.code).toBe("op_id_reused");
    const another = await done("POST", "locks/b");
    expect(another.owner).toBe(another.opId);
  });

  it("OU2 LK5 a repeated op id is no success once its grant has ended: 2xx means that the lock is held now", async () => {
    const { done, refused, advance, newOpId } = lockBed();
    const headers = { "Warp-Op-Id": newOpId() };
    const { fence } = await done("POST", "locks/a", { owner: "ada", ttlMs: 1_000 }, headers);
    const renewal = { "Warp-Op-Id": newOpId() };
    await done("PATCH", "locks/a", { owner: "ada", fence }, renewal);
    await advance(600);
    expect(await done("POST", "locks/a", { owner: "ada", ttlMs: 1_000 }, headers)).toMatchObject({
      fence,
      remainingMs: 400,
      replayed: true,
    });
    await advance(400);
    for (const again of [
      await refused("POST", "locks/a", { owner: "ada", ttlMs: 1_000 }, headers),
      await refused("PATCH", "locks/a", { owner: "ada", fence }, renewal),
    ]) {
      expect(again).toMatchObject({ code: "lock_lost", details: { reason: "expired" } });
    }
  });

  it("LK13 kinds: re-entrant counts, semaphores and readers share, other kinds are refused", async () => {
    const { done, refused } = lockBed();
    const own = { owner: "ada", kind: "reentrant" };
    const first = await done("POST", "locks/r", own);
    expect(await done("POST", "locks/r", own)).toMatchObject({ fence: first.fence, count: 2 });
    const release = `locks/r?owner=ada&fence=${first.fence}`;
    expect(await done("DELETE", release)).toMatchObject({ released: false, count: 1 });
    expect(await done("DELETE", release)).toMatchObject({ released: true, count: 0 });

    const semaphore = { kind: "semaphore", permits: 3 };
    await done("POST", "locks/s", { owner: "a", ...semaphore, take: 2 });
    expect((await refused("POST", "locks/s", { owner: "b", ...semaphore, take: 2 })).code).toBe("lock_held");
    await done("POST", "locks/s", { owner: "c", ...semaphore });
    expect(await done("GET", "locks/s")).toMatchObject({ permits: 3, holders: [{ take: 2 }, { take: 1 }] });
    expect((await refused("POST", "locks/s", { owner: "d", kind: "semaphore", permits: 4 })).code).toBe(
      "wrong_kind",
    );

    await done("POST", "locks/rw", { owner: "a", kind: "read" });
    await done("POST", "locks/rw", { owner: "b", kind: "read" });
    expect((await refused("POST", "locks/rw", { owner: "c", kind: "write" })).code).toBe("lock_held");
    expect((await refused("POST", "locks/rw", { owner: "c" })).code).toBe("wrong_kind");
    expect((await refused("POST", "elections/rw", { owner: "c" })).code).toBe("wrong_kind");
  });

  it("names are any UTF-8, slashes as they are, and decoded once", async () => {
    const { done } = lockBed();
    for (const name of ["jobs/nightly run", "ä/%2F", "a?b#c"]) {
      const path = `locks/${encodeURIComponent(name)}`;
      const { fence } = await done("POST", path, ada);
      expect(await done("GET", path)).toMatchObject({ name, holders: [{ fence }] });
    }
    expect(await done("GET", "locks/jobs/nightly%20run")).toMatchObject({ name: "jobs/nightly run" });
  });

  it("a value can be read by others, a name nobody uses has nobody", async () => {
    const { done } = lockBed();
    await done("POST", "locks/a", { ...ada, json: { host: "h1" } });
    expect(await done("GET", "locks/a")).toEqual({
      status: 200,
      name: "a",
      waiters: 0,
      holders: [
        expect.objectContaining({ owner: "ada", contentType: "application/json", json: { host: "h1" } }),
      ],
    });
    expect(await done("GET", "locks/nobody")).toEqual({
      status: 200,
      name: "nobody",
      holders: [],
      waiters: 0,
    });
  });

  it("lists names in use in pages", async () => {
    const { done } = lockBed();
    for (const name of ["b", "a", "c", "x"]) await done("POST", `locks/${name}`, ada);
    const page = await done("GET", "locks?limit=3");
    expect((page.items as { name: string }[]).map(({ name }) => name)).toEqual(["a", "b", "c"]);
    const rest = await done("GET", `locks?limit=3&cursor=${page.cursor}`);
    expect((rest.items as { name: string }[]).map(({ name }) => name)).toEqual(["x"]);
    expect(rest.cursor).toBeUndefined();
    expect((await done("GET", "locks?prefix=x")).items).toHaveLength(1);
  });
});

describe("waiting", () => {
  it("LK8 X-14 a call waits at most 25 s, never answers a success without the lock, and the ticket keeps the place", async () => {
    const { done, refused, clock, advance } = lockBed();
    const { fence } = await done("POST", "locks/a", { owner: "ada", ttlMs: 120_000 });
    const begunAt = clock.now();
    const first = refused("POST", "locks/a", { ...grace, waitMs: 60_000 });
    const second = refused("POST", "locks/a", { owner: "edsger", ttlMs: 30_000, waitMs: 60_000 });
    await advance(25_000);
    const waiting = await first;
    expect(waiting).toMatchObject({ status: 409, code: "lock_waiting", details: { position: 1 } });
    expect(await second).toMatchObject({ code: "lock_waiting", details: { position: 2 } });
    expect(clock.now() - begunAt).toBe(25_000);
    const { ticket } = waiting.details as { ticket: string };
    const { ticket: later } = (await second).details as { ticket: string };
    const behind = done("POST", "locks/a", { owner: "edsger", ticket: later });
    const front = done("POST", "locks/a", { owner: "grace", ticket });
    await advance(1_000);
    await done("DELETE", `locks/a?owner=ada&fence=${fence}`);
    const granted = await front;
    expect(granted).toMatchObject({ status: 201, owner: "grace", ttlMs: 30_000, remainingMs: 30_000 });
    await done("DELETE", `locks/a?owner=grace&fence=${granted.fence}`);
    expect(await behind).toMatchObject({ status: 201, owner: "edsger" });
  });

  it("LK-03 the whole wait is over: lock_held, and no place is left behind", async () => {
    const { done, refused, advance } = lockBed();
    await done("POST", "locks/a", { owner: "ada", ttlMs: 120_000 });
    const short = refused("POST", "locks/a", { ...grace, waitMs: 1_000 });
    await advance(1_250);
    expect((await short).code).toBe("lock_held");
    expect(await done("GET", "locks/a")).toMatchObject({ waiters: 0 });
  });

  it("a call that holds on to no part of its wait has its ticket at once", async () => {
    const { done, refused } = lockBed();
    await done("POST", "locks/a", { owner: "ada", ttlMs: 120_000 });
    const waiting = await refused("POST", "locks/a", { ...grace, waitMs: 60_000, holdMs: 0 });
    expect(waiting).toMatchObject({ code: "lock_waiting", details: { position: 1 } });
  });

  it("a call with a deadline of its own answers before that", async () => {
    const { done, refused, advance } = lockBed();
    await done("POST", "locks/a", { owner: "ada", ttlMs: 120_000 });
    const waiting = refused("POST", "locks/a", { ...grace, waitMs: 60_000 }, { "Warp-Timeout-Ms": "3000" });
    await advance(2_000);
    expect((await waiting).code).toBe("lock_waiting");
  });

  it("OU2 an acquire repeated with its op id tells how the place stands now", async () => {
    const { done, refused, newOpId, advance } = lockBed();
    const { fence } = await done("POST", "locks/a", ada);
    const headers = { "Warp-Op-Id": newOpId(), "Warp-Timeout-Ms": "1000" };
    const body = { ...grace, waitMs: 20_000 };
    const lost = refused("POST", "locks/a", body, headers);
    await advance(500);
    const { ticket } = (await lost).details as { ticket: string };
    await done("DELETE", `locks/a?owner=ada&fence=${fence}`);
    const granted = await done("POST", "locks/a", body, headers);
    expect(granted).toMatchObject({ status: 201, owner: "grace" });
    // Claimed by now: also the ticket says so.
    expect(await done("POST", "locks/a", { owner: "grace", ticket })).toMatchObject({ fence: granted.fence });
  });

  it("LK10 a place is left, or given back where it had become a grant", async () => {
    const { done, refused, advance } = lockBed();
    const { fence } = await done("POST", "locks/a", ada);
    const headers = { "Warp-Timeout-Ms": "200" };
    const place = refused("POST", "locks/a", { ...grace, waitMs: 20_000 }, headers);
    await advance(100);
    const { ticket } = (await place).details as { ticket: string };
    expect((await refused("DELETE", `locks/a?owner=ada&ticket=${ticket}`)).code).toBe("not_owner");
    await done("DELETE", `locks/a?owner=ada&fence=${fence}`);
    // It is offered to Grace now, who has gone.
    expect(await done("DELETE", `locks/a?owner=grace&ticket=${ticket}`)).toMatchObject({ cancelled: true });
    expect((await done("POST", "locks/a", ada)).status).toBe(201);
    const gone = await refused("POST", "locks/a", { owner: "grace", ticket: "t-none" });
    expect(gone).toMatchObject({ code: "ticket_not_found", status: 404 });
  });

  it("LK9 what is offered to a caller that has gone is not claimed", async () => {
    const { call, spaces } = fakeBed();
    const locks = spaces.warp("s").locks.driver;
    const gone = new AbortController();
    locks.verdicts.push({ outcome: "ok", state: "waiting", ticket: "t", position: 1 });
    locks.waitVerdicts.push(() => {
      gone.abort();
      return { outcome: "ok", state: "offered", ticket: "t", fence: 9, claimWithinMs: 3_000 };
    });
    const response = await call("POST", "/v1/s/locks/a", {
      body: '{"owner":"me","waitMs":1000}',
      headers: { "Content-Type": "application/json" },
      signal: gone.signal,
    });
    expect((await problemOf(response)).code).toBe("aborted");
    expect(locks.commands.map(({ kind }) => kind)).toEqual(["acquire"]);
  });

  it("LK9 who says that it claims by itself is told of its turn; where it never does the next has the lock", async () => {
    const { done, refused, advance } = lockBed();
    const ada = await done("POST", "locks/a", { owner: "ada" });
    const wish = { waitMs: 60_000, holdMs: 0 };
    const [{ ticket: first }, { ticket: second }] = [
      (await refused("POST", "locks/a", { owner: "grace", ...wish })).details as { ticket: string },
      (await refused("POST", "locks/a", { owner: "linus", ...wish })).details as { ticket: string },
    ];
    const turn = refused("POST", "locks/a", { owner: "grace", ticket: first, waitMs: 20_000, claim: false });
    const next = done("POST", "locks/a", { owner: "linus", ticket: second, waitMs: 20_000 });
    await advance(8_000);
    await done("DELETE", `locks/a?owner=ada&fence=${ada.fence}`);
    const told = await turn;
    expect(told).toMatchObject({ code: "lock_waiting", status: 409 });
    expect(told.details).toMatchObject({ ticket: first, position: 1, offered: true, claimWithinMs: 3_000 });
    // Grace's host is gone. It would be too late now, though its place is kept for a while.
    await advance(3_000);
    expect(await next).toMatchObject({ status: 201, owner: "linus" });
    const late = { owner: "grace", ticket: first, waitMs: 0 };
    const asking = refused("POST", "locks/a", late);
    await advance(1_000);
    expect((await asking).code).toBe("lock_waiting");
  });

  it("an offer that another got meanwhile is waited for again; trouble on the way is no success", async () => {
    const { call, spaces } = fakeBed();
    const locks = spaces.warp("s").locks.driver;
    const send = async () =>
      await call("POST", "/v1/s/locks/a", {
        body: '{"owner":"me","waitMs":1000}',
        headers: { "Content-Type": "application/json" },
      });
    locks.verdicts.push(
      { outcome: "ok", state: "waiting", ticket: "t", position: 2 },
      { outcome: "ok", state: "held", fence: 11, ttlMs: 30_000, remainingMs: 30_000, count: 1 },
    );
    locks.waitVerdicts.push(
      { outcome: "ok", state: "waiting", ticket: "t", position: 1 },
      { outcome: "ok", state: "offered", ticket: "t", fence: 11, claimWithinMs: 3_000 },
    );
    const granted = await send();
    expect([granted.status, ((await granted.json()) as { fence: number }).fence]).toEqual([201, 11]);
    expect(locks.commands.map(({ kind }) => kind)).toEqual(["acquire", "claim"]);
    expect(locks.waits.map(({ options }) => options?.timeoutMs)).toEqual([11_250, 11_250]);
    locks.verdicts.push(new WarpError("unavailable", "no answer", { outcome: "unknown" }));
    expect(await problemOf(await send())).toMatchObject({ code: "unavailable", outcome: "unknown" });
    const passed = new WarpError("lock_lost", "unclaimed").toData();
    locks.verdicts.push(
      { outcome: "ok", state: "waiting", ticket: "t", position: 2 },
      { outcome: "fail", error: passed },
      held(13),
    );
    locks.waitVerdicts.push(
      { outcome: "ok", state: "offered", ticket: "t", fence: 12, claimWithinMs: 3_000 },
      { outcome: "ok", state: "offered", ticket: "t", fence: 13, claimWithinMs: 3_000 },
    );
    expect(((await (await send()).json()) as { fence: number }).fence).toBe(13);
  });
});

describe("administrators", () => {
  it("LK12 force ends what others hold, who did it can be seen, and the holder's next word is lock_lost", async () => {
    const { done, refused } = lockBed();
    const { fence } = await done("POST", "locks/a", ada);
    const bearer = await token({ verbs: ["lock", "read"] });
    expect((await refused("DELETE", "locks/a?force=true", undefined, { bearer })).code).toBe("forbidden");
    expect(await done("DELETE", "locks/a?force=true")).toEqual({ status: 200, name: "a", forced: 1 });
    expect(await done("GET", "locks/a")).toMatchObject({
      holders: [],
      forced: { by: "admin", owner: "ada", fence },
    });
    expect(await refused("PATCH", "locks/a", { owner: "ada", fence })).toMatchObject({
      code: "lock_lost",
      details: { reason: "forced" },
    });
  });

  it("SE2 the verb lock is for names within the prefixes", async () => {
    const { done, refused, send } = lockBed();
    const bearer = await token({ prefixes: ["jobs/"], verbs: ["lock"] });
    expect(await done("POST", "locks/jobs/a", ada, { bearer })).toMatchObject({ status: 201 });
    expect((await refused("POST", "locks/other", ada, { bearer })).code).toBe("forbidden");
    expect((await refused("GET", "locks/jobs/a", undefined, { bearer })).code).toBe("forbidden");
    const reader = await token({ prefixes: ["jobs/"], verbs: ["read"] });
    expect(await done("GET", "locks?prefix=jobs/", undefined, { bearer: reader })).toMatchObject({
      status: 200,
    });
    expect((await refused("GET", "locks", undefined, { bearer: reader })).code).toBe("forbidden");
    expect((await send("POST", "locks/jobs/b", ada, { bearer: reader })).status).toBe(403);
  });
});

describe("bad input gets its code and nothing is changed", () => {
  const long = "x".repeat(513);
  it.each([
    ["POST", "locks/a", { ttlMs: 99 }, "invalid_ttl"],
    ["POST", "locks/a", { ttlMs: 86_400_001 }, "invalid_ttl"],
    ["POST", "locks/a", { ttlMs: "30s" }, "invalid_ttl"],
    ["POST", "locks/", ada, "invalid_lock"],
    ["POST", `locks/${long}`, ada, "invalid_lock"],
    ["POST", `locks/${"%41".repeat(700)}`, ada, "invalid_lock"],
    ["POST", "locks/%FF", ada, "invalid_encoding"],
    ["POST", "locks/a", { owner: "" }, "invalid_lock"],
    ["POST", "locks/a", { owner: "x".repeat(129) }, "invalid_lock"],
    ["POST", "locks/a", { owner: 7 }, "invalid_lock"],
    ["POST", "locks/a", { kind: "semaphore", permits: 0 }, "invalid_argument"],
    ["POST", "locks/a", { kind: "semaphore", permits: 10_001 }, "invalid_argument"],
    ["POST", "locks/a", { kind: "semaphore" }, "invalid_argument"],
    ["POST", "locks/a", { kind: "semaphore", permits: 2, take: 3 }, "invalid_argument"],
    ["POST", "locks/a", { permits: 2 }, "invalid_argument"],
    ["POST", "locks/a", { kind: "election" }, "invalid_argument"],
    ["POST", "locks/a", { waitMs: 3_600_001 }, "invalid_argument"],
    ["POST", "locks/a", { delayMs: 60_001 }, "invalid_argument"],
    ["POST", "locks/a", { waitMs: 1_000, holdMs: 25_001 }, "invalid_argument"],
    ["POST", "locks/a", { ticket: "t", owner: "ada", holdMs: 0 }, "invalid_argument"],
    ["POST", "locks/a", { ticket: "t", owner: "ada", claim: "no" }, "invalid_argument"],
    ["POST", "locks/a", { owner: "ada", claim: false }, "invalid_argument"],
    ["POST", "locks/a", { text: "x".repeat(16_385) }, "value_too_large"],
    ["POST", "locks/a", { text: "x", json: 1 }, "invalid_argument"],
    ["POST", "locks/a", { whatever: 1 }, "invalid_argument"],
    ["POST", "locks/a", { ticket: "t", owner: "ada", ttlMs: 1_000 }, "invalid_argument"],
    ["POST", "locks/a", { ticket: "t" }, "invalid_argument"],
    ["POST", "locks/a", { ticket: "t", owner: "ada" }, "ticket_not_found"],
    ["POST", "locks/a?x=1", ada, "invalid_argument"],
    ["PATCH", "locks/a", { owner: "ada" }, "invalid_argument"],
    ["PATCH", "locks/a", { owner: "ada", fence: 0 }, "invalid_argument"],
    ["PATCH", "locks/a", { owner: "ada", fence: 1.5 }, "invalid_argument"],
    ["PATCH", "locks/a", { owner: "ada", fence: 1, ttlMs: 1 }, "invalid_ttl"],
    ["DELETE", "locks/a", undefined, "invalid_argument"],
    ["DELETE", "locks/a?owner=ada", undefined, "invalid_argument"],
    ["DELETE", "locks/a?fence=3", undefined, "invalid_argument"],
    ["DELETE", "locks/a?owner=ada&fence=x", undefined, "invalid_argument"],
    ["DELETE", "locks/a?owner=ada&fence=1&ticket=t", undefined, "invalid_argument"],
    ["DELETE", "locks/a?force=true&owner=ada", undefined, "invalid_argument"],
    ["GET", "locks/a?owner=ada", undefined, "invalid_argument"],
    ["GET", "locks?limit=0", undefined, "invalid_limit"],
    ["GET", "locks?cursor=rubbish", undefined, "invalid_cursor"],
    ["GET", `locks?prefix=${long}`, undefined, "invalid_argument"],
    ["PATCH", "elections/a", { owner: "ada", fence: 1, ttlMs: 1_000, text: "x" }, "invalid_argument"],
    ["GET", "elections/a?waitMs=5", undefined, "invalid_argument"],
    ["GET", "elections/a?after=x&waitMs=25001", undefined, "invalid_argument"],
    ["GET", "elections/a?after=rubbish", undefined, "invalid_cursor"],
  ])("%s %s %j: %s", async (method, path, body, code) => {
    const { refused, done } = lockBed();
    const problem = await refused(method as string, path as string, body);
    expect(problem).toMatchObject({ code, outcome: "fail" });
    expect((await done("GET", "locks")).items).toEqual([]);
  });

  it("a space without locks says so", async () => {
    const { call, spaces } = fakeBed();
    const none = () => {
      throw new WarpError("unsupported", "no locks");
    };
    Object.defineProperty(spaces.warp("s").locks, "driver", { get: none });
    const response = await call("GET", "/v1/s/locks/a");
    expect((await problemOf(response)).code).toBe("unsupported");
  });
});

describe("elections", () => {
  it("LK15 campaign, leader, proclaim, resign; the next in line follows, and all of it can be observed", async () => {
    const { done, advance, turns } = lockBed();
    expect(await done("GET", "elections/e")).toMatchObject({ leader: null, candidates: 0 });
    const { cursor } = await done("GET", "elections/e");
    const first = await done("POST", "elections/e", { ...ada, json: { url: "one" } });
    expect(first.status).toBe(201);
    const next = done("POST", "elections/e", { ...grace, waitMs: 20_000, text: "two" });
    await turns();
    expect(await done("GET", "elections/e")).toMatchObject({
      leader: { owner: "ada", fence: first.fence, kind: "election", json: { url: "one" } },
      candidates: 1,
    });
    const { fence } = first;
    expect(await done("PATCH", "elections/e", { owner: "ada", fence, json: { url: "1b" } })).toMatchObject({
      fence,
    });
    await advance(1_000);
    expect(await done("PATCH", "elections/e", { owner: "ada", fence })).toMatchObject({
      remainingMs: 30_000,
    });
    await done("DELETE", `elections/e?owner=ada&fence=${fence}`);
    expect(await next).toMatchObject({ status: 201, owner: "grace" });
    const seen = await done("GET", `elections/e?after=${cursor}`);
    const events = seen.events as { kind: string; owner: string; revision: number }[];
    expect(events).toMatchObject([
      { kind: "elected", owner: "ada", fence, json: { url: "one" } },
      { kind: "proclaimed", owner: "ada", json: { url: "1b" } },
      { kind: "ended", owner: "ada", reason: "released" },
      { kind: "elected", owner: "grace", text: "two" },
    ]);
    expect(seen.gap).toBe(false);
    const revisions = events.map(({ revision }) => revision);
    expect([...revisions].sort((a, b) => a - b)).toEqual(revisions);
  });

  it("LK15 an observer waits for the next step, and hears of none when none comes", async () => {
    const { done, advance } = lockBed();
    const { cursor } = await done("GET", "elections/e");
    const nothing = done("GET", `elections/e?after=${cursor}&waitMs=1000`);
    await advance(1_250);
    expect(await nothing).toMatchObject({ events: [], gap: false });
    const waiting = done("GET", `elections/e?after=${(await nothing).cursor}&waitMs=20000`);
    await advance(5_000);
    await done("POST", "elections/e", ada);
    expect(await waiting).toMatchObject({ events: [{ kind: "elected", owner: "ada" }] });
    const end = done("GET", `elections/e?after=${(await waiting).cursor}&waitMs=25000`);
    await advance(25_000);
    expect(await end).toMatchObject({ events: [] });
    const over = done("GET", `elections/e?after=${(await end).cursor}&waitMs=20000`);
    await advance(5_000);
    expect(await over).toMatchObject({ events: [{ kind: "ended", reason: "expired" }] });
  });
});
