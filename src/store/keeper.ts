import { WarpError } from "../errors.ts";
import type { Entries } from "./entries.ts";
import type { KeptState, Known, Persistence } from "./persistence.ts";

/** Keeps entries and cursor together. */
export interface Keeper {
  changed(key: string): void;
  /** More has changed than was told. */
  lost(): void;
  /** Keeps what has changed. `begin`: forgets what is kept, of whomever it is; from now on it belongs to this session. */
  save(begin?: "begin"): Promise<void>;
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
  let kept = from ?? "whole";
  /** Keys, with the revision up to which something else is known of them. */
  let changed = new Map<string, number>();
  let saving = Promise.resolve();

  const save = async (begin?: "begin"): Promise<void> => {
    const { known } = entries;
    const cursor = begin === undefined ? entries.cursor : undefined;
    // Else it is not the state of any moment.
    if (cursor === undefined && begin === undefined) return;
    const put: Known<T>[] = [];
    const drop: (readonly [string, number])[] = [];
    for (const key of begin ? [] : kept === "whole" ? known.keys() : changed.keys()) {
      const entry = known.get(key);
      if (entry !== undefined && (entry.value !== undefined || entry.unread || entry.ack !== undefined))
        put.push(entry);
      else drop.push([key, changed.get(key) ?? 0]);
    }
    changed = new Map();
    try {
      const change = { state: { ...state(), cursor }, from: begin ?? kept, put, drop };
      kept = cursor ?? "whole";
      const verdict = await persistence.save(change);
      if (verdict !== "kept") kept = "whole";
      failed();
      if (verdict === "foreign") foreign();
    } catch (error) {
      kept = "whole";
      failed(WarpError.from(error, "storage_unavailable", String(error)));
    }
  };
  return {
    changed: (key) => changed.set(key, entries.known.get(key)?.at ?? Number.MAX_VALUE),
    lost() {
      kept = "whole";
    },
    save(begin) {
      saving = saving.then(() => save(begin));
      return saving;
    },
  };
}

/** What is kept, if a store of this prefix has kept it. Undefined: nothing, or what was purged. Throws `decode_failed` for anything else. */
export async function load<T>(persistence: Persistence, prefix: string): Promise<Restored<T> | undefined> {
  const kept = (await persistence.load()) as Restored<T> | undefined;
  if (kept === undefined) return undefined;
  const { state, entries } = kept;
  const isEntry = (entry: Known | null): boolean =>
    typeof entry?.key === "string" && entry.key.startsWith(prefix) && entry.at >= -1;
  if (state?.format === 1) {
    if (!state.session || state.prefix !== prefix) return undefined;
    if (state.confirmedAtMs >= 0 && entries.every(isEntry)) return kept;
  }
  throw new WarpError("decode_failed", "what is kept is not a store's");
}
