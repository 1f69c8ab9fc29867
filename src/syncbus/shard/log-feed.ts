import type { SpaceClient } from "../../connection/space-client.ts";
import { WarpError } from "../../errors.ts";
import type { Position } from "../../protocol/position.ts";
import type { PushedChanges, Pushes } from "../../protocol/pushes.ts";
import type { Change } from "../../protocol/shard-api.ts";
import type { Timers } from "../../runtime/clock.ts";

/** Asked from here a log answers with its head. A shard that was never written to says that it is here. */
const nowhere = { epoch: "0".repeat(16), revision: 0 } as const;
/** After a failed exchange the next one is begun: after 100 ms, then 200 ms, up to 5 s. */
const firstPauseMs = 100;
const longestPauseMs = 5_000;

/** What the feed tells. */
export interface LogFeedHooks {
  /** Log entries, each once and in order. */
  entries(shard: number, epoch: string, changes: readonly Change[]): void;
  /** The log can't say what happened up to this position. */
  everything(position: Position): void;
  /** Entries were pushed again. */
  repeated(count: number): void;
  /** An exchange failed; it is tried again. */
  failed(error: unknown): void;
}

interface View {
  readonly epoch: string;
  revision: number;
  /** An exchange is under way, or one is due. */
  busy: boolean;
  /** Something was told meanwhile that the exchange may have missed. */
  again: boolean;
  pauseMs: number;
  cancel: () => void;
}

/**
 * The logs of all shards of a space as one feed: pushes where they follow each other, `changes` for what lies between (rule SB1). A push is never taken
 * on trust: its range says whether anything before it is missing.
 */
export class LogFeed {
  readonly #client: Pick<SpaceClient, "space" | "changes">;
  readonly #pushes: Pushes;
  readonly #timers: Timers;
  readonly #hooks: LogFeedHooks;
  readonly #views = new Map<number, View>();
  /** Shards of which something was told before their head was known. */
  readonly #early = new Set<number>();
  #starting: Promise<void> | undefined;
  #off: (() => void) | undefined;

  constructor(
    client: Pick<SpaceClient, "space" | "changes">,
    pushes: Pushes,
    timers: Timers,
    hooks: LogFeedHooks,
  ) {
    this.#client = client;
    this.#pushes = pushes;
    this.#timers = timers;
    this.#hooks = hooks;
  }

  get isRunning(): boolean {
    return this.#off !== undefined && this.#starting === undefined;
  }

  /** Settles once every entry from now on will be told. Throws what keeps the logs from being read. */
  async start(): Promise<void> {
    if (this.isRunning) return;
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  stop(): void {
    this.#off?.();
    this.#off = undefined;
    for (const { cancel } of this.#views.values()) cancel();
    this.#views.clear();
    this.#early.clear();
  }

  async #begin(): Promise<void> {
    const off = this.#pushes.listen({
      changes: (pushed) => this.#pushed(pushed),
      // Copies are somebody else's here: what commits will be an entry.
      invalidate: () => {},
      gap: ({ shard }) => this.#wake(shard),
      lost: (shard) => this.#wake(shard),
    });
    this.#off = off;
    try {
      const space = await this.#client.space();
      if (space === undefined) throw new WarpError("space_not_found", "the space does not exist");
      const heads = Array.from({ length: space.shards }, async (_, shard) => {
        const { to } = await this.#client.changes({ shard, ...nowhere });
        if (this.#off === off) this.#meet(to);
      });
      await Promise.all(heads);
    } catch (error) {
      if (this.#off === off) this.stop();
      throw error;
    }
  }

  #meet({ shard, epoch, revision }: Position): void {
    this.#views.get(shard)?.cancel();
    this.#views.set(shard, {
      epoch,
      revision,
      busy: false,
      again: false,
      pauseMs: firstPauseMs,
      cancel: () => {},
    });
    if (this.#early.delete(shard)) this.#wake(shard);
  }

  /** The log does not reach back to where this was; that of a shard that was never written to begins at 0. */
  #lose(view: View, head: Position): void {
    if (view.epoch !== nowhere.epoch) {
      this.#meet(head);
      this.#hooks.everything(head);
      return;
    }
    this.#meet({ ...head, revision: 0 });
    this.#wake(head.shard);
  }

  #pushed({ shard, epoch, after, to, changes }: PushedChanges): void {
    const view = this.#views.get(shard);
    if (view === undefined || view.epoch !== epoch || after > view.revision) {
      this.#wake(shard);
      return;
    }
    this.#hooks.repeated(changes.filter(({ revision }) => revision <= view.revision).length);
    this.#advance(shard, view, to, changes);
  }

  #advance(shard: number, view: View, to: number, changes: readonly Change[]): void {
    const fresh = changes.filter(({ revision }) => revision > view.revision);
    view.revision = Math.max(view.revision, to);
    if (fresh.length > 0) this.#hooks.entries(shard, view.epoch, fresh);
  }

  /** Asks the log what happened since the position that was told, now or once the exchange that is under way has ended. */
  #wake(shard: number): void {
    const view = this.#views.get(shard);
    if (view === undefined) this.#early.add(shard);
    else if (view.busy) view.again = true;
    else void this.#exchange(shard, view);
  }

  async #exchange(shard: number, view: View): Promise<void> {
    view.busy = true;
    try {
      for (;;) {
        view.again = false;
        const { epoch, revision } = view;
        const answer = await this.#client.changes({ shard, epoch, revision });
        if (this.#views.get(shard) !== view) return;
        if (answer.gap !== undefined || answer.to.epoch !== epoch) {
          this.#lose(view, answer.to);
          return;
        }
        this.#advance(shard, view, answer.to.revision, answer.changes);
        if (answer.complete && !view.again) break;
      }
      view.busy = false;
      view.pauseMs = firstPauseMs;
    } catch (error) {
      if (this.#views.get(shard) !== view) return;
      this.#hooks.failed(error);
      view.cancel = this.#timers.after(view.pauseMs, () => void this.#exchange(shard, view));
      view.pauseMs = Math.min(longestPauseMs, view.pauseMs * 2);
    }
  }
}
