import { describe, expect, test } from "vitest";
import { HttpClient } from "../../src/client/http.ts";
import { HttpLeases } from "../../src/client/leases.ts";
import { httpLockCalls } from "../../src/client/lock-calls.ts";
import { HttpLocks } from "../../src/client/locks.ts";
import { isWarpError } from "../../src/errors.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Fetch } from "../../src/runtime/fetch.ts";
import { secret } from "../http/bed.ts";
import { lockBed } from "../http/lock-bed.ts";

const text = (value: string) => ({ bytes: utf8(value), contentType: "text/plain" });

/** Clients of the real routes over locks in memory; `lose` may drop a request (before) or its answer (after). */
function bed() {
  const made = lockBed();
  const { clock, random, app } = made;
  const way: { lose: "request" | "answer" | undefined; sent: string[] } = { lose: undefined, sent: [] };
  const fetch: Fetch = async (url, request) => {
    const { body, signal, method, headers } = request;
    way.sent.push(`${method} ${new URL(url).pathname}`);
    const lost = (): Error =>
      new TypeError("fetch failed", { cause: Object.assign(new Error(), { code: "ECONNRESET" }) });
    const given = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
    });
    if (way.lose === "request") throw lost();
    const answer = app.request(url, { method, headers, body: body instanceof Uint8Array ? body : null });
    const response = await Promise.race([answer, given]);
    if (way.lose === "answer") throw lost();
    return response;
  };
  const host = {
    clock,
    elapsed: clock,
    timers: clock,
    random,
    background: { run: (work: Promise<unknown>) => void work.catch(() => undefined) },
    onError: () => undefined,
  };
  const client = new HttpClient({
    url: "http://localhost",
    token: secret,
    fetch,
    clock,
    timers: clock,
    random,
  });
  return {
    ...made,
    way,
    client,
    locks: new HttpLocks(client, "s", host),
    leases: new HttpLeases(client, "s"),
  };
}

describe("locks over HTTP", () => {
  test("LK1 LK7 a handle is held, renews itself, and its time counts from the sending of its request", async () => {
    const { locks, advance, clock } = bed();
    const lock = await locks.lock("a", { ttlMs: 3_000, owner: "ada" });
    expect(lock.validUntilMs - clock.now()).toBeLessThanOrEqual(3_000 * 0.99);
    await expect(locks.lock("a")).rejects.toMatchObject({ code: "lock_held" });
    for (let part = 0; part < 8; part++) await advance(1_000);
    expect(lock.signal.aborted).toBe(false);
    expect((await locks.info("a")).holders).toMatchObject([{ owner: "ada", fence: lock.fence }]);
    await lock.confirm();
    expect(await lock.release()).toBe(true);
    expect((await locks.info("a")).holders).toEqual([]);
  });

  test("LK7 without a network its signal fires before anybody else can have it", async () => {
    const { locks, way, advance, refused, done } = bed();
    const lock = await locks.lock("a", { ttlMs: 3_000 });
    await advance(500);
    way.lose = "request";
    await advance(2_465);
    expect(lock.signal.aborted).toBe(false);
    await advance(20);
    expect(lock.signal.reason).toMatchObject({ code: "lock_lost", details: { reason: "validity" } });
    expect((await refused("POST", "locks/a", { owner: "x" })).code).toBe("lock_held");
    await advance(20);
    expect((await done("POST", "locks/a", { owner: "x" })).fence).toBeGreaterThan(lock.fence);
  });

  test("LK8 X-14 a waiter keeps its place over several calls and gets the lock when it is given back", async () => {
    const { locks, advance, way } = bed();
    const first = await locks.lock("a");
    const waiting = locks.lock("a", { waitMs: 120_000, ttlMs: 10_000 });
    await advance(30_000);
    expect((await locks.info("a")).waiters).toBe(1);
    await first.release();
    await advance(100);
    const second = await waiting;
    expect(second.fence).toBeGreaterThan(first.fence);
    // Acquired without waiting at first, then by its ticket.
    expect(way.sent.filter((call) => call === "POST /v1/s/locks/a").length).toBeGreaterThanOrEqual(3);
    await second.release();
  });

  test("OU2 an answer that is lost costs nothing: the repeat has the same op id and the same grant", async () => {
    const { locks, way, advance } = bed();
    way.lose = "answer";
    const acquiring = locks.lock("a", { owner: "ada" });
    await advance(1);
    way.lose = undefined;
    await advance(2_000);
    const lock = await acquiring;
    expect((await locks.info("a")).holders).toMatchObject([{ fence: lock.fence, owner: "ada" }]);
    way.lose = "answer";
    const releasing = lock.release();
    await advance(1);
    way.lose = undefined;
    await advance(2_000);
    expect(await releasing).toBe(true);
  });

  test("LK10 whoever gives up leaves the queue", async () => {
    const { locks, advance } = bed();
    const first = await locks.lock("a");
    const giveUp = new AbortController();
    const waiting = locks.lock("a", { waitMs: 60_000, signal: giveUp.signal });
    const failed = waiting.catch((error: unknown) => error);
    await advance(5_000);
    giveUp.abort();
    await advance(2_000);
    expect(isWarpError(await failed, "aborted")).toBe(true);
    expect((await locks.info("a")).waiters).toBe(0);
    await first.release();
  });

  test("after its close nothing is sent any more, also not what was to be undone behind a caller", async () => {
    const { locks, way, advance } = bed();
    way.lose = "answer";
    const failed = locks.lock("a", { timeoutMs: 1_000 }).catch((error: unknown) => error);
    await advance(2_000);
    expect(await failed).toMatchObject({ code: "unavailable", outcome: "unknown" });
    const before = way.sent.length;
    await advance(5_000);
    expect(way.sent.length).toBeGreaterThan(before);
    locks.close();
    const sent = way.sent.length;
    await advance(60_000);
    expect(way.sent.length).toBe(sent);
  });

  test("LK12 a forced end is told to the holder by its next renewal", async () => {
    const { locks, advance } = bed();
    const lock = await locks.lock("a", { ttlMs: 3_000 });
    expect(await locks.force("a")).toBe(1);
    await advance(1_100);
    expect(lock.signal.reason).toMatchObject({ details: { reason: "forced" } });
    expect(await lock.release()).toBe(false);
  });

  test("kinds, values and pages go through as they are", async () => {
    const { locks } = bed();
    const options = { kind: "semaphore", permits: 3, take: 2, value: text("v") } as const;
    await locks.lock("pool", options);
    await locks.lock("x/ä", { kind: "read", delayMs: 1_000 });
    expect(await locks.info("pool")).toMatchObject({ permits: 3, holders: [{ take: 2, text: "v" }] });
    const page = await locks.list({ limit: 1 });
    expect(page.items.map(({ name }) => name)).toEqual(["pool"]);
    const rest = await locks.list(page.cursor === undefined ? {} : { cursor: page.cursor });
    expect(rest.items.map(({ name }) => name)).toEqual(["x/ä"]);
    await expect(locks.lock("pool")).rejects.toMatchObject({ code: "wrong_kind" });
    await expect(locks.lock("b", { endsWithSession: true })).rejects.toMatchObject({ code: "unsupported" });
    await expect(locks.lock("..")).rejects.toMatchObject({ code: "unsupported" });
  });

  test("each command is a request, and what is definite is a verdict", async () => {
    const { client, newOpId, way } = bed();
    const calls = httpLockCalls(client, "s", () => false);
    const one = { name: "a", owner: "ada" };
    const acquire = { kind: "acquire", ...one, as: "mutex", ttlMs: 1_000 } as const;
    const [held] = await calls.run([{ ...acquire, opId: newOpId() }]);
    const fence = held?.outcome === "ok" && held.state === "held" ? held.fence : 0;
    const verdicts = await calls.run([
      { kind: "renew", opId: newOpId(), ...one, fence, ttlMs: 2_000 },
      { kind: "confirm", opId: newOpId(), ...one, fence },
      { kind: "release", opId: newOpId(), ...one, owner: "x", fence },
      { kind: "cancel", opId: newOpId(), ...one, ticket: "t" },
      { kind: "claim", opId: newOpId(), ...one, ticket: "t" },
      { kind: "force", opId: newOpId(), name: "a", by: "me" },
      { kind: "proclaim", opId: newOpId(), ...one, fence, value: text("v") },
    ]);
    expect(
      verdicts.map((verdict) => (verdict.outcome === "ok" ? verdict.state : verdict.error.code)),
    ).toEqual(["held", "held", "not_owner", "ticket_not_found", "ticket_not_found", "ended", "lock_lost"]);
    way.lose = "answer";
    const unknown = calls.run([{ ...acquire, opId: newOpId() }]);
    await expect(unknown).rejects.toMatchObject({ code: "unavailable", outcome: "unknown" });
  });
});

describe("elections over HTTP", () => {
  test("LK15 campaign, proclaim, resign, and what an observer sees", async () => {
    const { locks, advance } = bed();
    const { cursor } = await locks.leader("e");
    const led = await locks.campaign("e", text("one"), { owner: "ada" });
    const next = locks.campaign("e", text("two"), { owner: "grace" });
    await advance(1_000);
    await led.proclaim(text("one more"));
    expect(await locks.leader("e")).toMatchObject({
      leader: { owner: "ada", text: "one more" },
      candidates: 1,
    });
    expect(await led.resign()).toBe(true);
    await advance(100);
    const second = await next;
    const seen = await locks.observe("e", cursor, { waitMs: 0 });
    expect(seen.events.map(({ kind, owner }) => `${kind} ${owner}`)).toEqual([
      "elected ada",
      "proclaimed ada",
      "ended ada",
      "elected grace",
    ]);
    expect(seen.events[1]?.value).toEqual(text("one more"));
    await second.resign();
  });
});

describe("leases over HTTP", () => {
  test("LE-03 X-16 grant, attach, keep alive, list, revoke; what has ended is lease_not_found", async () => {
    const { leases, done, send } = bed();
    const { id } = await leases.grant({ ttlMs: 10_000, onEnd: "delete" });
    await done("PUT", "keys/a", "v");
    expect(await leases.attach(id, ["a", "b"])).toBe(2);
    expect(await leases.detach(id, ["b"])).toBe(1);
    expect(await leases.keys(id)).toEqual({ items: ["a"] });
    expect(await leases.keepAlive(id)).toBe(10_000);
    expect(await leases.keepManyAlive([id])).toEqual([{ id, ok: true, remainingMs: 10_000 }]);
    expect((await leases.list()).items.map((lease) => lease.id)).toEqual([id]);
    expect(await leases.info(id)).toMatchObject({ id, onEnd: "delete" });
    await leases.revoke(id);
    expect((await send("GET", "keys/a")).status).toBe(404);
    await expect(leases.keepAlive(id)).rejects.toMatchObject({ code: "lease_not_found" });
    await expect(leases.attach(id, ["a"])).rejects.toMatchObject({ code: "lease_not_found" });
    await expect(leases.grant({ ttlMs: 1 })).rejects.toMatchObject({ code: "invalid_ttl" });
  });
});
