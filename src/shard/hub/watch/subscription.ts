import type { WatchFilter, WatchMode, WatchOperation } from "../../../protocol/watch.ts";
import type { LogPosition } from "../../published-log.ts";

/** All of a subscription that must outlive the instance. */
export interface SubscriptionRecord {
  readonly id: number;
  readonly key?: string;
  readonly prefix?: string;
  readonly mode: WatchMode;
  readonly ops?: readonly WatchOperation[];
  /** Where it stands; absent: it is live, and stands where its session does. */
  readonly at?: LogPosition;
  /** Its snapshot is not complete, and will begin anew. */
  readonly snapshot?: true;
  /** It is told who is shown at its target. */
  readonly presence?: true;
  /** What its session shows of itself there; absent: nothing. */
  readonly shown?: unknown;
}

/**
 * What one session watches, and how far it has been told. It is *live* when it stands where its session does; before that it is brought up to date by the
 * log (*replay*), or by the keys as they are (*snapshot*).
 */
export class Subscription {
  readonly id: number;
  readonly filter: WatchFilter;
  stage: "live" | "replay" | "snapshot";
  /** Up to where it was told; not kept up while it is live. */
  at: LogPosition;
  /** Of a snapshot: whether it has begun, and the last key that was told. */
  begun = false;
  told: string | undefined;
  /** Whether it is told who is shown at its target, and what its session shows of itself there; null: nothing. */
  readonly presence: boolean;
  shown: unknown = null;

  constructor(
    id: number,
    filter: WatchFilter,
    stage: Subscription["stage"],
    at: LogPosition,
    presence = false,
  ) {
    this.id = id;
    this.presence = presence;
    this.filter = filter;
    this.stage = stage;
    this.at = at;
  }

  /** The state is to be told from its beginning. */
  restart(): void {
    this.stage = "snapshot";
    this.begun = false;
    this.told = undefined;
  }

  get record(): SubscriptionRecord {
    const { target, mode, ops } = this.filter;
    return {
      id: this.id,
      ...target,
      mode,
      ...(ops === undefined ? {} : { ops }),
      ...(this.stage === "live" ? {} : { at: this.at }),
      ...(this.stage === "snapshot" ? { snapshot: true } : {}),
      ...(this.presence ? { presence: true } : {}),
      ...(this.shown === null ? {} : { shown: this.shown }),
    };
  }

  /** As an instance before has left it; `live` is where its session stands. */
  static of(record: SubscriptionRecord, live: LogPosition): Subscription {
    const { id, key, prefix = "", mode, ops, at, snapshot, presence, shown = null } = record;
    const target = key === undefined ? { prefix } : { key };
    const stage = snapshot ? "snapshot" : at === undefined ? "live" : "replay";
    const filter = { target, mode, ...(ops === undefined ? {} : { ops }) };
    const subscription = new Subscription(id, filter, stage, at ?? live, presence);
    subscription.shown = shown;
    return subscription;
  }
}
