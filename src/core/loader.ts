import type { CallOptions, ReadAnswer } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import { abortedError, type Call, tooLong } from "./call.ts";
import { toCacheEntry } from "./entry.ts";
import type { Follower } from "./follower.ts";
import { HeldErrors, isStorageTrouble } from "./held-errors.ts";
import type { L1 } from "./l1.ts";
import type { Lives } from "./lives.ts";
import type { Loaded, Need, Settled } from "./loaded.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import type { SecondTier } from "./second-tier.ts";
import { SingleFlight } from "./single-flight.ts";
import type { Tenures } from "./tenures.ts";

/** How often an answer that was overtaken by a change is asked for again before it is given as it is. */
const maxRounds = 3;

interface Wait {
  readonly need: Need;
  settled: Settled<Loaded> | undefined;
}

/** Loads keys from the storage behind L1: one load per key at a time, filling L1 by the floor rule. */
export class Loader {
  readonly #parts: Parts;
  readonly #l1: L1;
  readonly #lives: Lives;
  readonly #follower: Follower;
  readonly #flights: SingleFlight<Loaded>;
  /** Those of strong readers, who may share only what was asked for as they ask. */
  readonly #strongFlights: SingleFlight<Loaded>;
  readonly #tenures: Tenures;
  readonly #errors = new HeldErrors();
  readonly #tier: SecondTier | undefined;

  constructor(
    parts: Parts,
    l1: L1,
    follower: Follower,
    lives: Lives,
    tenures: Tenures,
    tier: SecondTier | undefined,
  ) {
    this.#tier = tier;
    this.#tenures = tenures;
    this.#parts = parts;
    this.#lives = lives;
    this.#l1 = l1;
    this.#follower = follower;
    const flights = {
      clock: parts.clock,
      background: parts.background,
      lostAfterMs: parts.joinTimeoutMs,
      errors: this.#errors,
      holds: isStorageTrouble,
    };
    this.#flights = new SingleFlight(flights);
    this.#strongFlights = new SingleFlight(flights);
  }

  #flightsOf({ settings }: Need): SingleFlight<Loaded> {
    return settings.mode === "strong" ? this.#strongFlights : this.#flights;
  }

  /** Readers to come don't join what is on its way for `key` now. */
  detach(key: string): void {
    this.#flights.detach(key);
    this.#strongFlights.detach(key);
  }

  /** Whether the last load of `key` failed a moment ago, so that none is begun now. */
  isHeld(key: string): boolean {
    return this.#errors.isHeld(key, this.#parts.clock.now());
  }

  detachPrefix(prefix: string): void {
    this.#flights.detachWhere((key) => key.startsWith(prefix));
    this.#strongFlights.detachWhere((key) => key.startsWith(prefix));
  }

  /** The answers for different keys, in order, each with its own error. Throws only what concerns the caller (deadline, abort). */
  async load(needs: readonly Need[], call: Call): Promise<readonly Settled<Loaded>[]> {
    const waits = needs.map((need): Wait => ({ need, settled: undefined }));
    let open: readonly Wait[] = waits;
    for (let round = 1; open.length > 0; round++) {
      await this.#round(open, call);
      if (round === maxRounds) break;
      open = open.filter(
        ({ settled }) => settled !== undefined && "value" in settled && settled.value.overtaken,
      );
    }
    return waits.map(
      ({ settled }) => settled ?? { error: new WarpError("internal", "a load was not settled") },
    );
  }

  async #round(waits: readonly Wait[], call: Call): Promise<void> {
    const joined: Wait[] = [];
    const fresh: Wait[] = [];
    const pending: Promise<void>[] = [];
    for (const wait of waits) {
      wait.settled = undefined;
      const { need } = wait;
      try {
        const flight = this.#flightsOf(need).join(need.key, this.#notBeforeMs(need), () =>
          this.#startOne(need, call),
        );
        if (flight === undefined) fresh.push(wait);
        else {
          this.#parts.counters.joins++;
          joined.push(wait);
          pending.push(settle(wait, flight));
        }
      } catch (error) {
        wait.settled = { error };
      }
    }
    const starts = this.#start(
      fresh.map(({ need }) => need),
      call,
    );
    for (const [i, wait] of fresh.entries()) pending.push(settle(wait, starts[i]));
    const patience = joined.length > 0 ? this.#parts.joinTimeoutMs : Number.POSITIVE_INFINITY;
    const landed = await call.wait(Promise.all(pending), patience);
    if (landed !== tooLong) return;
    // Whoever began these may be gone, with all that would have settled them: load them here.
    const lost = joined.filter(({ settled }) => settled === undefined);
    const own = this.#start(
      lost.map(({ need }) => need),
      call,
    );
    const rest = lost.map((wait, i) => settle(wait, own[i]));
    for (const [i, wait] of fresh.entries())
      if (wait.settled === undefined) rest.push(settle(wait, starts[i]));
    await call.wait(Promise.all(rest));
  }

  /** The earliest sending that a reader with this policy may share. */
  #notBeforeMs({ settings }: Need): number {
    if (settings.mode === "strong") return Number.POSITIVE_INFINITY;
    if (settings.mode === "local") return Number.NEGATIVE_INFINITY;
    return this.#parts.clock.now() - settings.maxStalenessMs;
  }

  /**
   * Loads keys for this caller alone, in one call on its own signal, into L1; gives which of them are there. What the call throws is the
   * caller's. A call that was given up lets nothing in.
   */
  async fill(needs: readonly Need[], options: CallOptions): Promise<readonly boolean[]> {
    const begun = this.#parts.moments.mark();
    this.#parts.counters.loads += needs.length;
    const keys = needs.map(({ key }) => key);
    const answers = await this.#parts.adapter.getMany(keys, options);
    if (options.signal?.aborted === true) throw abortedError(options.signal);
    const landed = await Promise.all(needs.map((need, i) => this.#land(need, answers[i], begun)));
    return landed.map(({ entry }) => entry !== undefined);
  }

  #startOne(need: Need, call: Call): Promise<Loaded> {
    const [start] = this.#start([need], call);
    return start ?? Promise.reject(new WarpError("internal", "a load was not begun"));
  }

  /** Begins the load of `needs` on nobody's signal: from the second tier where it may serve, else from the authority. */
  #start(needs: readonly Need[], call: Call): readonly Promise<Loaded>[] {
    if (needs.length === 0) return [];
    const { moments } = this.#parts;
    const timeoutMs = Math.max(defaultTimeoutMs, call.timeoutMs);
    const begun = moments.mark();
    const tier = this.#tier;
    const tiered = tier === undefined ? [] : needs.filter((need) => tier.serves(need));
    if (tier === undefined || tiered.length === 0) {
      const asked = this.#ask(needs, begun, timeoutMs);
      return needs.map((need) => this.#flightsOf(need).begin(need.key, begun, asked(need)));
    }
    const direct = needs.filter((need) => !tier.serves(need));
    const asked = this.#ask(direct, begun, timeoutMs);
    const found = tier.find(tiered, begun);
    // What the tier has not is asked for together again.
    const rest = found.then((copies) =>
      this.#ask(
        tiered.filter(({ key }) => !copies.has(key)),
        moments.mark(),
        timeoutMs,
      ),
    );
    const late = async (need: Need): Promise<Loaded> =>
      (await found).get(need.key) ?? (await (await rest)(need));
    return needs.map((need) =>
      this.#flightsOf(need).begin(need.key, begun, tier.serves(need) ? late(need) : asked(need)),
    );
  }

  /** Asks the authority for `needs`, one call for each shard and way of asking. A shard that fails fails its own keys only. */
  #ask(needs: readonly Need[], begun: Moment, timeoutMs: number): (need: Need) => Promise<Loaded> {
    const { adapter, counters } = this.#parts;
    counters.loads += needs.length;
    const calls = new Map<number, { readonly isStrong: boolean; readonly keys: string[] }>();
    const places = new Map<string, { readonly call: number; readonly at: number }>();
    for (const { key, settings } of needs) {
      const isStrong = settings.mode === "strong";
      const call = adapter.shardOf(key) * 2 + (isStrong ? 1 : 0);
      const { keys } = calls.get(call) ?? {};
      if (keys === undefined) calls.set(call, { isStrong, keys: [key] });
      places.set(key, { call, at: keys === undefined ? 0 : keys.push(key) - 1 });
    }
    const strong = this.#tenures.mayHold ? "hold" : "read";
    const ask = async (keys: readonly string[], isStrong: boolean): Promise<readonly ReadAnswer[]> =>
      await adapter.getMany(keys, { timeoutMs, ...(isStrong ? { strong } : {}) });
    const answers = new Map([...calls].map(([call, { keys, isStrong }]) => [call, ask(keys, isStrong)]));
    return async (need) => {
      const { call = 0, at = 0 } = places.get(need.key) ?? {};
      const answer = (await answers.get(call))?.[at];
      const loaded = await this.#land(need, answer, begun);
      const { entry, overtaken } = loaded;
      if (entry !== undefined && !overtaken) this.#tier?.keep(need.key, need.settings, entry);
      return loaded;
    };
  }

  async #land({ key, settings }: Need, answer: ReadAnswer | undefined, begun: Moment): Promise<Loaded> {
    if (answer === undefined) throw new WarpError("internal", "the storage left a key unanswered");
    const { asOf: position } = answer;
    if (answer.error !== undefined) throw answer.error;
    if (answer.provisional === true) {
      const life = this.#lives.ofCopy(key, settings, "load");
      const entry = answer.entry && toCacheEntry(answer.entry, position, begun.atMs, life);
      // Who has been given it must not be given an older copy afterwards.
      await this.#l1.forget(key);
      return { entry, position, begun, overtaken: false, provisional: true };
    }
    const current = await this.#follower.observe(position, begun);
    const entry =
      answer.entry &&
      toCacheEntry(answer.entry, position, begun.atMs, this.#lives.ofCopy(key, settings, "load"));
    const isStrong = settings.mode === "strong";
    // A strong key that L1 may not serve has no business there.
    if (!current || (isStrong && answer.tenure === undefined)) {
      if (current && this.#tenures.mayHold) await this.#l1.dropOlder(key, position.revision);
      return { entry, position, begun, overtaken: false };
    }
    const admission =
      entry === undefined
        ? await this.#l1.admitAbsence(key, position.shard, position.revision, begun)
        : await this.#l1.admit(key, position.shard, entry, begun, answer.tenure);
    if (admission.as === "held") return { entry: admission.entry, position, begun, overtaken: false };
    // A strong answer was true after its reader began: a change that overtook it makes it no less right.
    const loaded = { entry, position, begun, overtaken: admission.as === "refused" && !isStrong };
    const negativeTtlMs = settings.extra?.negativeTtlMs;
    if (entry === undefined && negativeTtlMs !== undefined && admission.as === "kept") {
      this.#l1.absences.set(key, loaded, begun.atMs + negativeTtlMs);
    }
    return loaded;
  }
}

async function settle(wait: Wait, flight: Promise<Loaded> | undefined): Promise<void> {
  let settled: Settled<Loaded>;
  try {
    if (flight === undefined) throw new WarpError("internal", "a load was not begun");
    settled = { value: await flight };
  } catch (error) {
    settled = { error };
  }
  // The first to come counts: a joined load may still land after the waiter's own.
  wait.settled ??= settled;
}
