import { setTimeout as sleep } from "node:timers/promises";
import { clockRateMargin } from "../../../src/runtime/limits.ts";
import { newOpId } from "../http-client.ts";
import { type Failure, failed } from "./calls.ts";
import type { Ask } from "./isolate.ts";
import {
  type GrantRef,
  type LeaseCall,
  type LockAnswers,
  type LockCall,
  type Locked,
  machineMs,
} from "./lock-calls.ts";

const placeTimeoutMs = 600;
const repeatAfterMs = 100;
/** How long something is repeated that nobody answers. */
const patienceMs = 30_000;

interface GrantBody {
  readonly fence: number;
  readonly remainingMs: number;
}

/** Locks and leases over HTTP, as somebody uses them who repeats what was not answered. */
export class IsolateLocks {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async lock(call: LockCall & { do: "lock" }): Promise<LockAnswers["lock"]> {
    const { name, owner, ttlMs, waitMs, kind, permits, take } = call;
    const askedMs = machineMs();
    const places = new Set<string>();
    let awayMs = 0;
    let ticket: string | undefined;
    let opId = newOpId();
    let goneMs: number | undefined;
    let troubled = false;
    // Of a repeat under the same op id the answer tells what was left the first time.
    let opSentMs = askedMs;
    for (;;) {
      const sentMs = machineMs();
      const wait = waitMs === 0 ? {} : { waitMs };
      // After trouble a short question comes first: its answer tells how long nobody had heard of this waiter.
      const part = goneMs === undefined || !troubled ? {} : { waitMs: 0 };
      const body =
        ticket === undefined ? { owner, ttlMs, ...wait, kind, permits, take } : { owner, ticket, ...part };
      // The first one waits a short time only: then its answer tells the place in the queue.
      const first = { headers: { "Warp-Op-Id": opId }, timeoutMs: placeTimeoutMs };
      const answer = await this.#ask<GrantBody>("POST", lockPath(name), {
        body,
        ...(ticket === undefined ? first : {}),
      });
      const failure = "ok" in answer ? answer : undefined;
      if (failure !== undefined && isOfWay(failure)) {
        if (machineMs() - askedMs > waitMs + patienceMs) return failure;
        goneMs ??= machineMs();
        troubled = true;
        await sleep(repeatAfterMs);
        continue;
      }
      if (goneMs !== undefined && ticket !== undefined) {
        awayMs = Math.max(awayMs, (troubled ? machineMs() : sentMs) - goneMs);
      }
      goneMs = undefined;
      troubled = false;
      if (failure?.code === "ticket_not_found") {
        ticket = undefined;
        opId = newOpId();
        opSentMs = machineMs();
        continue;
      }
      if (failure?.code === "lock_waiting") {
        ticket = String(failure.details?.ticket);
        places.add(ticket);
        goneMs = machineMs();
        continue;
      }
      if ("ok" in answer) return answer;
      const { fence, remainingMs } = answer;
      const validMs = await this.#fresh(
        { name, owner, fence },
        {
          sentMs: ticket === undefined ? opSentMs : sentMs,
          remainingMs,
          ttlMs,
        },
      );
      if (typeof validMs !== "number") return validMs;
      const place = ticket === undefined ? {} : { ticket };
      const heldMs = machineMs();
      return {
        ok: true,
        fence,
        askedMs,
        heldMs,
        validMs,
        awayMs,
        places: places.size,
        ...place,
      } satisfies Locked;
    }
  }

  async change(call: Exclude<LockCall, { do: "lock" }>): Promise<object> {
    const { grant } = call;
    const { name, owner, fence } = grant;
    const query = `?owner=${encodeURIComponent(owner)}&fence=${fence}`;
    switch (call.do) {
      case "unlock": {
        const answer = await this.#insist("DELETE", lockPath(name) + query);
        if (!("ok" in answer)) return { ok: true, held: true };
        return ["lock_lost", "not_owner"].includes(answer.code) ? { ok: true, held: false } : answer;
      }
      case "renew":
        return await this.#renew(grant);
      case "confirm": {
        const answer = await this.#insist("GET", lockPath(name) + query);
        return "ok" in answer ? answer : { ok: true };
      }
      case "belief":
        throw new Error("over HTTP nobody believes anything");
    }
  }

  async lease(call: LeaseCall): Promise<object> {
    switch (call.do) {
      case "grant": {
        const { ttlMs, onEnd } = call;
        const answer = await this.#insist<{ id: string }>("POST", "/leases", { ttlMs, onEnd });
        return "ok" in answer ? answer : { ok: true, id: answer.id };
      }
      case "attach": {
        const { id, keys } = call;
        const answer = await this.#insist<{ changed: number }>("PUT", `/leases/${id}/keys`, { keys });
        return "ok" in answer ? answer : { ok: true, changed: answer.changed };
      }
      case "keepAlive": {
        const answer = await this.#insist<{ remainingMs: number }>("POST", `/leases/${call.id}/keepalive`);
        return "ok" in answer ? answer : { ok: true, remainingMs: answer.remainingMs };
      }
      case "revoke": {
        const answer = await this.#insist("DELETE", `/leases/${call.id}`);
        return "ok" in answer ? answer : { ok: true };
      }
    }
  }

  /** A grant that was long under way is renewed before it is counted on: its time began when the question left, as far as its holder knows. */
  async #fresh(
    grant: GrantRef,
    { sentMs, remainingMs, ttlMs }: { sentMs: number; remainingMs: number; ttlMs: number },
  ): Promise<number | Failure> {
    if (machineMs() - sentMs < ttlMs / 3) return sentMs + remainingMs * (1 - clockRateMargin);
    const renewed = await this.#renew(grant);
    return renewed.ok ? renewed.validMs : renewed;
  }

  async #renew({ name, owner, fence }: GrantRef): Promise<LockAnswers["renew"]> {
    const sentMs = machineMs();
    const answer = await this.#insist<GrantBody>("PATCH", lockPath(name), { owner, fence });
    return "ok" in answer
      ? answer
      : { ok: true, validMs: sentMs + answer.remainingMs * (1 - clockRateMargin) };
  }

  /** One change under one op id, until it is answered. */
  async #insist<T extends object>(method: string, path: string, body?: object): Promise<T | Failure> {
    const untilMs = machineMs() + patienceMs;
    const headers: Record<string, string> = method === "GET" ? {} : { "Warp-Op-Id": newOpId() };
    for (;;) {
      const answer = await this.#ask<T>(method, path, { ...(body && { body }), headers });
      if (!("ok" in answer) || !isOfWay(answer as Failure)) return answer;
      if (machineMs() > untilMs) return failed("gave_up", `${method} ${path} was never answered`, "unknown");
      await sleep(repeatAfterMs);
    }
  }
}

/** A failure that says nothing about the lock. */
function isOfWay({ code, outcome }: Failure): boolean {
  return (
    outcome === "unknown" ||
    ["unavailable", "overloaded", "deadline_exceeded", "write_interrupted"].includes(code)
  );
}

function lockPath(name: string): string {
  return `/locks/${encodeURIComponent(name)}`;
}
