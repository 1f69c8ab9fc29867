import type { LogPosition } from "../../published-log.ts";
import type { Session } from "../session.ts";
import type { SharedFrame } from "../session-codec.ts";
import { FilterSet } from "./filter-set.ts";
import { Subscription, type SubscriptionRecord } from "./subscription.ts";

/** Frames that tell what is not durable yet. */
export interface Held {
  /** From here on they may be sent. */
  readonly at: LogPosition;
  readonly send: () => void;
}

/** One session that watches: its subscriptions, and where those that are live stand. */
export class Watcher {
  readonly session: Session;
  readonly subscriptions = new Map<number, Subscription>();
  /** Up to where live subscriptions were told, or had nothing to be told. */
  at: LogPosition;
  /** Up to where it was told so, and when, by the elapsed clock. */
  told: LogPosition;
  toldAtMs: number;
  /** Publications that the log does not keep and that it did not get. */
  missed = 0;
  /** Those that come behind entries that are not here yet. */
  readonly waiting: SharedFrame[] = [];
  /** At most one page of a snapshot waits for its commit. */
  held: Held | undefined;
  /** Grows with each change of its subscriptions or of their stages. */
  changes = 0;
  readonly #isHome: boolean;
  #live: FilterSet | undefined;
  #all: FilterSet | undefined;

  constructor(session: Session, at: LogPosition, nowMs: number) {
    this.session = session;
    this.at = at;
    this.told = at;
    this.toldAtMs = nowMs;
    this.#isHome = session.caller.shard === 0;
  }

  add(subscription: Subscription): void {
    this.subscriptions.set(subscription.id, subscription);
    this.changed();
  }

  remove(id: number): void {
    this.subscriptions.delete(id);
    this.changed();
  }

  /** The stages of its subscriptions, or which there are, have changed. */
  changed(): void {
    this.changes++;
    this.#live = undefined;
    this.#all = undefined;
  }

  /** What its live subscriptions want; undefined: there are none. */
  get live(): FilterSet | undefined {
    this.#live ??= this.#set([...this.subscriptions.values()].filter(({ stage }) => stage === "live"));
    return this.#live.isEmpty ? undefined : this.#live;
  }

  /** What all of them want. */
  get all(): FilterSet {
    this.#all ??= this.#set([...this.subscriptions.values()]);
    return this.#all;
  }

  /** What one of them wants. */
  setOf(subscription: Subscription): FilterSet {
    return this.#set([subscription]);
  }

  get records(): readonly SubscriptionRecord[] {
    return [...this.subscriptions.values()].map(({ record }) => record);
  }

  /** Takes its subscriptions up where an instance before has left them. */
  adopt(records: readonly SubscriptionRecord[]): void {
    for (const record of records) this.add(Subscription.of(record, this.at));
  }

  #set(subscriptions: readonly Subscription[]): FilterSet {
    return new FilterSet(
      subscriptions.map(({ filter }) => filter),
      this.#isHome,
    );
  }
}
