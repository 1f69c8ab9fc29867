import { WarpError } from "../../errors.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { maxProposals, maxStreamProposals, minStreamBytes } from "../../runtime/fallback-limits.ts";
import { spacePrefix } from "../../upstash/keys.ts";
import { listOf, type Reply, stringOf } from "../../upstash/reply.ts";
import type { Script } from "../../upstash/script.ts";
import type { Effect, UpstashRedis } from "../../upstash/upstash-redis.ts";
import {
  aheadOfClock,
  checkPageLimit,
  checkProposals,
  checkShard,
  resolveBounds,
  type StreamBounds,
  streamFull,
  tooOld,
} from "../check.ts";
import { pageOf, type StreamEntry } from "../entries.ts";
import type { Fallback, Proposal, ProposalPage, SpaceNotice, StreamPlace } from "../fallback.ts";
import { checkPlace, isPlace, placeAfter } from "../place.ts";
import { proposalForm, readNotice, readProposal } from "./form.ts";
import { announceScript, appendScript, clearScript, readScript, trimScript } from "./scripts.ts";

/** What an Upstash fallback is made of. */
export interface UpstashFallbackOptions extends StreamBounds {
  /** One database for several spaces and drivers. It is not closed with the fallback. */
  readonly redis: UpstashRedis;
  /** 1 to 64 of `a-z 0-9 . _ -`. All keys in Redis begin with `warp:{space}:p`. */
  readonly space: string;
  /** Whose time dates places and judges op ids: Redis's own (default), or another, for tests. */
  readonly time?: Clock;
}

/** Streams in an Upstash database. Throws `invalid_argument`, `invalid_space`. */
export function upstashFallback(options: UpstashFallbackOptions): Fallback {
  return new UpstashFallback(options);
}

class UpstashFallback implements Fallback {
  readonly #redis: UpstashRedis;
  readonly #hash: string;
  readonly #time: Clock | undefined;
  readonly #bounds: Required<StreamBounds>;
  readonly #inFlight = new Set<AbortController>();
  #isClosed = false;

  constructor(options: UpstashFallbackOptions) {
    this.#redis = options.redis;
    this.#hash = `${spacePrefix(options.space)}p`;
    this.#time = options.time;
    this.#bounds = resolveBounds(options, [maxProposals, maxStreamProposals, minStreamBytes]);
  }

  async append(
    shard: number,
    proposals: readonly Proposal[],
    limits?: CallLimits,
  ): Promise<readonly StreamPlace[]> {
    checkProposals(shard, proposals);
    const { maxProposals: most, maxBytes } = this.#bounds;
    const now = this.#time === undefined ? "" : `${Math.floor(this.#time.now())}`;
    const forms = proposals.flatMap((one) => [one.mutation.opId, proposalForm(one)]);
    const reply = await this.#run(
      shard,
      appendScript,
      [now, `${most}`, `${maxBytes}`, ...forms],
      "write",
      limits,
    );
    switch (reply) {
      case "full":
        throw streamFull();
      case "old":
        throw tooOld();
      case "ahead":
        throw aheadOfClock();
      default:
        return listOf(reply).map(placeOf);
    }
  }

  async read(
    shard: number,
    after: StreamPlace | undefined,
    limit: number,
    limits?: CallLimits,
  ): Promise<ProposalPage> {
    checkShard(shard);
    checkPageLimit(limit);
    if (after !== undefined) checkPlace(after);
    const reply = listOf(await this.#run(shard, readScript, [after ?? "", `${limit}`], "read", limits));
    const [head, applied] = [stringOf(reply[0]), stringOf(reply[1])];
    const marks = { ...(head !== "" && { head }), ...(applied !== "" && { applied }) };
    const entries = listOf(reply[3] ?? []).map(entryOf);
    return pageOf(entries, stringOf(reply[2]) === "1", marks, after, limit);
  }

  async trim(shard: number, applied: StreamPlace, limits?: CallLimits): Promise<void> {
    checkShard(shard);
    checkPlace(applied);
    await this.#run(shard, trimScript, [applied], "write", limits);
  }

  async notice(limits?: CallLimits): Promise<SpaceNotice | undefined> {
    const reply = await this.#bound(limits, (bound) =>
      this.#redis.command(["HGET", this.#hash, "notice"], "read", bound),
    );
    return reply === null || reply === "" ? undefined : readNotice(stringOf(reply));
  }

  async announce(notice: SpaceNotice | undefined, limits?: CallLimits): Promise<void> {
    const values =
      notice === undefined
        ? []
        : [`${Math.floor(notice.space.createdAtMs)}`, `${notice.registrations}`, JSON.stringify(notice)];
    await this.#bound(limits, (bound) =>
      this.#redis.script(announceScript, [this.#hash], values, "write", bound),
    );
  }

  async clear(shard: number, limits?: CallLimits): Promise<void> {
    checkShard(shard);
    await this.#run(shard, clearScript, [], "write", limits);
  }

  close(): void {
    this.#isClosed = true;
    for (const call of this.#inFlight) call.abort();
  }

  async #run(
    shard: number,
    script: Script,
    values: readonly string[],
    effect: Effect,
    limits: CallLimits | undefined,
  ): Promise<Reply> {
    const stream = `${this.#hash}:${shard}`;
    return await this.#bound(limits, (bound) =>
      this.#redis.script(
        script,
        [this.#hash, stream, `${stream}:ops`],
        [`${shard}`, ...values],
        effect,
        bound,
      ),
    );
  }

  /** The database is shared, so what ends with this driver is ended by a signal of its own. */
  async #bound<T>(limits: CallLimits | undefined, work: (limits: CallLimits) => Promise<T>): Promise<T> {
    const gone = (cause?: WarpError): WarpError =>
      new WarpError("warp_closed", "the way to the storage is closed", { outcome: cause?.outcome ?? "fail" });
    if (this.#isClosed) throw gone();
    const { signal } = limits ?? {};
    const own = new AbortController();
    const onAbort = (): void => own.abort(signal?.reason);
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#inFlight.add(own);
    try {
      return await work({ ...limits, signal: own.signal });
    } catch (error) {
      const isClosing = this.#isClosed && signal?.aborted !== true;
      throw isClosing && error instanceof WarpError && error.code === "aborted" ? gone(error) : error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#inFlight.delete(own);
    }
  }
}

function placeOf(reply: Reply): StreamPlace {
  const place = stringOf(reply);
  if (isPlace(place)) return place;
  throw new WarpError("storage_unavailable", "the storage answered something else than a place");
}

/** Throws `decode_failed`. */
function entryOf(reply: Reply): StreamEntry {
  const [last, before, count, skipped, ...forms] = listOf(reply).map(stringOf);
  const first = placeAfter(placeOf(last ?? ""), 1 - Number(count));
  const items = forms.map((form, at) => ({
    place: placeAfter(first, Number(skipped) + at),
    bytes: form.length,
    proposal: readProposal(form),
  }));
  return { before: placeOf(before ?? ""), first, last: placeOf(last ?? ""), items };
}
