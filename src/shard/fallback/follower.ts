import { WarpError } from "../../errors.ts";
import type { Fallback, ProposalPage, StreamPlace } from "../../fallback/fallback.ts";
import { checkPlace, comparePlaces, laterPlace } from "../../fallback/place.ts";
import type { FallbackUsage } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import {
  busyPollMs,
  maxPollMs,
  maxProposals,
  minPollMs,
  streamTimeoutMs,
} from "../../runtime/fallback-limits.ts";
import { fraction } from "../../runtime/random.ts";
import type { DueSource } from "../alarms.ts";
import type { Follower, FollowerParts, OpenFollower } from "../follow-slot.ts";
import { type Drain, Drains } from "./drains.ts";
import { ProposalWriter } from "./proposal-writer.ts";

/** What a shard of a space with a fallback works with, beside what every shard has. */
export const openFollower: OpenFollower = (parts, space, fallback) =>
  new StreamFollower(parts, space, fallback);

const limits = { timeoutMs: streamTimeoutMs };

/**
 * Follows the stream of one shard: always, since nobody tells the shard that some node can't reach it. It looks when the shard wakes, when a node has proposed something, and by the alarm:
 * often while something comes, seldom else.
 */
class StreamFollower implements Follower {
  readonly #parts: FollowerParts;
  readonly #space: SpaceSettings;
  readonly #fallback: Fallback;
  readonly #writer: ProposalWriter;
  readonly #drains: Drains;
  readonly #shard: number;
  #running: Promise<void> | undefined;
  /** Applied durably. */
  #applied: StreamPlace | undefined;
  #nextMs: number;
  #cameMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #error: WarpError | undefined;
  /** The registrations that nodes were told of by this instance, as far as what tells them may be relied on to have kept it. */
  #announced: number | undefined;
  #isEnded = false;

  constructor(parts: FollowerParts, space: SpaceSettings, fallback: Fallback) {
    this.#parts = parts;
    this.#space = space;
    this.#fallback = fallback;
    this.#writer = new ProposalWriter(parts, space);
    this.#drains = new Drains(parts.timers);
    this.#shard = parts.residence.open()?.meta.shard ?? 0;
    this.#nextMs = parts.clock.now();
    this.#applied = this.#writer.mark.place;
    this.#look();
  }

  get due(): DueSource {
    return {
      nextMs: () => (this.#isEnded || this.#running !== undefined ? undefined : this.#nextMs),
      run: () => this.#look(),
    };
  }

  async drain(place: StreamPlace): Promise<void> {
    checkPlace(place);
    // Also where it seems to be applied: a stream that has lost its tail may have given the place anew, which only a look tells.
    const done = this.#drains.wait(place);
    this.#look();
    await done;
  }

  changed(): void {
    this.#look();
  }

  usage(): FallbackUsage {
    const { applied, repeated, refused, foreign, losses } = this.#writer.mark;
    const { seenMs } = this.#parts.followed;
    return {
      applied,
      repeated,
      refused,
      foreign,
      losses,
      ...(seenMs !== undefined && { lagMs: Math.max(0, this.#parts.clock.now() - seenMs) }),
      ...(this.#error && { error: this.#error.toData() }),
    };
  }

  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async clear(): Promise<void> {
    // Nodes that can't reach the space first hear that there is no way around it any more.
    await this.#fallback.announce(undefined, limits);
    for (let shard = 0; shard < this.#space.shards; shard++) await this.#fallback.clear(shard, limits);
  }

  end(): void {
    this.#isEnded = true;
    this.#fallback.close();
    this.#drains.fail(this.#drains.all, new WarpError("unavailable", "the shard has left the space"));
  }

  /** Looks at the stream, unless that is under way: then what has changed meanwhile is seen to before it ends. */
  #look(): void {
    if (this.#isEnded || this.#running !== undefined) return;
    this.#running = Promise.resolve()
      .then(() => this.#follow())
      .then(() => {
        this.#running = undefined;
        this.#rest();
      });
  }

  /** Until the next look, which may be at once. */
  #rest(): void {
    if (this.#drains.all.length > 0) this.#look();
    try {
      if (!this.#isEnded) this.#parts.residence.open()?.alarms.arm();
    } catch (error) {
      // A host whose storage fails ends the instance; the next one looks when it wakes.
      this.#error = WarpError.from(error, "storage_unavailable", "the alarm could not be set");
    }
  }

  /** Never rejects. */
  async #follow(): Promise<void> {
    let asked: readonly Drain[] = [];
    try {
      do {
        asked = this.#drains.all;
        await this.#toHead(asked);
        if (this.#writer.ledger === undefined)
          throw new WarpError("unavailable", "the shard has left the space");
        await this.#announce();
        // What was asked for meanwhile may have been proposed after the head was read.
      } while (!this.#isEnded && (this.#drains.all.length > 0 || this.#isToAnnounce));
      this.#failures = 0;
      this.#error = undefined;
    } catch (error) {
      this.#failures++;
      // It may have been made anew while it was away.
      this.#announced = undefined;
      this.#error = WarpError.from(error, "storage_unavailable", "the stream could not be followed");
      this.#drains.fail(asked, this.#error);
    }
    this.#nextMs = this.#parts.clock.now() + this.#waitMs();
  }

  /** Applies all that was proposed before it began. */
  async #toHead(asked: readonly Drain[]): Promise<void> {
    const { clock, followed } = this.#parts;
    while (!this.#isEnded && this.#writer.ledger !== undefined) {
      const sentMs = clock.now();
      // Of places that came after it was sent the answer says nothing.
      const waiting = this.#drains.all;
      const { mark } = this.#writer;
      const page = await this.#fallback.read(this.#shard, mark.place, maxProposals, limits);
      if (page.lost === true) {
        this.#applied = undefined;
        this.#announced = undefined;
        await this.#writer.rewind(this.#shard, mark);
        continue;
      }
      const place = await this.#writer.apply(this.#shard, page, mark);
      // A commit before may have left it without having become durable.
      if (place !== this.#applied) await this.#parts.commit.submit(() => undefined);
      this.#applied = place;
      if (page.proposals.length > 0) this.#cameMs = clock.now();
      if (place !== undefined) {
        this.#drains.reach(waiting, place);
        if (page.applied === undefined || comparePlaces(page.applied, place) < 0) {
          await this.#fallback.trim(this.#shard, place, limits);
        }
      }
      if (!isHead(page, place)) continue;
      followed.seenMs = sentMs;
      for (const drain of asked) await this.#miss(drain);
      return;
    }
  }

  /** The end of the stream is reached, and what a node says to have proposed was not there. */
  async #miss(drain: Drain): Promise<void> {
    if (!this.#drains.all.includes(drain)) return;
    const { recheck } = this.#writer.mark;
    // What was applied before the stream lost its tail stays applied.
    const wasApplied = recheck !== undefined && comparePlaces(drain.place, recheck) <= 0;
    if (!wasApplied) await this.#writer.missed(this.#shard, drain.place);
    drain.settle();
  }

  get #isToAnnounce(): boolean {
    return this.#shard === 0 && this.#announced !== this.#writer.ledger?.registrationVersion;
  }

  async #announce(): Promise<void> {
    const { ledger } = this.#writer;
    if (ledger === undefined || !this.#isToAnnounce) return;
    const { registrationVersion: registrations } = ledger;
    const list = ledger.registrations.stored();
    await this.#fallback.announce({ space: this.#space, registrations, list }, limits);
    this.#announced = registrations;
  }

  #waitMs(): number {
    const { clock, random, maxPollMs: mostMs = maxPollMs } = this.#parts;
    if (this.#failures > 0) {
      return (
        Math.min(mostMs, minPollMs * 2 ** Math.min(this.#failures - 1, 10)) * (0.5 + fraction(random) / 2)
      );
    }
    return clock.now() - this.#cameMs < busyPollMs ? minPollMs : mostMs;
  }
}

function isHead({ head }: ProposalPage, place: StreamPlace | undefined): boolean {
  return laterPlace(head, place) === place || head === undefined;
}
