import { WarpError } from "../errors.ts";
import type { Entries } from "./entries.ts";
import { failure } from "./failure.ts";
import { type KeptState, type Known, type Persistence, purgedState } from "./persistence.ts";

/** Keeps entries and cursor together. */
export interface Keeper {
  changed(key: string): void;
  /** More has changed than was told. */
  lost(): void;
  /** Keeps what has changed. `begin`: forgets what is kept, of whomever it is; from now on it belongs to this session. */
  save(begin?: boolean): Promise<void>;
}

/** What was kept, checked. */
export interface Restored<T> {
  readonly state: KeptState;
  readonly entries: readonly Known<T>[];
}

/** `from`: what is kept already. `state`: what is to be kept beside the entries. `failed`: without an error, it works again. `foreign`: what is kept belongs to another session by now. */
export function keeperOf<T>(
  persistence: Persistence,
  entries: Entries<T>,
  from: string | undefined,
  state: () => Omit<KeptState, "cursor">,
  failed: (error?: WarpError) => void,
  foreign: () => void,
): Keeper {
  /** Undefined: all that there is is to be kept. */
  let kept = from;
  /** Keys, with the revision up to which something else is known of them. */
  let changed = new Map<string, number>();
  let saving = Promise.resolve();

  const save = async (begin?: boolean): Promise<void> => {
    const { known } = entries;
    const cursor = begin ? undefined : entries.cursor;
    // Else it is not the state of any moment.
    if (!cursor && !begin) return;
    const put: Known<T>[] = [];
    const drop: (readonly [string, number])[] = [];
    for (const key of begin ? [] : (kept ? changed : known).keys()) {
      const entry = known.get(key);
      if (entry && (entry.value !== undefined || entry.unread || entry.ack)) put.push(entry);
      else drop.push([key, changed.get(key) ?? 0]);
    }
    const from = begin ? undefined : kept;
    const change = { state: { ...state(), cursor }, from, isBeginning: !!begin, put, drop };
    changed = new Map();
    kept = cursor;
    try {
      const verdict = await persistence.save(change);
      if (verdict !== "kept") kept = undefined;
      if (verdict === "foreign") foreign();
      failed();
    } catch (error) {
      kept = undefined;
      failed(failure(error, "storage_unavailable"));
    }
  };
  return {
    changed: (key) => changed.set(key, entries.known.get(key)?.at ?? Number.MAX_VALUE),
    lost() {
      kept = undefined;
    },
    save(begin) {
      saving = saving.then(() => save(begin));
      return saving;
    },
  };
}

/** What is kept, if a store of this prefix has kept it. Undefined: nothing, or what was purged. Throws `decode_failed` for anything else. */
export async function load<T>(persistence: Persistence, prefix: string): Promise<Restored<T> | undefined> {
  const kept = (await persistence.load()) as Restored<T>;
  const { state, entries } = kept;
  if ((state ?? purgedState).session === "") return undefined;
  const isEntry = (entry: Known | null): boolean => !!entry && entry.at >= 0;
  if (state.format === 1 && state.prefix === prefix && entries.every(isEntry)) return kept;
  throw new WarpError("decode_failed", "not kept by this store");
}
