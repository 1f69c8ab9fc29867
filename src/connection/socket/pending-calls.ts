import { WarpError } from "../../errors.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import type { WireMethod } from "../../protocol/wire/frames.ts";
import { isLarger } from "../../protocol/wire/json.ts";

/** Sees an answer in the turn of its arrival, between the frames before and after it, and gives it on. */
export type Received = (reply: object) => object;

interface Pending {
  readonly received: Received;
  readonly resolve: (reply: object) => void;
  readonly reject: (error: WarpError) => void;
}

/** What sends a call: see `Session`. */
interface Asking {
  ask(make: (id: number, maxBytes: number) => string | Uint8Array): void;
}

/** What a session does about its calls. */
export type SessionCalls = Pick<PendingCalls, "answered" | "failed" | "end">;

/** Calls of one session that have no answer yet. */
export class PendingCalls {
  readonly #codec: FrameCodec;
  readonly #pending = new Map<number, Pending>();

  constructor(codec: FrameCodec) {
    this.#codec = codec;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Sends a call; `received` sees its answer in the turn of its arrival. Throws `frame_too_large`, `unavailable` where the session is not open: nothing was
   * sent then.
   */
  call(session: Asking, method: WireMethod, args: readonly unknown[], received: Received): Promise<object> {
    let answer: Promise<object> | undefined;
    session.ask((id, max) => {
      const data = this.#codec.encode({ t: "call", id, m: method, a: args });
      if (isLarger(data, max)) {
        throw new WarpError("frame_too_large", `a call to a shard has at most ${max} bytes as it is sent`, {
          details: { max },
        });
      }
      answer = new Promise((resolve, reject) => this.#pending.set(id, { received, resolve, reject }));
      return data;
    });
    if (answer === undefined) throw new WarpError("internal", "a call was not sent");
    return answer;
  }

  /** An answer to what nobody asked, or no longer, is none. */
  answered(id: number, reply: unknown): void {
    const pending = this.#take(id);
    if (pending === undefined) return;
    if (typeof reply === "object" && reply !== null) pending.resolve(pending.received(reply));
    else pending.reject(new WarpError("internal", "a shard's answer is no object", { outcome: "unknown" }));
  }

  failed(id: number, error: WarpError): void {
    this.#take(id)?.reject(error);
  }

  /** The session is over: none of them will be answered. */
  end(error: WarpError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of all) reject(error);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
