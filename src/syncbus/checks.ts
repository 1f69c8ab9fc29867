import { WarpError } from "../errors.ts";
import { checkKey, checkPrefix } from "../protocol/key.ts";
import { checkTags } from "../protocol/mutation.ts";
import { maxMinZones, maxQuorum } from "../runtime/limits.ts";
import type {
  BusInterest,
  BusMessage,
  Outgoing,
  PublishOptions,
  Quorum,
  SyncBusSupports,
} from "./syncbus.ts";

/** Throws `invalid_key` or `invalid_argument` unless the message names one key, prefix or tag; `unsupported` for a scope that the bus lacks. */
export function checkMessage(message: BusMessage, supports: Pick<SyncBusSupports, "scope">): void {
  checkOne(message, ["key", "prefix", "tag"], "a message is about");
  if ("key" in message) checkKey(message.key);
  else if ("prefix" in message) checkPrefix(message.prefix);
  else checkTags([message.tag], "tag");
  if (message.scope === "local" && !supports.scope) {
    throw new WarpError("unsupported", "this bus knows no regions: it can't keep a message in one");
  }
}

/** The message with the id that it was given. Throws `invalid_argument`. */
export function outgoing(message: BusMessage, { id }: PublishOptions): Outgoing {
  return id === undefined ? message : { ...message, id: checkId(id) };
}

/** Throws `invalid_argument` for what is no event's id. */
export function checkId(id: string): string {
  if (/^[\x21-\x7e]{1,128}$/.test(id)) return id;
  throw new WarpError("invalid_argument", "an id has 1 to 128 visible ASCII characters", {
    details: { field: "id" },
  });
}

/** Throws `invalid_key` or `invalid_argument`. */
export function checkInterest(interest: BusInterest): void {
  checkOne(interest, ["key", "prefix"], "a subscription is to");
  if ("key" in interest) checkKey(interest.key);
  else checkPrefix(interest.prefix);
}

/** The quorum with both numbers. Throws `invalid_argument`. */
export function checkQuorum({ nodes, minZones = 0 }: Quorum): Required<Quorum> {
  checkWhole("nodes", nodes, 1, maxQuorum);
  checkWhole("minZones", minZones, 0, Math.min(maxMinZones, nodes));
  return { nodes, minZones };
}

function checkOne(target: object, members: readonly string[], what: string): void {
  if (members.filter((member) => member in target).length === 1) return;
  throw new WarpError("invalid_argument", `${what} exactly one of: ${members.join(", ")}`);
}

function checkWhole(field: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new WarpError("invalid_argument", `${field} is a whole number from ${min} to ${max}`, {
    details: { field, min, max },
  });
}
