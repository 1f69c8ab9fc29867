import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Timers } from "../../runtime/clock.ts";
import { checkPageLimit, checkProposals, checkShard } from "../check.ts";
import type { Fallback, Proposal, ProposalPage, SpaceNotice, StreamPlace } from "../fallback.ts";
import { checkPlace } from "../place.ts";
import type { MemoryStreams } from "./memory-streams.ts";
import { FaultyWay, type StreamFaults } from "./stream-faults.ts";

/** What a fallback in memory is made of. */
export interface MemoryFallbackOptions {
  /** What all nodes and shards of the space share. */
  readonly streams: MemoryStreams;
  readonly timers: Timers;
  /** What is to go wrong. Default: nothing. */
  readonly faults?: StreamFaults;
}

/** Streams in this process: for tests, and to show what the others have to do. */
export function memoryFallback(options: MemoryFallbackOptions): Fallback {
  return new MemoryFallback(options);
}

class MemoryFallback implements Fallback {
  readonly #streams: MemoryStreams;
  readonly #way: FaultyWay;

  constructor({ streams, timers, faults = () => undefined }: MemoryFallbackOptions) {
    this.#streams = streams;
    this.#way = new FaultyWay(timers, faults);
  }

  async append(
    shard: number,
    proposals: readonly Proposal[],
    limits?: CallLimits,
  ): Promise<readonly StreamPlace[]> {
    checkProposals(shard, proposals);
    return await this.#way.carry("append", shard, limits, () => this.#streams.append(shard, proposals));
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
    return await this.#way.carry("read", shard, limits, () => this.#streams.read(shard, after, limit));
  }

  async trim(shard: number, applied: StreamPlace, limits?: CallLimits): Promise<void> {
    checkShard(shard);
    checkPlace(applied);
    await this.#way.carry("trim", shard, limits, () => this.#streams.trim(shard, applied));
  }

  async notice(limits?: CallLimits): Promise<SpaceNotice | undefined> {
    return await this.#way.carry("notice", undefined, limits, () => this.#streams.notice);
  }

  async announce(notice: SpaceNotice | undefined, limits?: CallLimits): Promise<void> {
    await this.#way.carry("announce", undefined, limits, () => this.#streams.announce(notice));
  }

  async clear(shard: number, limits?: CallLimits): Promise<void> {
    checkShard(shard);
    await this.#way.carry("clear", shard, limits, () => this.#streams.clear(shard));
  }

  close(): void {
    this.#way.close();
  }
}
