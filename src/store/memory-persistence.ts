import { isNewer, judge, type KeptEntry, type KeptState, type Persistence } from "./persistence.ts";

/** Keeps entries for as long as this object lives: for tests, and for stores that come and go in one page. */
export function memoryPersistence(): Persistence {
  let kept: KeptState | undefined;
  const entries = new Map<string, KeptEntry>();
  return {
    load: async () => kept && { state: kept, entries: [...entries.values()] },
    async save(change) {
      const verdict = judge(kept, change);
      if (verdict !== "write" && verdict !== "ahead") return verdict;
      if (verdict === "write") {
        kept = change.state;
        if (change.from === "whole" || change.from === "begin") entries.clear();
        for (const [key, at] of change.drop) if (isNewer(entries.get(key), at)) entries.delete(key);
      }
      for (const entry of change.put) {
        const isPut = verdict === "write" || entry.ack !== undefined;
        if (isPut && isNewer(entries.get(entry.key), entry.at)) entries.set(entry.key, entry);
      }
      return "kept";
    },
    async purge() {
      entries.clear();
      kept = { format: 1, session: "", prefix: "", cursor: undefined, confirmedAtMs: 0, isWhole: true };
    },
    close() {},
  };
}
