import type { Command } from "../command.ts";
import { completion } from "./completion.ts";
import { del } from "./del.ts";
import { elect } from "./elect.ts";
import { exportCommand } from "./export.ts";
import { get } from "./get.ts";
import { health } from "./health.ts";
import { history } from "./history.ts";
import { importCommand } from "./import.ts";
import { invalidate } from "./invalidate.ts";
import { leader } from "./leader.ts";
import { leaseGrant, leaseKeepalive, leaseList, leaseRevoke, leaseShow } from "./lease.ts";
import { leaseAttach, leaseDetach, leaseKeys } from "./lease-keys.ts";
import { list } from "./list.ts";
import { lock } from "./lock.ts";
import { locksForce, locksList, locksShow } from "./locks.ts";
import { merge } from "./merge.ts";
import { metrics } from "./metrics.ts";
import { publish } from "./publish.ts";
import { register } from "./register.ts";
import { registrations } from "./registrations.ts";
import { resolve } from "./resolve.ts";
import { restore } from "./restore.ts";
import { set } from "./set.ts";
import { spaceCreate, spaceDelete, spaceShow } from "./space.ts";
import { tokenMint } from "./token-mint.ts";
import { txn } from "./txn.ts";
import { unregister } from "./unregister.ts";
import { watch } from "./watch.ts";

/** All commands, in the order in which help lists them. */
export const commands: readonly Command[] = [
  ...[get, set, merge, del, list, invalidate, txn, resolve],
  ...[history, restore, importCommand, exportCommand],
  ...[watch, publish],
  ...[lock, locksList, locksShow, locksForce, elect, leader],
  ...[leaseGrant, leaseAttach, leaseDetach, leaseKeepalive, leaseRevoke, leaseShow, leaseList, leaseKeys],
  ...[register, unregister, registrations],
  ...[spaceCreate, spaceShow, spaceDelete, tokenMint],
  ...[metrics, health, completion],
];
