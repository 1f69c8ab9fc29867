import type { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import type { WatchFilter, WatchKind } from "../protocol/watch.ts";
import type { PresenceFrame } from "../protocol/wire/presence-frames.ts";
import type { WatchStart } from "../protocol/wire/watch-frames.ts";

/** A place in a shard's log. */
export interface LogPlace {
  readonly epoch: string;
  readonly revision: number;
}

/** An entry of the log that a watch wants, or a publication that is not in it: then at the revision that it comes after. */
export interface PushedEvent {
  readonly kind: WatchKind;
  readonly key: string;
  readonly version: number;
  readonly revision: number;
  /** Absent where there is none, or none was sent. */
  readonly payload: Payload | undefined;
}

/** A key of the state. */
export interface PushedKey {
  readonly key: string;
  readonly version: number;
  readonly payload: Payload | undefined;
}

/** Whether a watch of one shard is told what happens as it happens, is being brought up to date, or has no connection. */
export type Standing = "live" | "behind" | "cut";

/** Who is there, as a watch is told it. */
export type ToldPresence = Omit<PresenceFrame, "t" | "id">;

/** What a watch of one shard is told, in order. None of them may throw. */
export interface ShardWatchListener {
  /** It stands here: all that happens from here on will be told. Told once, unless the state comes first. */
  begun(place: LogPlace): void;
  /** `to`: how far it has been told with them (and where there are none); undefined while the state is being told. */
  events(events: readonly PushedEvent[], to: LogPlace | undefined): void;
  /** `first`: the state begins, what was told of it is void. `to`, with the last of it: where the log goes on. */
  state(keys: readonly PushedKey[], first: boolean, to: LogPlace | undefined): void;
  /** The log can't say what happened; the state follows. */
  gap(why: "compacted" | "epoch" | "slow"): void;
  /** Publications that are not in the log may have been left out. */
  missed(): void;
  /** How it stands now; told at each change. */
  stands?(standing: Standing): void;
  /** Who is there; undefined: nobody knows now, what follows begins with all. Where it is absent nothing of this is asked for. */
  presence?(told: ToldPresence | undefined): void;
  /** It has ended for good: it was refused, its rights ended, the space is gone. Nothing follows. */
  failed(error: WarpError): void;
}

/** A watch of one shard. */
export interface ShardWatch {
  /** Nothing is told from now on; {@link resume} goes on from where that was. Not while the state is being told, which can't be resumed: gives whether it is paused. */
  pause(): boolean;
  resume(): void;
  end(): void;
  /** Shows JSON to those who are told who is there; null: no longer. Shown again at each next connection. */
  show(data: unknown): void;
}

/** Watches over connections that stay open: when one breaks they go on over the next from where they were. */
export interface Watching {
  watch(shard: number, filter: WatchFilter, from: WatchStart, listener: ShardWatchListener): ShardWatch;
}
