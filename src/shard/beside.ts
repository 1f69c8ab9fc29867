import type { SpaceSettings } from "../protocol/space.ts";
import { type DueSource, dueOf } from "./alarms.ts";
import { type BackingRegistry, type BehindParts, BehindSlot } from "./behind.ts";
import type { Followed } from "./follow-mark.ts";
import { type Carrier, type FallbackRegistry, FollowSlot } from "./follow-slot.ts";
import type { Report } from "./report.ts";

/** When the alarm looks after what is not loaded. */
const lookAfterMs = 2_000;

/** What a shard works with that only some spaces have: the storage behind it, and the stream of what was proposed while it could not be reached. */
export class Beside {
  readonly behind: BehindSlot;
  readonly follow: FollowSlot;
  readonly #followed: Followed;
  readonly #parts: BehindParts;

  /** `followed` is what the shard's ledgers go by. */
  constructor(
    options: {
      readonly backings?: BackingRegistry;
      readonly fallbacks?: FallbackRegistry;
      readonly report?: Report;
    },
    parts: BehindParts,
    followed: Followed,
    writes: () => Carrier,
  ) {
    const { backings, fallbacks, report } = options;
    this.#followed = followed;
    this.#parts = parts;
    this.behind = new BehindSlot(backings, parts);
    this.follow = new FollowSlot(fallbacks, () => ({
      ...parts,
      followed,
      writes: writes(),
      ...(report && { report }),
    }));
  }

  /** `find`: what is there later. */
  static due(find: () => Beside | undefined): readonly DueSource[] {
    return [
      dueOf(() => find()?.behind.present?.due),
      dueOf(() => find()?.follow.present?.due),
      // A commit sets the alarm anew: what an earlier instance had set it for is to be looked after, also where no call has had that loaded.
      { nextMs: () => find()?.lookMs, run: () => {} },
    ];
  }

  /** When to look after what is not loaded, and perhaps has something to do; undefined: nothing has. */
  get lookMs(): number | undefined {
    const { residence, clock, sql } = this.#parts;
    const space = residence.open()?.space;
    const isBehind =
      space?.storage !== undefined &&
      this.behind.present === undefined &&
      sql.all("SELECT 1 FROM outbox LIMIT 1").length > 0;
    const isAround =
      space?.fallback !== undefined && this.follow.present === undefined && this.follow.usage === undefined;
    return isBehind || isAround ? Math.floor(clock.now()) + lookAfterMs : undefined;
  }

  /** Loads what an alarm may be for. Where that fails, calls are told why; all else that is due goes on. */
  async woken(space: SpaceSettings): Promise<void> {
    await Promise.all([this.behind.ready(space)?.catch(() => undefined), this.follow.woken(space)]);
  }

  /** Settles when nothing is under way. */
  async idle(): Promise<void> {
    await Promise.all([this.behind.present?.idle(), this.follow.present?.idle()]);
  }

  /** The shard has left its space. */
  end(): void {
    this.behind.end();
    this.follow.end();
    this.#followed.seenMs = undefined;
  }
}
