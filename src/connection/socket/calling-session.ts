import type { WireMethod } from "../../protocol/wire/frames.ts";
import { PendingCalls, type Received } from "./pending-calls.ts";
import { Session, type SessionEvents, type SessionParts } from "./session.ts";

/** A session that makes calls, as those of nodes do: apart, since an isolate's only listen. */
export class CallingSession extends Session {
  readonly #pending: PendingCalls;

  constructor(parts: Omit<SessionParts, "calls">, events: SessionEvents) {
    const pending = new PendingCalls(parts.codec);
    super({ ...parts, calls: pending }, events);
    this.#pending = pending;
  }

  /** Calls without an answer. */
  get calls(): number {
    return this.#pending.size;
  }

  /** Sends a call; `received` sees its answer in the turn of its arrival. Throws `frame_too_large`, `unavailable` where it is not open: nothing was sent then. */
  call(method: WireMethod, args: readonly unknown[], received: Received): Promise<object> {
    return this.#pending.call(this, method, args, received);
  }
}
