import type { Refusal } from "../../protocol/call-scope.ts";
import type { Timers } from "../../runtime/clock.ts";

/** How an open call ends: with its answer, or undefined, and then its caller is to look again. */
export type CallEnd<Reply> = Reply | Refusal | undefined;

/** A call that waits for something to happen. */
export interface OpenCall<Request, Reply> {
  readonly request: Request;
  readonly session: string | undefined;
  readonly ended: Promise<CallEnd<Reply>>;
  /** Ends it; the first word counts. */
  end(how: CallEnd<Reply>): void;
}

/** Calls of a shard instance that wait, by what they wait for. In memory: who loses one asks again. */
export class OpenCalls<Request, Reply> {
  readonly #open = new Map<string, Set<OpenCall<Request, Reply>>>();

  /** Whether a call waits for this. */
  has(key: string): boolean {
    return this.#open.has(key);
  }

  open(key: string, request: Request, session?: string): OpenCall<Request, Reply> {
    const { promise, resolve } = Promise.withResolvers<CallEnd<Reply>>();
    const call: OpenCall<Request, Reply> = {
      request,
      session,
      ended: promise,
      end: (how) => {
        this.#forget(key, call);
        resolve(how);
      },
    };
    const others = this.#open.get(key);
    if (others === undefined) this.#open.set(key, new Set([call]));
    else others.add(call);
    return call;
  }

  /** Those that wait for this. */
  of(key: string): readonly OpenCall<Request, Reply>[] {
    return [...(this.#open.get(key) ?? [])];
  }

  all(): readonly OpenCall<Request, Reply>[] {
    return [...this.#open.values()].flatMap((calls) => [...calls]);
  }

  #forget(key: string, call: OpenCall<Request, Reply>): void {
    const calls = this.#open.get(key);
    calls?.delete(call);
    if (calls?.size === 0) this.#open.delete(key);
  }
}

/** How a call ends, `waitMs` from now at the latest: then undefined. */
export async function endOf<Reply>(
  call: OpenCall<unknown, Reply>,
  timers: Timers,
  waitMs: number,
): Promise<CallEnd<Reply>> {
  const cancel = timers.after(waitMs, () => call.end(undefined));
  try {
    return await call.ended;
  } finally {
    cancel();
  }
}
