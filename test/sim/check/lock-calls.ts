/** Locks as their callers were told of them: nothing here looks into a shard. */

import type { LockCall } from "./lock-history.ts";
import type { Violation } from "./violation.ts";

/** The time for which somebody was told that a grant is his. */
interface Tenancy {
  readonly fence: number;
  readonly name: string;
  readonly owner: string;
  readonly kind: string;
  readonly take: number;
  readonly permits: number;
  readonly calls: readonly LockCall[];
}

type Say = (rule: string, what: string, locks: readonly LockCall[]) => void;

/** Rules LK1, LK2, LK4, LK5, LK6, LK7, LK14 and OU2 as callers can see them, over all shards. */
export function checkLockCalls(
  calls: readonly LockCall[],
  shards: (key: string) => number,
): readonly Violation[] {
  const violations: Violation[] = [];
  const say: Say = (rule, what, locks) => void violations.push({ rule, what, operations: [], locks });
  for (const call of calls) {
    if (call.isWrong === true && call.outcome === "ok")
      say("LK4", `${call.owner} did as it liked with a grant that is another's`, [call]);
    const different = (call.copies ?? []).find((copy) => call.outcome === "ok" && !isSame(call, copy));
    if (different !== undefined)
      say("OU2", `two copies of one command have different answers, the other: ${different}`, [call]);
  }
  const tenancies = tenanciesOf(calls);
  checkFenceOrder(tenancies, say);
  checkEnds(calls, say);
  for (const name of new Set(tenancies.map((one) => one.name))) {
    const ofName = tenancies.filter((one) => one.name === name);
    const forces = calls.filter((call) => call.kind === "force" && call.name === name);
    checkOverlaps(ofName, say);
    checkValidity(ofName, calls, forces, say);
    checkGuards(name, ofName, calls, shards, say);
  }
  return violations;
}

/** Copies agree about what was given: the state of a place may have moved on. */
function isSame(call: LockCall, copy: string): boolean {
  const given = call.gaveTicket ?? call.gaveFence;
  return given === undefined ? copy === (call.state ?? "") : copy.includes(String(given)) || isOver(copy);
}

/** The answer to a copy may be that the place or the grant is gone by now. */
function isOver(copy: string): boolean {
  return copy.startsWith("fail") && /lock_lost|ticket_not_found|lock_held/.test(copy);
}

function tenanciesOf(calls: readonly LockCall[]): readonly Tenancy[] {
  const found = new Map<string, Tenancy & { calls: LockCall[] }>();
  for (const call of calls) {
    const { outcome, state, gaveFence: fence, shard } = call;
    if (outcome !== "ok" || state !== "held" || fence === undefined || call.isWrong === true) continue;
    const id = `${shard} ${fence} ${call.name} ${call.owner}`;
    const one = found.get(id);
    if (one !== undefined) {
      one.calls.push(call);
      continue;
    }
    // A poll does not say what it waits for.
    const asked = calls.find((other) => other.kind === "acquire" && other.owner === call.owner) ?? call;
    found.set(id, {
      fence,
      name: call.name,
      owner: call.owner,
      kind: call.as ?? asked.as ?? "mutex",
      take: call.take ?? asked.take ?? 1,
      permits: call.permits ?? asked.permits ?? 1,
      calls: [call],
    });
  }
  return [...found.values()];
}

/** A grant that was told before another was asked for has the lower fence; and a fence is of one grant. */
function checkFenceOrder(tenancies: readonly Tenancy[], say: Say): void {
  for (const one of tenancies) {
    const [first] = one.calls;
    if (first === undefined) continue;
    for (const other of tenancies) {
      const [later] = other.calls;
      if (other === one || later === undefined || later.shard !== first.shard) continue;
      if (other.fence === one.fence) {
        if (one.owner < other.owner || one.name < other.name)
          say("LK2", `the fence ${one.fence} was given twice`, [first, later]);
      } else if (first.ret < askedAt(later, tenancies) && other.fence < one.fence)
        say("LK2", `the fence ${one.fence} was followed by ${other.fence}`, [first, later]);
    }
  }
}

/** Before this moment a grant was surely not given. Of a claim it is not known: the offer was before. */
function askedAt(call: LockCall, _: readonly Tenancy[]): number {
  return call.kind === "acquire" && call.gaveTicket === undefined ? call.call : Number.NEGATIVE_INFINITY;
}

/** After the answer that something has ended nobody is told that it is held. */
function checkEnds(calls: readonly LockCall[], say: Say): void {
  const ends = calls.filter(
    (call) =>
      call.fence !== undefined &&
      call.isWrong !== true &&
      call.replayed !== true &&
      ((call.kind === "release" && call.outcome === "ok" && call.as !== "reentrant") ||
        (call.outcome === "fail" && call.error === "lock_lost")),
  );
  for (const end of ends) {
    const again = calls.find(
      (call) =>
        call.call > end.ret &&
        call.shard === end.shard &&
        call.outcome === "ok" &&
        call.state === "held" &&
        call.replayed !== true &&
        call.gaveFence === end.fence,
    );
    if (again !== undefined) say("LK5", `the fence ${end.fence} had ended, and is held again`, [end, again]);
  }
}

function excludes(one: Tenancy, other: Tenancy): boolean {
  if (one.kind === "read" && other.kind === "read") return false;
  return one.kind !== "semaphore" || other.kind !== "semaphore" || one.take + other.take > one.permits;
}

/** A grant is live at the shard from the first answer that says so to the last call that is answered so. */
function checkOverlaps(tenancies: readonly Tenancy[], say: Say): void {
  const spans = tenancies.map((one) => {
    const fresh = one.calls.filter(({ replayed }) => replayed !== true);
    return {
      one,
      from: Math.min(...fresh.map(({ ret }) => ret)),
      to: Math.max(...fresh.map(({ call }) => call)),
    };
  });
  for (const a of spans)
    for (const b of spans) {
      if (a.one.fence >= b.one.fence || !excludes(a.one, b.one)) continue;
      // Each of them is one moment in the shard's order at least: of a moment that a span lies around.
      const isInside = (x: typeof a, y: typeof a): boolean =>
        y.one.calls.some(({ call, ret, replayed }) => replayed !== true && x.from < call && ret < x.to);
      if ((a.from < b.to && b.from < a.to) || isInside(a, b) || isInside(b, a))
        say("LK1", `${a.one.name} was held under the fences ${a.one.fence} and ${b.one.fence} at once`, [
          ...a.one.calls,
          ...b.one.calls,
        ]);
    }
}

/** While a handle says that it is valid nobody else's does, and nobody is told that it has run out. */
function checkValidity(
  tenancies: readonly Tenancy[],
  calls: readonly LockCall[],
  forces: readonly LockCall[],
  say: Say,
): void {
  const spans = tenancies.flatMap((one) => {
    // Its session may end at any time, and then it is known to be over by the socket.
    if (one.calls.some(({ endsWithSession }) => endsWithSession === true)) return [];
    const given = one.calls.filter(({ validToMs }) => validToMs !== undefined);
    if (given.length === 0) return [];
    const fromMs = Math.min(...given.map(({ retMs }) => retMs));
    const letGo = calls.filter(
      (call) =>
        call.owner === one.owner &&
        ((call.kind === "release" && call.fence === one.fence) ||
          (call.kind === "cancel" && given.some((grant) => grant.ticket === call.ticket))),
    );
    const endMs = Math.min(
      Number.POSITIVE_INFINITY,
      ...letGo.map(({ callMs }) => callMs),
      ...forces
        .filter(({ retMs }) => retMs >= Math.min(...given.map(({ callMs }) => callMs)))
        .map(({ callMs }) => callMs),
    );
    const toMs = Math.min(endMs, Math.max(...given.map(({ validToMs }) => validToMs ?? 0)));
    return toMs > fromMs ? [{ one, fromMs, toMs }] : [];
  });
  for (const a of spans) {
    for (const b of spans)
      if (a.one.fence < b.one.fence && excludes(a.one, b.one) && a.fromMs < b.toMs && b.fromMs < a.toMs)
        say(
          "LK7",
          `${a.one.name} is valid under the fence ${a.one.fence} from ${a.fromMs.toFixed(0)} to ${a.toMs.toFixed(0)} ms and under ${b.one.fence} from ${b.fromMs.toFixed(0)} to ${b.toMs.toFixed(0)} ms`,
          [...a.one.calls, ...b.one.calls],
        );
    const early = calls.find(
      ({ fence, owner, outcome, reason, retMs }) =>
        fence === a.one.fence &&
        owner === a.one.owner &&
        outcome === "fail" &&
        reason === "expired" &&
        retMs < a.toMs,
    );
    if (early !== undefined)
      say("LK6", `the fence ${a.one.fence} has expired, though it is valid until ${a.toMs.toFixed(0)} ms`, [
        ...a.one.calls,
        early,
      ]);
  }
}

/** In the lock's own shard revisions tell the order: no write under a fence has one above the next grant's; elsewhere fences of one key never fall. */
function checkGuards(
  name: string,
  tenancies: readonly Tenancy[],
  calls: readonly LockCall[],
  shards: (key: string) => number,
  say: Say,
): void {
  const writes = calls.filter(
    (call) =>
      call.kind === "guard" && call.name === name && call.outcome === "ok" && call.version !== undefined,
  );
  for (const write of writes) {
    const { key = "", fence = 0, version = 0 } = write;
    const mine = tenancies.find((one) => one.fence === fence);
    if (shards(key) === write.shard) {
      const next = tenancies.find(
        (one) => mine !== undefined && one.fence > fence && one.fence < version && excludes(mine, one),
      );
      if (next !== undefined)
        say(
          "LK14",
          `${key} v${version} was written under the fence ${fence}, after ${next.fence} had been given`,
          [write, ...next.calls],
        );
      continue;
    }
    const later = writes.find(
      (other) => other.key === key && (other.version ?? 0) < version && (other.fence ?? 0) > fence,
    );
    if (later !== undefined)
      say(
        "LK14",
        `${key} v${version} was written under the fence ${fence}, after ${later.fence} had been seen`,
        [later, write],
      );
  }
}
