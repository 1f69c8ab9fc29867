import { WarpError } from "../errors.ts";
import type { StreamPlace } from "./fallback.ts";

/** Before every place. */
export const startPlace: StreamPlace = "0-0";

/** Negative where `a` comes before `b`, 0 where they are the same. Both are well-formed. */
export function comparePlaces(a: StreamPlace, b: StreamPlace): number {
  const [aMs, aSeq] = parts(a);
  const [bMs, bSeq] = parts(b);
  return aMs - bMs || aSeq - bSeq;
}

/** The one of two that comes later; undefined comes before all. */
export function laterPlace(a: StreamPlace | undefined, b: StreamPlace | undefined): StreamPlace | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return comparePlaces(a, b) < 0 ? b : a;
}

/** The place `count` further on in the same millisecond. */
export function placeAfter(place: StreamPlace, count: number): StreamPlace {
  const [ms, seq] = parts(place);
  return `${ms}-${seq + count}`;
}

/** The first place that may be given at `nowMs` where `head` was the last one given. */
export function nextPlace(head: StreamPlace, nowMs: number): StreamPlace {
  return parts(head)[0] >= nowMs ? placeAfter(head, 1) : `${Math.floor(nowMs)}-0`;
}

/** The Unix ms in a place, by the storage's clock. */
export function placeTime(place: StreamPlace): number {
  return parts(place)[0];
}

/** Whether it is the form of a place. */
export function isPlace(text: string): text is StreamPlace {
  return /^(0|[1-9][0-9]{0,14})-(0|[1-9][0-9]{0,14})$/.test(text);
}

/** Throws `invalid_argument`. */
export function checkPlace(place: StreamPlace): void {
  if (typeof place === "string" && isPlace(place)) return;
  throw new WarpError("invalid_argument", "a place in a stream is <ms>-<seq>", {
    details: { field: "place" },
  });
}

function parts(place: StreamPlace): readonly [number, number] {
  const at = place.indexOf("-");
  return [Number(place.slice(0, at)), Number(place.slice(at + 1))];
}
