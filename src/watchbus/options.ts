import { WarpError } from "../errors.ts";
import { type WatchFilter, watchModes, watchOperations } from "../protocol/watch.ts";
import { checkTarget } from "../protocol/watch-rules.ts";
import type { WatchOptions, WatchTarget } from "./watchbus.ts";

/** Throws `invalid_key`, `invalid_argument` that names the option, `aborted`. */
export function checkWatch(target: WatchTarget, { mode, ops, signal, from }: WatchOptions): WatchFilter {
  checkTarget(target);
  if (mode !== undefined && !watchModes.includes(mode)) throw wrong("mode", watchModes.join(", "));
  if (ops !== undefined && (ops.length === 0 || ops.some((op) => !watchOperations.includes(op)))) {
    throw wrong("ops", `some of ${watchOperations.join(", ")}`);
  }
  if (from !== undefined && from !== "now" && from !== "snapshot" && typeof from.cursor !== "string") {
    throw wrong("from", "now, snapshot or { cursor }");
  }
  if (signal?.aborted === true) {
    throw new WarpError("aborted", "the caller gave up before the watch began", { cause: signal.reason });
  }
  const wanted = ops === undefined ? {} : { ops: [...new Set(ops)].sort() };
  return { target: { ...target }, mode: mode ?? "all", ...wanted };
}

function wrong(field: string, form: string): WarpError {
  return new WarpError("invalid_argument", `${field} is ${form}`, { details: { field } });
}

/** What a watch is counted under. */
export function watchedName(target: WatchTarget): string {
  return "key" in target ? target.key : `${target.prefix}*`;
}
