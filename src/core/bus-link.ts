import type { SyncBus } from "../syncbus/syncbus.ts";
import { BusIntake } from "./bus-intake.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Parts } from "./parts.ts";
import { Publisher } from "./publisher.ts";

/** Joins a node to its bus; gives who tells the others what the node changes. A part by itself: nodes over a log that pushes need no bus. */
export type BusLink = (
  parts: Parts,
  l1: L1,
  follower: Follower,
  bus: SyncBus,
  publishTimeoutMs: number | undefined,
  outdated: (key: string | undefined, prefix: string | undefined) => void,
) => Pick<Publisher, "tell">;

export const joinBus: BusLink = (parts, l1, follower, bus, publishTimeoutMs, outdated) => {
  new BusIntake(parts, l1, follower, bus, outdated);
  return new Publisher(parts, bus, publishTimeoutMs);
};
