import type { LockHolder, LockInfo } from "../protocol/lock.ts";
import { maxListedHolders, maxToldHolders } from "../runtime/coordination-limits.ts";
import type { LockGrant, LockStore } from "./lock-store.ts";

/** What can be told of a name at `nowMs`; `brief`, for lists: fewer holders, and no values. */
export function lockInfo(store: LockStore, name: string, nowMs: number, brief = false): LockInfo {
  const usage = store.usage(name);
  const limit = brief ? maxListedHolders : maxToldHolders;
  const holders = store.live(name, limit).map((grant) => holderOf(grant, nowMs, brief));
  const omitted = (usage?.grants ?? 0) - holders.length;
  const wanted = usage ?? store.queue(name, 0, 1)[0];
  const delayMs = store.delayOf(name);
  const forced = store.lastForced(name);
  return {
    name,
    holders,
    ...(omitted > 0 && { omitted }),
    waiters: store.countWaiters(name),
    ...(wanted?.kind === "semaphore" && { permits: wanted.permits }),
    ...(delayMs !== undefined && { closedForMs: left(delayMs, nowMs) }),
    ...(forced?.ended !== undefined && {
      forced: {
        by: forced.ended.by ?? "",
        owner: forced.owner,
        fence: forced.fence,
        atMs: Math.floor(forced.ended.atMs),
      },
    }),
  };
}

function holderOf(grant: LockGrant, nowMs: number, brief: boolean): LockHolder {
  const { owner, fence, kind, ttlMs, deadlineMs, count, take, offered, value } = grant;
  return {
    owner,
    fence,
    kind,
    ttlMs,
    remainingMs: left(deadlineMs, nowMs),
    count,
    take,
    ...(offered && { offered: true as const }),
    ...(value !== undefined && !brief && { value }),
  };
}

function left(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.floor(untilMs - nowMs));
}
