import type {
  LockInfoReply,
  LockInfoRequest,
  LockListReply,
  LockListRequest,
  ObserveReply,
  ObserveRequest,
} from "../../protocol/lock.ts";
import { checkLockName, checkLockPoll, checkLockPrefix } from "../../protocol/lock-rules.ts";
import { type CallScope, isRefusal, type Refusal } from "../../protocol/shard-api.ts";
import { maxListLimit } from "../../runtime/limits.ts";
import { checkWhole } from "../../runtime/ranges.ts";
import type { Ledger } from "../ledger.ts";
import { refusing } from "../refusal.ts";
import { unwritten } from "../unwritten.ts";
import type { LockCallParts } from "./lock-calls.ts";
import { isNothing, observed } from "./observed.ts";
import { endOf, type OpenCall } from "./open-calls.ts";

/** The calls that only look at locks. They are commits, too, though they write nothing: what they tell is durable (rule LK3). */
export class LockReads {
  readonly #parts: Omit<LockCallParts, "authority">;

  constructor(parts: Omit<LockCallParts, "authority">) {
    this.#parts = parts;
  }

  lockInfo(request: LockInfoRequest): Promise<LockInfoReply | Refusal> {
    const { name } = request;
    return this.#look<LockInfoReply>(request, {
      check: () => checkLockName(name),
      nowhere: () => ({ ...unwritten, info: { name, holders: [], waiters: 0 } }),
      found: (ledger, nowMs) => ({ ...ledger.stamp(), info: ledger.locks.info(name, nowMs) }),
    });
  }

  listLocks(request: LockListRequest): Promise<LockListReply | Refusal> {
    const { prefix, after, limit } = request;
    return this.#look<LockListReply>(request, {
      check: () => {
        checkLockPrefix(prefix);
        checkLimit(limit);
      },
      nowhere: () => ({ ...unwritten, locks: [], more: false }),
      found: (ledger, nowMs) => ({
        ...ledger.stamp(),
        ...ledger.locks.list(prefix, after, limit, nowMs),
      }),
    });
  }

  async observe(request: ObserveRequest): Promise<ObserveReply | Refusal> {
    const { name, after, waitMs } = request;
    const { instance, timers } = this.#parts;
    const waiting: { observer?: OpenCall<unknown, ObserveReply> } = {};
    const look = (waits: boolean) => {
      const met = (reply: ObserveReply): ObserveReply => {
        // In the stretch that found nothing, so that no step can lie between.
        waiting.observer?.end(undefined);
        if (waits && isNothing(reply)) waiting.observer = instance.observers.open(name, request);
        return reply;
      };
      return this.#look(request, {
        check: () => {
          checkLockName(name);
          checkLockPoll(waitMs);
        },
        nowhere: () => met({ ...unwritten, events: [], to: after ?? 0 }),
        found: (ledger) => met(observed(ledger, request)),
      });
    };
    try {
      const first = await look(waitMs > 0);
      const { observer } = waiting;
      if (observer === undefined || isRefusal(first) || !isNothing(first)) return first;
      return (await endOf(observer, timers, waitMs)) ?? (await look(false));
    } finally {
      waiting.observer?.end(undefined);
    }
  }

  async #look<R extends object>(
    request: CallScope,
    ways: {
      readonly check: () => void;
      /** The answer of a shard that was never written to. */
      readonly nowhere: () => R;
      readonly found: (ledger: Ledger, nowMs: number) => R;
    },
  ): Promise<R | Refusal> {
    const wrong = refusing(() => {
      ways.check();
      return undefined;
    });
    if (wrong !== undefined) return wrong;
    const { admission, clock, commit, residence } = this.#parts;
    const admitted = await admission.admit(request, "read");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    return await commit.submit(() => {
      if (admitted === undefined && residence.open() === undefined) return ways.nowhere();
      const ledger = residence.admit(request);
      return isRefusal(ledger) ? ledger : ways.found(ledger, clock.now());
    });
  }
}

function checkLimit(limit: number): void {
  checkWhole("invalid_argument", "limit", limit, 1, maxListLimit);
}
