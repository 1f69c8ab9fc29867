import { describe, expect, test } from "vitest";
import type { LockGrant, LockWaiter } from "../../src/locking/lock-store.ts";
import { checkElections } from "./check/elections.ts";
import { checkLockCalls } from "./check/lock-calls.ts";
import type { LockCall } from "./check/lock-history.ts";
import { checkLockOrder, type OpenPoll, type OrderFacts } from "./check/lock-order.ts";
import type { LockState, LockStep } from "./check/lock-steps.ts";

function grant(fence: number, part: Partial<LockGrant> = {}): LockGrant {
  return {
    name: "a",
    fence,
    owner: `o${fence}`,
    kind: "mutex",
    permits: 1,
    take: 1,
    count: 1,
    ttlMs: 1_000,
    deadlineMs: 1_000,
    ticket: undefined,
    offered: false,
    delayMs: 0,
    value: undefined,
    session: undefined,
    endsWithSession: false,
    ended: undefined,
    ...part,
  };
}

function waiter(arrived: number, part: Partial<LockWaiter> = {}): LockWaiter {
  return {
    name: "a",
    ticket: `t${arrived}`,
    arrived,
    owner: `o${arrived}`,
    kind: "mutex",
    permits: 1,
    take: 1,
    ttlMs: 1_000,
    delayMs: 0,
    value: undefined,
    session: undefined,
    endsWithSession: false,
    liveUntilMs: 100_000,
    waitUntilMs: 100_000,
    dueMs: 100_000,
    ...part,
  };
}

type Moment = Partial<LockState> & { readonly ms: number; readonly ended?: readonly LockGrant[] };

/** Steps of one name, from what it was at some moments. The wall clock is right. */
function stepsOf(...moments: readonly Moment[]): readonly LockStep[] {
  const seen = new Set<number>();
  let before: LockState = { live: [], queue: [], closedUntilMs: undefined };
  return moments.map(({ ms, ended = [], live = [], queue = [], closedUntilMs }, place) => {
    const after = { live, queue, closedUntilMs };
    const given = live.filter(({ fence }) => !seen.has(fence));
    for (const { fence } of given) seen.add(fence);
    const at = { writes: [], ranMs: ms, wallMs: ms, durableMs: ms + 5, mark: ms + 5 };
    const step = { shard: 0, name: "a", place, at, before, after, ended, given };
    before = after;
    return step;
  });
}

function rulesOf(steps: readonly LockStep[], part: Partial<OrderFacts> = {}): string[] {
  // What is given was asked for.
  const asked = steps.flatMap(({ given }) =>
    given.map(({ owner }) => call({ kind: "acquire", owner, call: 0, ret: 1 })),
  );
  const { calls = [], ...facts } = part;
  return checkLockOrder({
    steps,
    polls: [],
    calls: [...asked, ...calls],
    isLogged: () => false,
    closedMs: () => undefined,
    endMs: 0,
    instances: 1,
    ...facts,
  }).map(({ rule }) => rule);
}

let ids = 0;
function call(part: Partial<LockCall> & Pick<LockCall, "kind" | "call" | "ret">): LockCall {
  const { call: called, ret } = part;
  return {
    id: ids++,
    node: "n",
    shard: 0,
    name: "a",
    owner: "o",
    callMs: called,
    retMs: ret,
    outcome: Number.isFinite(ret) ? "ok" : "unknown",
    ...part,
  };
}

const by = (
  grantOf: LockGrant,
  reason: NonNullable<LockGrant["ended"]>["reason"],
  atMs: number,
): LockGrant => ({
  ...grantOf,
  ended: { atMs, reason },
});

describe("the judge of the order of locks", () => {
  test("LK1 one holder, one writer, so many permits", () => {
    const of = (...live: LockGrant[]) => rulesOf(stepsOf({ ms: 0, live }));
    expect(of(grant(1))).toEqual([]);
    expect(of(grant(1), grant(2))).toEqual(["LK1"]);
    expect(of(grant(1, { kind: "read" }), grant(2, { kind: "read" }))).toEqual([]);
    expect(of(grant(1, { kind: "read" }), grant(2, { kind: "write" }))).toEqual(["LK1"]);
    const permits = (take: number) => ({ kind: "semaphore", permits: 3, take }) as const;
    expect(of(grant(1, permits(1)), grant(2, permits(2)))).toEqual([]);
    expect(of(grant(1, permits(2)), grant(2, permits(2)))).toEqual(["LK1"]);
    // An offer keeps others out as a grant does.
    expect(of(grant(1, { offered: true }), grant(2))).toEqual(["LK1"]);
  });

  test("LK2 fences only grow, and are no revisions of log entries", () => {
    const two = (first: number, second: number) =>
      stepsOf(
        { ms: 0, live: [grant(first)] },
        {
          ms: 1_000,
          ended: [by(grant(first), "expired", 1_000)],
          live: [grant(second, { deadlineMs: 2_000 })],
        },
      );
    expect(rulesOf(two(4, 7))).toEqual([]);
    expect(rulesOf(two(7, 4))).toEqual(["LK2"]);
    expect(rulesOf(two(4, 7), { isLogged: (revision) => revision === 7 })).toEqual(["LK2"]);
  });

  test("LK5 LK6 what has ended stays ended, and ends not before its time", () => {
    const first = grant(4);
    const ended = (ms: number) => ({ ms, ended: [by(first, "expired", ms)] });
    expect(rulesOf(stepsOf({ ms: 0, live: [first] }, ended(1_000)))).toEqual([]);
    expect(rulesOf(stepsOf({ ms: 0, live: [first] }, ended(900)))).toEqual(["LK6"]);
    const renewed = { ms: 500, live: [grant(4, { deadlineMs: 1_500 })] };
    expect(rulesOf(stepsOf({ ms: 0, live: [first] }, renewed, ended(1_100)))).toEqual(["LK6"]);
    expect(rulesOf(stepsOf({ ms: 0, live: [first] }, ended(1_000), { ms: 1_100, live: [first] }))).toEqual([
      "LK5",
    ]);
    // Put off when another instance began: no new life.
    const later = { ms: 500, live: [grant(4, { deadlineMs: 2_000 })] };
    expect(rulesOf(stepsOf({ ms: 0, live: [first] }, later, ended(1_000)))).toEqual([]);
  });

  test("LK4 nobody's word but the owner's releases", () => {
    const steps = stepsOf({ ms: 0, live: [grant(4)] }, { ms: 100, ended: [by(grant(4), "released", 100)] });
    const release = (part: Partial<LockCall>) =>
      rulesOf(steps, {
        calls: [call({ kind: "release", call: 50, ret: 120, owner: "o4", fence: 4, ...part })],
      });
    expect(release({})).toEqual([]);
    expect(release({ owner: "other" })).toEqual(["LK4"]);
    expect(release({ fence: 3 })).toEqual(["LK4"]);
  });

  test("LK8 who came first is served first, if heard of; and no place is lost", () => {
    const queue = [waiter(5), waiter(6)];
    const held = { ms: 0, live: [grant(4, { deadlineMs: 900 })], queue };
    const to = (ticket: string, part: Partial<LockWaiter> = {}) =>
      rulesOf(
        stepsOf(
          { ...held, queue: [waiter(5, part), waiter(6)] },
          {
            ms: 1_000,
            ended: [by(grant(4), "expired", 1_000)],
            live: [grant(9, { offered: true, ticket, deadlineMs: 4_000 })],
            queue: [waiter(5, part), waiter(6)],
          },
        ),
      );
    expect(to("t5")).toEqual([]);
    expect(to("t6")).toEqual(["LK8"]);
    expect(to("t6", { liveUntilMs: 500 })).toEqual([]);
    // A newcomer that finds it free while somebody waits.
    const barging = { ms: 500, live: [grant(4, { deadlineMs: 2_000 }), grant(9, { kind: "read" })], queue };
    expect(rulesOf(stepsOf(held, barging))).toContain("LK8");
    expect(rulesOf(stepsOf(held, { ms: 500, live: held.live, queue: [waiter(6)] }))).toEqual(["LK8"]);
    const givenUp = call({ kind: "cancel", call: 400, ret: 600, ticket: "t5" });
    expect(
      rulesOf(stepsOf(held, { ms: 500, live: held.live, queue: [waiter(6)] }), { calls: [givenUp] }),
    ).toEqual([]);
  });

  test("LK9 what comes free is handed over at once, to one who is heard of", () => {
    const held = (part: Partial<LockWaiter>) => ({
      ms: 0,
      live: [grant(4, { deadlineMs: 1_000 })],
      queue: [waiter(5, part)],
    });
    const freed = { ms: 1_000, ended: [by(grant(4), "expired", 1_000)] };
    expect(rulesOf(stepsOf(held({}), { ...freed, queue: [waiter(5)] }))).toEqual(["LK9"]);
    expect(rulesOf(stepsOf(held({}), { ...freed, queue: [waiter(5)], closedUntilMs: 2_000 }))).toEqual([]);
    const silent = { liveUntilMs: 500 };
    expect(rulesOf(stepsOf(held(silent), { ...freed, queue: [waiter(5, silent)] }))).toEqual([]);
    const offered = { live: [grant(9, { offered: true, ticket: "t5", deadlineMs: 4_000 })] };
    const steps = stepsOf(held(silent), { ...freed, ...offered, queue: [waiter(5, silent)] });
    expect(rulesOf(steps)).toEqual(["LK9"]);
    const poll: OpenPoll = { ticket: "t5", fromMs: 900, toMs: 1_010, instance: { endedMs: 5_000 } };
    expect(rulesOf(steps, { polls: [poll] })).toEqual([]);
    // It waits for an answer, and is not told.
    expect(rulesOf(steps, { polls: [{ ...poll, toMs: 1_300 }] })).toEqual(["LK9"]);
    expect(rulesOf(steps, { polls: [{ ...poll, toMs: 1_300, instance: { endedMs: 1_050 } }] })).toEqual([]);
  });

  test("LK9 LK11 LK12 sessions, delays, and what nobody ended", () => {
    const offer = grant(9, { offered: true, ticket: "t5", session: "s", deadlineMs: 5_000 });
    const offered = stepsOf(
      { ms: 0, live: [grant(4, { deadlineMs: 2_000, ttlMs: 2_000 })], queue: [waiter(5)] },
      { ms: 2_000, ended: [by(grant(4), "expired", 2_000)], live: [offer], queue: [waiter(5)] },
    );
    expect(rulesOf(offered, { closedMs: () => 1_500 })).toEqual([]);
    expect(rulesOf(offered, { closedMs: () => 500 })).toEqual(["LK9"]);
    const tied = grant(4, { session: "s", endsWithSession: true, deadlineMs: 60_000, ttlMs: 60_000 });
    const outlived = stepsOf({ ms: 0, live: [tied] }, { ms: 2_000, live: [tied], queue: [waiter(5)] });
    expect(rulesOf(outlived, { closedMs: () => 500 })).toEqual(["LK11"]);
    expect(rulesOf(outlived)).toEqual([]);
    const closed = stepsOf({ ms: 0, closedUntilMs: 500 }, { ms: 100, live: [grant(4)] });
    expect(rulesOf(closed)).toEqual(["LK12"]);
    expect(rulesOf(stepsOf({ ms: 0, live: [grant(4)] }), { endMs: 3_000 })).toEqual([]);
    expect(rulesOf(stepsOf({ ms: 0, live: [grant(4)] }), { endMs: 9_000 })).toEqual(["LK11"]);
  });

  test("LK10 OU2 a wait that was given up gives nothing, one command gives one grant", () => {
    const given = stepsOf({ ms: 100, live: [grant(4, { ticket: "t2", deadlineMs: 1_100 })] });
    const cancel = (ret: number) => call({ kind: "cancel", call: 1, ret, ticket: "t2" });
    expect(rulesOf(given, { calls: [cancel(110)] })).toEqual([]);
    expect(rulesOf(given, { calls: [cancel(50)] })).toEqual(["LK10"]);
    const permits = { kind: "semaphore", permits: 3, owner: "twice" } as const;
    const twice = stepsOf({ ms: 0, live: [grant(4, permits), grant(5, permits)] });
    const once = [call({ kind: "acquire", owner: "twice", call: 0, ret: 1 })];
    const rules = checkLockOrder({
      steps: twice,
      polls: [],
      calls: once,
      isLogged: () => false,
      closedMs: () => undefined,
      endMs: 0,
      instances: 1,
    });
    expect(rules.map(({ rule }) => rule)).toEqual(["OU2"]);
  });
});

describe("the judge of what callers are told of locks", () => {
  const rules = (...calls: LockCall[]) => checkLockCalls(calls, () => 0).map(({ rule }) => rule);
  const held = (fence: number, from: number, to: number, part: Partial<LockCall> = {}) =>
    call({
      kind: "acquire",
      call: from,
      ret: to,
      owner: `o${fence}`,
      as: "mutex",
      state: "held",
      gaveFence: fence,
      ...part,
    });

  test("LK1 two are not told that they hold the same", () => {
    const renew = (fence: number, from: number, to: number) =>
      held(fence, from, to, { kind: "renew", fence });
    expect(rules(held(4, 1, 2), renew(4, 10, 11), held(7, 12, 13))).toEqual([]);
    expect(rules(held(4, 1, 2), renew(4, 10, 11), held(7, 5, 6))).toEqual(["LK1"]);
    expect(rules(held(4, 1, 2), renew(4, 10, 11), held(7, 5, 6, { as: "read" }))).toEqual(["LK1"]);
  });

  test("LK2 LK5 fences grow, and none comes back", () => {
    expect(rules(held(7, 1, 2), held(4, 3, 4))).toEqual(["LK2"]);
    const release = call({ kind: "release", owner: "o4", call: 3, ret: 4, fence: 4, state: "ended" });
    const again = held(4, 5, 6, { kind: "renew" });
    expect(rules(held(4, 1, 2), release, again)).toEqual(["LK5"]);
    expect(rules(held(4, 1, 2), release, { ...again, replayed: true })).toEqual([]);
  });

  test("LK7 LK6 nobody is told that it holds what another may count on, nor that it has run out", () => {
    const first = held(4, 0, 10, { validToMs: 100 });
    expect(rules(first, held(7, 90, 101, { validToMs: 200 }))).toEqual([]);
    expect(rules(first, held(7, 90, 99, { validToMs: 200 }))).toEqual(["LK7"]);
    const release = call({ kind: "release", owner: "o4", call: 50, ret: Number.POSITIVE_INFINITY, fence: 4 });
    expect(rules(first, release, held(7, 90, 99, { validToMs: 200 }))).toEqual([]);
    const lost = (ret: number) =>
      call({
        kind: "renew",
        owner: "o4",
        call: 20,
        ret,
        fence: 4,
        outcome: "fail",
        error: "lock_lost",
        reason: "expired",
      });
    expect(rules(first, lost(120))).toEqual([]);
    expect(rules(first, lost(60))).toEqual(["LK6"]);
  });

  test("LK14 no write under a fence comes after the next one", () => {
    const write = (fence: number, version: number) =>
      call({ kind: "guard", call: 20, ret: 30, fence, key: "l", version });
    expect(rules(held(4, 0, 1), held(7, 5, 6), write(4, 5))).toEqual([]);
    expect(rules(held(4, 0, 1), held(7, 5, 6), write(4, 9))).toEqual(["LK14"]);
    const elsewhere = (...calls: LockCall[]) => checkLockCalls(calls, () => 1).map(({ rule }) => rule);
    expect(elsewhere(held(4, 0, 1), held(7, 5, 6), write(4, 9))).toEqual([]);
    expect(elsewhere(held(4, 0, 1), held(7, 5, 6), write(4, 9), write(7, 8))).toEqual(["LK14"]);
  });

  test("LK4 OU2 another's grant, and copies of one command", () => {
    expect(rules(held(4, 0, 1, { kind: "renew", isWrong: true }))).toEqual(["LK4"]);
    expect(rules(held(4, 0, 1, { copies: ["held 4"] }))).toEqual([]);
    expect(rules(held(4, 0, 1, { copies: ["held 5"] }))).toEqual(["OU2"]);
  });
});

test("LK15 the judge of elections misses no step", () => {
  const steps = stepsOf({ ms: 0, live: [grant(4, { kind: "election" })] });
  const elected = { revision: 4, kind: "elected", owner: "o4", fence: 4 } as const;
  const ended = { revision: 9, kind: "ended", owner: "o4", fence: 4, reason: "released" } as const;
  const look = (part: Partial<LockCall>) =>
    call({ kind: "observe", call: 1, ret: 2, after: 0, to: 9, ...part });
  const rules = (...looks: LockCall[]) => checkElections(steps, looks).map(({ rule }) => rule);
  expect(rules(look({ events: [elected, ended] }), look({ after: 4, events: [ended] }))).toEqual([]);
  expect(rules(look({ events: [elected, ended] }), look({ events: [ended] }))).toEqual(["LK15"]);
  expect(rules(look({ events: [ended, elected] }))).toEqual(["LK15"]);
  expect(rules(look({ events: [{ ...elected, fence: 5 }] }))).toEqual(["LK15"]);
});
