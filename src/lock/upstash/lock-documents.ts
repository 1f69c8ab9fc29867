import { WarpError } from "../../errors.ts";
import { opIdTime } from "../../protocol/mutation.ts";
import type { KnownOutcome } from "../../protocol/outcomes.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { Random } from "../../runtime/random.ts";
import { spacePrefix } from "../../upstash/keys.ts";
import { listOf, stringOf, textOf } from "../../upstash/reply.ts";
import type { Effect, UpstashRedis } from "../../upstash/upstash-redis.ts";
import { decodeRows, isUsed, type LockRows, noRows, rowsEndMs } from "./lock-rows.ts";
import { namesScript, readScript, writeScript } from "./scripts.ts";

/** What is known of a name, and of which version that is. */
export interface LockDocument {
  /** Empty: there is none. */
  readonly version: string;
  /** As it is stored. */
  readonly text: string;
  readonly rows: LockRows;
}

/** What has become of a document, and how it is stored. */
export interface ChangedRows {
  readonly rows: LockRows;
  readonly text: string;
}

/** What one look at the space has found. */
export interface LocksRead {
  /** Empty: nobody has used a lock of the space. */
  readonly epoch: string;
  readonly nowMs: number;
  /** The revision before those that were taken; with none, the newest one. */
  readonly revision: number;
  readonly documents: ReadonlyMap<string, LockDocument>;
  /** By op id. */
  readonly verdicts: ReadonlyMap<string, KnownOutcome>;
}

export interface LockDocumentsOptions {
  readonly redis: UpstashRedis;
  readonly space: string;
  readonly random: Random;
  /** Whose time counts; undefined: the server's own. */
  readonly time: Clock | undefined;
}

/** What of the locks of a space is in Redis: a document for each name, verdicts by op id. */
export class LockDocuments {
  readonly #options: LockDocumentsOptions;
  readonly #meta: string;

  /** Throws `invalid_space`. */
  constructor(options: LockDocumentsOptions) {
    this.#options = options;
    this.#meta = `${spacePrefix(options.space)}l`;
  }

  /** Takes so many revisions, and reads all at one moment. Throws as `UpstashRedis.command`, and `decode_failed`. */
  async read(
    {
      names,
      opIds = [],
      revisions,
      known,
    }: {
      readonly names: readonly string[];
      readonly opIds?: readonly string[];
      readonly revisions: number;
      readonly known?: LockDocument | undefined;
    },
    limits: CallLimits | undefined,
  ): Promise<LocksRead> {
    const { redis, random, time } = this.#options;
    const now = time === undefined ? "" : `${Math.floor(time.now())}`;
    const asked = opIds.flatMap((opId) => minuteOf(opId).map((minute) => ({ minute, opId })));
    const words = [
      ...[randomHex(random, 8), now, `${revisions}`, `${names.length}`],
      ...names.flatMap((name) => [name, known?.version ?? ""]),
      ...asked.flatMap(({ minute, opId }) => [minute, opId]),
    ];
    // Revisions that were taken twice are left out: it may be asked again.
    const reply = listOf(await redis.script(readScript, [this.#meta], words, "read", limits));
    const [epoch, nowText, revision, docs = [], found = []] = reply;
    const texts = listOf(docs).map(stringOf);
    const documents = names.map((name, i) => {
      const [version = "", text = ""] = texts.slice(2 * i, 2 * i + 2);
      if (text === "=" && known !== undefined) return [name, known] as const;
      const rows = version === "" ? noRows : decodeRows(name, text);
      return [name, { version, text: textOf(text), rows }] as const;
    });
    const verdicts = listOf(found).flatMap((one, i) => {
      const text = stringOf(one);
      return text === "" ? [] : [[asked[i]?.opId ?? "", decodeVerdict(text)] as const];
    });
    return {
      epoch: stringOf(epoch),
      nowMs: Number(stringOf(nowText)),
      revision: Number(stringOf(revision)),
      documents: new Map(documents),
      verdicts: new Map(verdicts),
    };
  }

  /** Writes what has become of documents, and verdicts, if all is as it was read: gives whether it was. */
  async write(
    read: LocksRead,
    changed: ReadonlyMap<string, ChangedRows>,
    verdicts: ReadonlyMap<string, KnownOutcome>,
    effect: Effect,
    limits: CallLimits | undefined,
  ): Promise<boolean> {
    const words = [...read.documents].flatMap(([name, { version }]) => {
      const next = changed.get(name);
      const endMs = next === undefined ? undefined : rowsEndMs(next.rows);
      if (next === undefined) return [name, version, "=", "", "", ""];
      if (endMs === undefined) return [name, version, "", "", "", "0"];
      const lifeMs = Math.max(1, Math.ceil(endMs - read.nowMs));
      const used = isUsed(next.rows) ? "1" : "0";
      return [name, version, versionOf(read), next.text, `${lifeMs}`, used];
    });
    const kept = [...verdicts].flatMap(([opId, known]) =>
      minuteOf(opId).flatMap((minute) => [minute, opId, JSON.stringify(known)]),
    );
    const all = [`${read.documents.size}`, ...words, ...kept];
    return (await this.#options.redis.script(writeScript, [this.#meta], all, effect, limits)) === 1;
  }

  /** Names that are in use, or were until not long ago. */
  async names(
    prefix: string,
    after: string,
    limit: number,
    limits: CallLimits | undefined,
  ): Promise<readonly string[]> {
    const words = [prefix, after, `${limit}`];
    const found = await this.#options.redis.script(namesScript, [this.#meta], words, "read", limits);
    return listOf(found).map((name) => textOf(stringOf(name)));
  }
}

/** Throws `decode_failed`: an error of the parser would quote what it reads. */
function decodeVerdict(text: string): KnownOutcome {
  try {
    return JSON.parse(textOf(text)) as KnownOutcome;
  } catch {
    throw new WarpError("decode_failed", "what is stored of a lock's command has no form that can be read");
  }
}

/** Of what is written after a read: the first of the revisions that it took. */
function versionOf({ revision }: LocksRead): string {
  return `${revision + 1}`;
}

/** Under which minute an op id's verdict is kept; none: it is no op id. */
function minuteOf(opId: string): readonly string[] {
  const atMs = opIdTime(opId);
  return atMs === undefined ? [] : [`${Math.floor(atMs / 60_000)}`];
}
