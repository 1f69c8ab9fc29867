/** Locks as their shard's commits have them, in order: what each transaction left of each name. */

import type { LockGrant, LockWaiter } from "../../../src/locking/lock-store.ts";
import { clockStepMs, lockClaimMs, lockForgetMs } from "../../../src/runtime/coordination-limits.ts";
import type { LockCall } from "./lock-history.ts";
import type { LockState, LockStep } from "./lock-steps.ts";
import type { Violation } from "./violation.ts";

/** Share of a time to live by which clocks may run fast (rule A1), and their grain in ms. */
const rate = 0.01;
const grainMs = 2;

/** A poll as the shard saw it: somebody waited for an answer about a ticket. */
export interface OpenPoll {
  readonly ticket: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly instance: { readonly endedMs: number };
}

/** What the judge of one shard's order is told. */
export interface OrderFacts {
  readonly steps: readonly LockStep[];
  readonly polls: readonly OpenPoll[];
  readonly calls: readonly LockCall[];
  /** Whether a revision is that of a log entry. */
  readonly isLogged: (revision: number) => boolean;
  /** When the shard was told that a session had ended, in true time; undefined: it was not. */
  readonly closedMs: (session: string) => number | undefined;
  /** When all had calmed down, and how many instances there had been: each may have put off what was due. */
  readonly endMs: number;
  readonly instances: number;
}

type Say = (rule: string, what: string, about?: (call: LockCall) => boolean) => void;

/** Rules LK1, LK2, LK4, LK5, LK6, LK8, LK9, LK10 and OU2, over the commits of one shard. */
export function checkLockOrder(facts: OrderFacts): readonly Violation[] {
  const violations: Violation[] = [];
  const { steps, calls } = facts;
  const say: Say = (rule, what, about = () => false) =>
    void violations.push({ rule, what, operations: [], locks: calls.filter(about) });
  for (const step of steps) {
    checkExclusion(step, say);
    checkQueue(step, facts, say);
    checkPlaces(step, facts, say);
    checkSessions(step, facts, say);
  }
  checkOverdue(facts, say);
  checkFences(facts, say);
  checkLives(facts, say);
  checkGrants(facts, say);
  checkPolls(facts, say);
  return violations;
}

function checkExclusion({ name, after, at }: LockStep, say: Say): void {
  const { live } = after;
  const [first] = live;
  if (first === undefined) return;
  const isShared = first.kind === "read" || first.kind === "semaphore";
  const taken = live.reduce((sum, { take }) => sum + take, 0);
  const isRight =
    live.length === 1 ||
    (isShared &&
      live.every(({ kind }) => kind === first.kind) &&
      (first.kind === "read" || taken <= first.permits));
  if (!isRight)
    say("LK1", `${name} has ${live.map(told).join(" and ")} at once, ${at.durableMs.toFixed(0)} ms`, (call) =>
      live.some((grant) => concerns(call, grant)),
    );
}

/** Order of arrival, and the hand-over in the very stretch that frees a name. */
function checkQueue(step: LockStep, { polls }: OrderFacts, say: Say): void {
  const { name, before, after, at, given } = step;
  const isLive = (waiter: LockWaiter): boolean =>
    waiter.liveUntilMs > at.wallMs && waiter.waitUntilMs > at.wallMs;
  const holds = (state: LockState, ticket: string): boolean =>
    state.live.some((grant) => grant.ticket === ticket);
  // Who waits after the stretch as before it, and was heard of all the time.
  const waiting = before.queue.filter((waiter) => {
    const still = after.queue.find(({ ticket }) => ticket === waiter.ticket);
    return still !== undefined && isLive(waiter) && isLive(still);
  });
  for (const grant of given) {
    const place = before.queue.find(({ ticket }) => ticket === grant.ticket);
    const arrived = place?.arrived ?? after.queue.find(({ ticket }) => ticket === grant.ticket)?.arrived;
    const passed = waiting.find(
      (waiter) =>
        !holds(before, waiter.ticket) &&
        !holds(after, waiter.ticket) &&
        waiter.arrived < (arrived ?? grant.fence),
    );
    if (passed !== undefined)
      say(
        "LK8",
        `${name} was given to ${told(grant)}, and ${passed.owner} (${passed.ticket}) had arrived before and waits still`,
        (call) => concerns(call, grant) || call.ticket === passed.ticket || call.gaveTicket === passed.ticket,
      );
    const isHeard = polls.some(
      ({ ticket, fromMs, toMs }) => ticket === grant.ticket && fromMs <= at.ranMs && toMs >= at.ranMs,
    );
    const now = after.queue.find(({ ticket }) => ticket === grant.ticket);
    if (
      grant.offered &&
      place !== undefined &&
      !isHeard &&
      !isLive(place) &&
      !(now !== undefined && isLive(now))
    )
      say("LK9", `${name} was offered to ${told(grant)}, who is not heard of any more`, (call) =>
        concerns(call, grant),
      );
  }
  if (after.closedUntilMs !== undefined && after.closedUntilMs > at.wallMs) return;
  const next = after.queue.find((waiter) => isLive(waiter) && !holds(after, waiter.ticket));
  // What is due ends with the next stretch.
  const isBehind =
    after.closedUntilMs !== undefined || after.live.some(({ deadlineMs }) => deadlineMs <= at.wallMs);
  if (next !== undefined && !isBehind && fits(after.live, next))
    say(
      "LK9",
      `${name} is free for ${next.owner} (${next.ticket}), who waits, and the stretch that freed it did not hand it over`,
      (call) => call.ticket === next.ticket || call.gaveTicket === next.ticket,
    );
}

/** A place in the queue is durable: it goes when it is claimed, given up, silent for a minute, or when its wait is over (rule LK8). */
function checkPlaces({ name, before, after, at, ended }: LockStep, { calls }: OrderFacts, say: Say): void {
  for (const place of before.queue) {
    const { ticket, waitUntilMs, liveUntilMs } = place;
    if (after.queue.some((other) => other.ticket === ticket)) continue;
    const isForced = ended.some((grant) => grant.ticket === ticket && grant.ended?.reason === "forced");
    const isClaimed =
      after.live.some((grant) => grant.ticket === ticket && !grant.offered) ||
      ended.some((grant) => grant.ticket === ticket);
    const isGivenUp = calls.some(
      (call) =>
        call.kind === "cancel" && call.ticket === ticket && call.call < at.mark && call.isWrong !== true,
    );
    const isOver = waitUntilMs <= at.wallMs || liveUntilMs + lockForgetMs <= at.wallMs;
    if (!isForced && !isClaimed && !isGivenUp && !isOver)
      say(
        "LK8",
        `${name}: the place of ${place.owner} (${ticket}) is lost`,
        (call) => call.ticket === ticket,
      );
  }
}

/** How soon a shard has to act on the end of a session, in true ms: a commit, or a few that fail. */
const leaveMs = 1_000;

/** What belongs to a session goes with it, and nobody is offered anything whose session has ended (rules LK9, LK11); a closed name stays closed (rule LK12). */
function checkSessions(step: LockStep, { closedMs }: OrderFacts, say: Say): void {
  const { name, before, after, at, given } = step;
  const isGone = (session: string | undefined): boolean =>
    session !== undefined && (closedMs(session) ?? Number.POSITIVE_INFINITY) + leaveMs < at.ranMs;
  for (const grant of after.live)
    if (grant.endsWithSession && !grant.offered && isGone(grant.session))
      say("LK11", `${name}: ${told(grant)} has outlived its session`, (call) => concerns(call, grant));
  for (const grant of given) {
    if (grant.offered && isGone(grant.session))
      say("LK9", `${name} was offered to ${told(grant)}, whose session had ended`, (call) =>
        concerns(call, grant),
      );
    const untilMs = before.closedUntilMs ?? 0;
    if (untilMs > at.wallMs + grainMs)
      say("LK12", `${name} was given to ${told(grant)} while it was closed`, (call) => concerns(call, grant));
  }
}

/** Nothing outlives its time when all is calm (rule LK11), and nobody waits for what is free (rule LK9). */
function checkOverdue({ steps, endMs, instances }: OrderFacts, say: Say): void {
  const began = new Map<number, number>();
  const last = new Map<string, LockStep>();
  for (const step of steps) {
    for (const { fence } of step.given) began.set(fence, step.at.ranMs);
    for (const grant of step.after.live) {
      const known = step.before.live.find(({ fence }) => fence === grant.fence);
      if (known !== undefined && known.deadlineMs !== grant.deadlineMs) began.set(grant.fence, step.at.ranMs);
    }
    last.set(step.name, step);
  }
  for (const [name, { after, at }] of last) {
    for (const grant of after.live) {
      const lifeMs = grant.offered ? lockClaimMs : grant.ttlMs;
      const dueMs = (began.get(grant.fence) ?? 0) + lifeMs * (1 + rate) + (instances + 2) * clockStepMs;
      if (dueMs < endMs)
        say("LK11", `${name}: ${told(grant)} should have ended by ${dueMs.toFixed(0)} ms`, (call) =>
          concerns(call, grant),
        );
    }
    // A place whose silence is over stays for a minute, and nobody is asked for it.
    const overMs = (instances + 2) * clockStepMs;
    const left = after.queue.find(({ waitUntilMs }) => waitUntilMs - at.wallMs + at.ranMs + overMs < endMs);
    if (left !== undefined)
      say(
        "LK9",
        `${name}: ${left.owner} (${left.ticket}) still stands in the queue, though its wait is over`,
        (call) => call.ticket === left.ticket,
      );
  }
}

function fits(live: readonly LockGrant[], { kind, take, permits }: LockWaiter): boolean {
  if (live.length === 0) return true;
  if (kind === "read") return live.every((grant) => grant.kind === "read");
  const taken = live.reduce((sum, grant) => sum + grant.take, 0);
  return kind === "semaphore" && live.every((grant) => grant.kind === kind) && taken + take <= permits;
}

/** Fences only grow, whatever the name, and no log entry has one. */
function checkFences({ steps, isLogged }: OrderFacts, say: Say): void {
  // Of the transactions before: within one, what was given first is not told by its rows.
  let before = 0;
  let highest = 0;
  let place = -1;
  for (const step of steps) {
    const { name, given, after } = step;
    if (step.place !== place) before = highest;
    place = step.place;
    for (const grant of given) {
      if (grant.fence <= before)
        say("LK2", `${name}: ${told(grant)} was given after the revision ${before}`, (call) =>
          concerns(call, grant),
        );
      if (isLogged(grant.fence)) say("LK2", `${name}: ${told(grant)} has the revision of a log entry`);
      highest = Math.max(highest, grant.fence);
    }
    for (const { arrived } of after.queue) highest = Math.max(highest, arrived);
  }
}

/** What ended stays ended; nothing ends before its time; and nobody's word but the owner's ends it. */
function checkLives({ steps, calls }: OrderFacts, say: Say): void {
  const ended = new Map<number, string>();
  // When the present time to live of each grant began, in true time.
  const began = new Map<
    number,
    { readonly ms: number; readonly deadlineMs: number; readonly ttlMs: number }
  >();
  for (const { name, before, after, at, ended: gone } of steps) {
    for (const grant of after.live) {
      if (ended.has(grant.fence))
        say("LK5", `${name}: ${told(grant)} is live again after it had ended`, (call) =>
          concerns(call, grant),
        );
      const known = before.live.find(({ fence }) => fence === grant.fence);
      const leftMs = grant.deadlineMs - at.wallMs;
      const wholeMs = grant.offered ? leftMs : grant.ttlMs;
      const isBegun = known === undefined || known.offered !== grant.offered;
      // A deadline that is put off is one second more, not a new time to live.
      const isRenewed =
        known?.deadlineMs !== grant.deadlineMs && !grant.offered && Math.abs(leftMs - wholeMs) <= grainMs;
      if (isBegun || isRenewed)
        began.set(grant.fence, { ms: at.ranMs, deadlineMs: grant.deadlineMs, ttlMs: wholeMs });
    }
    for (const grant of gone) {
      const reason = grant.ended?.reason ?? "nothing";
      ended.set(grant.fence, reason);
      const life = began.get(grant.fence);
      if (life !== undefined && (reason === "expired" || reason === "unclaimed")) {
        const earlyMs = life.ms + life.ttlMs * (1 - rate) - grainMs - at.ranMs;
        if (earlyMs > 0)
          say(
            "LK6",
            `${name}: ${told(grant)} ended (${reason}) ${earlyMs.toFixed(0)} ms before its ${life.ttlMs.toFixed(0)} ms were over`,
            (call) => concerns(call, grant),
          );
      }
      if (reason === "released" || reason === "cancelled") {
        const isAsked = calls.some(
          (call) =>
            call.name === name &&
            call.owner === grant.owner &&
            call.isWrong !== true &&
            call.call < at.mark &&
            ((call.kind === "release" && call.fence === grant.fence) ||
              (call.kind === "cancel" && call.ticket === grant.ticket)),
        );
        if (!isAsked)
          say("LK4", `${name}: ${told(grant)} was ${reason}, which its owner did not ask for`, (call) =>
            concerns(call, grant),
          );
      }
      if (reason === "nothing") say("LK5", `${name}: ${told(grant)} is gone without an end`);
    }
  }
}

/** One acquire gives one grant, however often it was sent; a wait that was given up gives none. */
function checkGrants({ steps, calls }: OrderFacts, say: Say): void {
  const asked = new Map<string, number>();
  for (const { kind, owner } of calls) if (kind === "acquire") asked.set(owner, (asked.get(owner) ?? 0) + 1);
  const given = new Map<string, Set<string>>();
  for (const step of steps)
    for (const grant of step.given) {
      const fences = given.get(grant.owner) ?? new Set<string>();
      // A place may be offered more than once.
      fences.add(grant.ticket ?? String(grant.fence));
      given.set(grant.owner, fences);
    }
  for (const [owner, fences] of given)
    if (fences.size > (asked.get(owner) ?? 0))
      say(
        "OU2",
        `${owner} asked ${asked.get(owner) ?? 0} times and was given ${[...fences].join(", ")}`,
        (call) => call.owner === owner,
      );
  for (const cancel of calls) {
    // One that was acquired several times is given back one time by one.
    if (cancel.kind !== "cancel" || cancel.outcome !== "ok" || cancel.as === "reentrant") continue;
    const later = steps.find(
      ({ name, at, after }) =>
        name === cancel.name &&
        at.mark > cancel.ret &&
        after.live.some(({ ticket }) => ticket === cancel.ticket),
    );
    if (later !== undefined)
      say(
        "LK10",
        `${cancel.name}: the ticket ${cancel.ticket} was given up, and holds it afterwards`,
        (call) => call === cancel || call.ticket === cancel.ticket,
      );
  }
}

/** Longest that a shard may take to wake those who wait for what it has just committed, in true ms. */
const wakeMs = 100;

/** Who waits for an answer hears of an offer at once. */
function checkPolls({ steps, polls }: OrderFacts, say: Say): void {
  for (const { name, given, at } of steps) {
    for (const grant of given) {
      if (!grant.offered) continue;
      const missed = polls.find(
        ({ ticket, fromMs, toMs, instance }) =>
          ticket === grant.ticket &&
          fromMs < at.durableMs &&
          Math.min(toMs, instance.endedMs) > at.durableMs + wakeMs &&
          isStill(steps, name, grant, at.durableMs + wakeMs),
      );
      if (missed !== undefined)
        say(
          "LK9",
          `${name}: ${told(grant)} was waited for when it was offered at ${at.durableMs.toFixed(0)} ms, and not told within ${wakeMs} ms`,
          (call) => concerns(call, grant),
        );
    }
  }
}

/** Whether an offer stands until a true time. */
function isStill(steps: readonly LockStep[], name: string, { fence }: LockGrant, untilMs: number): boolean {
  return !steps.some(
    (step) =>
      step.name === name &&
      step.at.ranMs <= untilMs &&
      (step.ended.some((grant) => grant.fence === fence) ||
        step.after.live.some((grant) => grant.fence === fence && !grant.offered)),
  );
}

/** Whether a call is about a grant. */
export function concerns(call: LockCall, { fence, ticket }: Pick<LockGrant, "fence" | "ticket">): boolean {
  if (call.fence === fence || call.gaveFence === fence) return true;
  return ticket !== undefined && (call.ticket === ticket || call.gaveTicket === ticket);
}

function told({ owner, kind, fence, offered }: LockGrant): string {
  return `${owner} (${kind}, fence ${fence}${offered ? ", offered" : ""})`;
}
