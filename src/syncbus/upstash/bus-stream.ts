import { WarpError } from "../../errors.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import { upstashEntriesAtOnce } from "../../runtime/upstash-limits.ts";
import { spacePrefix } from "../../upstash/keys.ts";
import { listOf, type Reply, stringOf } from "../../upstash/reply.ts";
import { Script } from "../../upstash/script.ts";
import { asUnreachable } from "../../upstash/unreachable.ts";
import type { UpstashRedis } from "../../upstash/upstash-redis.ts";
import { type BusEntry, entryField, readEntry } from "./bus-entry.ts";

/** An entry with its place; undefined: what it holds can't be read. */
export interface PlacedEntry {
  /** `<ms>-<seq>`, as Redis gives them. */
  readonly place: string;
  readonly entry: BusEntry | undefined;
  readonly error?: unknown;
}

/** Where a node has come to: the last entry that it has read, by place and id. A stream that has lost its tail may have another one in that place. */
export interface StreamCursor {
  readonly place: string;
  readonly id: string;
}

/** The newest entry; a mark, written now, where there is none: what comes later has something to come after. */
const headScript = new Script(`
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #last == 0 then
  redis.call('XADD', KEYS[1], '*', '${entryField}', ARGV[1])
  last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
end
return last[1]
`);

/** Several entries, all or none. */
const appendScript = new Script(`
for i = 2, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', '${entryField}', ARGV[i]) end
return #ARGV - 1
`);

/** The stream of a space's bus: `warp:{space}:bus`, of a bounded length. */
export class BusStream {
  readonly #redis: UpstashRedis;
  readonly #key: string;
  readonly #maxEntries: string;

  /** Throws `invalid_space`. */
  constructor(redis: UpstashRedis, space: string, maxEntries: number) {
    this.#redis = redis;
    this.#key = `${spacePrefix(space)}bus`;
    this.#maxEntries = `${maxEntries}`;
  }

  /** The longest that one request takes, in ms. */
  get timeoutMs(): number {
    return this.#redis.timeoutMs;
  }

  /** Appends entries. Throws `unavailable`, `deadline_exceeded`, `aborted`, with outcome `unknown` where they may stand there. */
  async append(texts: readonly string[], limits?: CallLimits): Promise<void> {
    const [only = ""] = texts;
    await asUnreachable(() =>
      texts.length === 1
        ? this.#redis.command(
            ["XADD", this.#key, "MAXLEN", "~", this.#maxEntries, "*", entryField, only],
            "write",
            limits,
          )
        : this.#redis.script(appendScript, [this.#key], [this.#maxEntries, ...texts], "write", limits),
    );
  }

  /** The newest place; `mark` is what is written where there is none. To repeat it does no harm. */
  async head(mark: string): Promise<StreamCursor> {
    const last = await asUnreachable(() => this.#redis.script(headScript, [this.#key], [mark], "read"));
    return cursorAt(placed(last));
  }

  /** The next entries behind a cursor, some at a time; undefined: what stood there is gone, trimmed or lost, and nobody can say what followed. */
  async after({ place, id }: StreamCursor): Promise<readonly PlacedEntry[] | undefined> {
    const range = ["XRANGE", this.#key, place, "+", "COUNT", `${upstashEntriesAtOnce + 1}`];
    const reply = await asUnreachable(() => this.#redis.command(range, "read"));
    const [first, ...entries] = listOf(reply).map(placed);
    if (first === undefined || first.place !== place || cursorAt(first).id !== id) return undefined;
    return entries;
  }

  /** Whether it answers. Throws as {@link head}. */
  async check(): Promise<void> {
    await asUnreachable(() => this.#redis.command(["XLEN", this.#key], "read"));
  }
}

/** The cursor behind an entry. */
export function cursorAt({ place, entry }: PlacedEntry): StreamCursor {
  return { place, id: entry?.id ?? "?" };
}

/** `place~id`. */
export function formatStreamCursor({ place, id }: StreamCursor): string {
  return `${place}~${id}`;
}

/** Throws `invalid_cursor`. */
export function parseStreamCursor(cursor: string): StreamCursor {
  const [, place, id] = /^([0-9]{1,20}-[0-9]{1,20})~([\x21-\x7e]{1,128})$/.exec(cursor) ?? [];
  if (place !== undefined && id !== undefined) return { place, id };
  throw new WarpError("invalid_cursor", "this is no cursor of a bus over Upstash", {
    details: { field: "cursor" },
  });
}

function placed(reply: Reply): PlacedEntry {
  const [place, fields] = listOf(reply);
  const at = stringOf(place);
  try {
    return { place: at, entry: readEntry(listOf(fields ?? [])) };
  } catch (error) {
    return { place: at, entry: undefined, error };
  }
}
