import { concerns, type WatchFilter, type WatchKind } from "./watch.ts";

/** Whether an entry of the log, or a publication, is one that `filter` wants. */
export function wants({ target, ops }: WatchFilter, kind: WatchKind, key: string): boolean {
  const isPrefix = kind === "publishPrefix";
  if (!concerns(target, key, isPrefix)) return false;
  return ops === undefined || ops.includes(isPrefix ? "publish" : kind);
}

/** Whether who watches so wants to know the state: only of what is set there is one. */
export function wantsState({ ops }: Pick<WatchFilter, "ops">): boolean {
  return ops === undefined || ops.includes("set");
}
