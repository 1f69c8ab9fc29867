import { isOlder, judge, type KeptState, type Known, type Persistence, purgedState } from "./persistence.ts";

/** Keeps entries for as long as this object lives: for tests, and for stores that come and go in one page. */
export function memoryPersistence(): Persistence {
  let kept: KeptState | undefined;
  const entries = new Map<string, Known>();
  return {
    load: async () => ({ state: kept, entries: [...entries.values()] }),
    async save(change) {
      const verdict = judge(kept, change);
      if (verdict !== "write") return verdict;
      kept = change.state;
      if (change.from === undefined) entries.clear();
      for (const [key, at] of change.drop) if (isOlder(entries.get(key), at)) entries.delete(key);
      for (const entry of change.put)
        if (isOlder(entries.get(entry.key), entry.at)) entries.set(entry.key, entry);
      return "kept";
    },
    async purge() {
      entries.clear();
      kept = purgedState;
    },
    close() {},
  };
}
