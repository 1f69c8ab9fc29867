import type { HandleHost } from "../locking/handle-host.ts";
import { scopeOpId } from "../protocol/shard-api.ts";
import { uuidv7 } from "../runtime/ids.ts";
import type { Parts } from "./parts.ts";

/** What handles of this node ask of it: its clocks, and op ids of its own subject. */
export function handleHost<C>(parts: Parts, calls: C): Omit<HandleHost, "calls"> & { readonly calls: C } {
  const { clock, elapsed, timers, random, background, subject } = parts;
  return {
    calls,
    elapsed,
    timers,
    random,
    background,
    opId: () => scopeOpId(subject, uuidv7(clock, random)),
    onError: (error) => {
      parts.counters.errors++;
      parts.emitter.emit("error", { error });
    },
  };
}
