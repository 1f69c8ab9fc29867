import type { PushedInvalidation, PushListener } from "../../protocol/pushes.ts";
import type { ServerFrame } from "../../protocol/wire/frames.ts";
import type { PushCursor } from "./push-cursor.ts";

type Frame<T extends ServerFrame["t"]> = Extract<ServerFrame, { readonly t: T }>;

/** What a welcome says about the pushes to come. */
export function deliverWelcome(
  listeners: Iterable<PushListener>,
  shard: number,
  cursor: PushCursor,
  { resumed, epoch, revision }: Frame<"welcome">,
): void {
  // The entries since the cursor follow.
  if (resumed === "replay") return;
  cursor.jump({ epoch, revision });
  if (resumed === "gap") for (const listener of listeners) listener.gap({ shard, epoch, revision });
}

/** Log entries, or that they can't be had. */
export function deliverPush(
  listeners: Iterable<PushListener>,
  shard: number,
  cursor: PushCursor,
  frame: Frame<"ev" | "prog" | "gap">,
): void {
  if (frame.t !== "gap") {
    const pushed = cursor.advance(frame);
    if (pushed !== undefined) for (const listener of listeners) listener.changes(pushed);
    return;
  }
  const { epoch, to, why } = frame;
  cursor.jump({ epoch, revision: to });
  for (const listener of listeners) {
    // What a slow session missed can still be asked for: the hole says that there is something to ask for.
    if (why === "slow") listener.changes({ shard, epoch, after: to, to, changes: [] });
    else listener.gap({ shard, epoch, revision: to });
  }
}

/** A strong invalidation: done when all of these have settled. */
export function deliverInvalidation(
  listeners: Iterable<PushListener>,
  shard: number,
  invalidation: Omit<PushedInvalidation, "shard">,
): readonly (void | Promise<void>)[] {
  return [...listeners].map((listener) => listener.invalidate({ shard, ...invalidation }));
}

/** The end of a grant. */
export function deliverLoss(
  listeners: Iterable<PushListener>,
  shard: number,
  { name, fence, reason }: Frame<"lost">,
): void {
  for (const listener of listeners) listener.ended?.({ shard, name, fence, reason });
}
