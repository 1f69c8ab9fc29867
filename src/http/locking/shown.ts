import type { ElectionEvent, LockHolder, LockInfo } from "../../protocol/lock.ts";
import type { Payload } from "../../protocol/payload.ts";
import { writeValue } from "../record.ts";

/** `facts` as JSON text, with the value's members as every record has them. */
function withValue(facts: object, value: Payload | undefined): string {
  const text = JSON.stringify(facts);
  return value === undefined ? text : `${text.slice(0, -1)},${writeValue(value)}}`;
}

/** A live grant as JSON text. */
export function holderText({ value, ...facts }: LockHolder): string {
  return withValue(facts, value);
}

/** A name in use as JSON text. */
export function infoText({ name, holders, ...facts }: LockInfo): string {
  const rest = JSON.stringify(facts).slice(1);
  return `{"name":${JSON.stringify(name)},"holders":[${holders.map(holderText).join(",")}],${rest}`;
}

/** A step of an election as JSON text. */
export function eventText({ value, ...facts }: ElectionEvent): string {
  return withValue(facts, value);
}
