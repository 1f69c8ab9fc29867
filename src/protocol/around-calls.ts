import type { SpaceSettings } from "./space.ts";

/** Stands around the calls of a space's shards where there is a way around those that can't be reached (rule SB8). */
export interface AroundCalls {
  /** What the space is, each time that its home shard has said so; undefined: it is not there. */
  met(space: SpaceSettings | undefined): void;
  /** Makes a call, or refuses it with `unavailable`, outcome `fail`. `isUnreached` says of what `send` throws whether the shard could not be reached. */
  call<R>(shard: number, send: () => Promise<R>, isUnreached: (error: unknown) => boolean): Promise<R>;
  /** Up to which place of the fallback's stream the shard must have applied it before it answers; undefined: that does not matter. */
  drain(shard: number): string | undefined;
  /** The shard has answered a call that said so. */
  drained(shard: number, place: string): void;
}
