import type { RelayPresence } from "../protocol/presence.ts";
import type { Timers } from "../runtime/clock.ts";
import { relayRetryBaseMs, relayRetryCapMs } from "../runtime/relay-limits.ts";
import { ownSource, type PresenceBoard } from "../shard/hub/presence/presence-board.ts";
import { PresenceQueue } from "../shard/hub/presence/presence-queue.ts";

/** Where the members come from that the shard tells of. */
const shardSource = "shard";

/** What a {@link PresenceReport} is made of. */
export interface PresenceReportOptions {
  readonly board: PresenceBoard;
  /** Whether anybody is here. */
  readonly isWanted: () => boolean;
  /** Settles when the shard feeds this relay. */
  readonly ready: () => Promise<void> | undefined;
  /** Tells the shard. */
  readonly send: (presence: RelayPresence) => Promise<unknown>;
  readonly timers: Timers;
}

/** Who is there, between a relay and its shard, once anybody here wants to know or to be known: its own members are reported, the others are taken in. */
export class PresenceReport {
  readonly #options: PresenceReportOptions;
  readonly #queue: PresenceQueue;
  #isBusy = false;
  #failures = 0;

  constructor(options: PresenceReportOptions) {
    const { board } = options;
    this.#options = options;
    this.#queue = new PresenceQueue(() => board.others(shardSource));
    board.listen((change, source) => {
      if (source !== ownSource) return;
      this.#queue.add(change);
      this.#push();
    });
    board.whenUsed(() => this.#push());
  }

  /** The shard does not know what was reported, or begins to ask. */
  again(): void {
    this.#queue.restart();
    this.#push();
  }

  /** What the shard tells. */
  take(presence: RelayPresence): void {
    this.#options.board.take(presence, shardSource);
  }

  /** Nobody is here, and it is not fed any more. Gives what the shard has to be told of that: who has left. */
  leave(): RelayPresence | undefined {
    const { board } = this.#options;
    board.replace(shardSource);
    this.#queue.restart();
    return board.isUsed ? this.#queue.take() : undefined;
  }

  /** The shard may not have been told this. */
  lost({ changes }: RelayPresence): void {
    this.#queue.restart(changes);
  }

  #push(): void {
    const { board, isWanted, timers } = this.#options;
    if (this.#isBusy || this.#queue.isEmpty || !board.isUsed || !isWanted()) return;
    this.#isBusy = true;
    const next = (): void => {
      this.#isBusy = false;
      this.#push();
    };
    this.#tell().then(
      () => {
        this.#failures = 0;
        next();
      },
      () => {
        const waitMs = Math.min(relayRetryCapMs, relayRetryBaseMs * 2 ** this.#failures);
        this.#failures = Math.min(this.#failures + 1, 10);
        timers.after(waitMs, next);
      },
    );
  }

  async #tell(): Promise<void> {
    await this.#options.ready();
    const presence = this.#queue.take();
    if (presence === undefined) return;
    try {
      await this.#options.send(presence);
    } catch (error) {
      this.lost(presence);
      throw error;
    }
  }
}
