import type { Clock } from "../../runtime/clock.ts";
import { maxStreamProposals } from "../../runtime/fallback-limits.ts";
import { checkOpIdTime, resolveBounds, type StreamBounds, streamFull } from "../check.ts";
import { pageOf, type StreamEntry } from "../entries.ts";
import type { Proposal, ProposalPage, SpaceNotice, StreamPlace } from "../fallback.ts";
import { comparePlaces, laterPlace, nextPlace, placeAfter, startPlace } from "../place.ts";
import { proposalBytes } from "../proposal-bytes.ts";

interface Stream {
  readonly entries: readonly StreamEntry[];
  readonly places: ReadonlyMap<string, StreamPlace>;
  readonly head?: StreamPlace;
  readonly applied?: StreamPlace;
}

interface Told {
  readonly createdAtMs: number;
  readonly registrations: number;
  readonly notice: SpaceNotice | undefined;
}

const emptyStream: Stream = { entries: [], places: new Map() };

/** The streams of one space as a storage in memory has them: what all who open a driver on it share, and what outlives them. */
export class MemoryStreams {
  readonly #clock: Clock;
  readonly #bounds: Required<StreamBounds>;
  #streams = new Map<number, Stream>();
  #told: Told | undefined;

  /** `clock` is the storage's. Throws `invalid_argument`. */
  constructor(clock: Clock, bounds: StreamBounds = {}) {
    this.#clock = clock;
    this.#bounds = resolveBounds(bounds, [1, maxStreamProposals, 1]);
  }

  append(shard: number, proposals: readonly Proposal[]): readonly StreamPlace[] {
    const stream = this.#stream(shard);
    const nowMs = this.#clock.now();
    const places = new Map(stream.places);
    const fresh = proposals.filter(({ mutation: { opId } }) => {
      if (places.has(opId)) return false;
      checkOpIdTime(opId, nowMs);
      // Given below; a second one of this batch is no new one.
      places.set(opId, "");
      return true;
    });
    if (fresh.length > 0) {
      const before = laterPlace(stream.head, stream.applied) ?? startPlace;
      const first = nextPlace(before, nowMs);
      const items = fresh.map((proposal, at) => ({
        place: placeAfter(first, at),
        bytes: proposalBytes(proposal),
        proposal,
      }));
      const all = [...stream.entries.flatMap((entry) => entry.items), ...items];
      const bytes = all.reduce((total, item) => total + item.bytes, 0);
      if (all.length > this.#bounds.maxProposals || bytes > this.#bounds.maxBytes) throw streamFull();
      for (const { place, proposal } of items) places.set(proposal.mutation.opId, place);
      const last = placeAfter(first, items.length - 1);
      const entries = [...stream.entries, { before: stream.head ?? startPlace, first, last, items }];
      this.#streams.set(shard, { ...stream, entries, places, head: last });
    }
    return proposals.map(({ mutation }) => places.get(mutation.opId) ?? startPlace);
  }

  read(shard: number, after: StreamPlace | undefined, limit: number): ProposalPage {
    const { entries, ...marks } = this.#stream(shard);
    const rest = entries.filter(({ last }) => after === undefined || comparePlaces(last, after) > 0);
    return pageOf(rest, true, marks, after, limit);
  }

  trim(shard: number, applied: StreamPlace): void {
    const stream = this.#stream(shard);
    if (stream.head === undefined || comparePlaces(applied, stream.head) > 0) return;
    if (stream.applied !== undefined && comparePlaces(applied, stream.applied) <= 0) return;
    const entries = stream.entries.filter(({ last }) => comparePlaces(last, applied) > 0);
    const kept = entries.flatMap(({ items }) => items.map(({ proposal }) => proposal.mutation.opId));
    const places = new Map(kept.map((opId) => [opId, stream.places.get(opId) ?? startPlace] as const));
    this.#streams.set(shard, { ...stream, entries, places, applied });
  }

  get notice(): SpaceNotice | undefined {
    return this.#told?.notice;
  }

  announce(notice: SpaceNotice | undefined): void {
    const before = this.#told ?? { createdAtMs: -1, registrations: -1 };
    if (notice === undefined) {
      this.#told = { ...before, notice: undefined };
      return;
    }
    const { space, registrations } = notice;
    const { createdAtMs } = space;
    const isOfThisLife = createdAtMs === before.createdAtMs && this.#told?.notice !== undefined;
    const isNewer =
      createdAtMs > before.createdAtMs || (isOfThisLife && registrations > before.registrations);
    if (isNewer) this.#told = { createdAtMs, registrations, notice };
  }

  clear(shard: number): void {
    this.#streams.delete(shard);
  }

  /** All that is there now, to be put back by {@link restore}: how a storage loses its tail. */
  snapshot(): () => void {
    const [streams, told] = [new Map(this.#streams), this.#told];
    return () => {
      this.#streams = new Map(streams);
      this.#told = told;
    };
  }

  #stream(shard: number): Stream {
    return this.#streams.get(shard) ?? emptyStream;
  }
}
