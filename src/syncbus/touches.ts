import type { BusInterest, BusTarget } from "./syncbus.ts";

/** Whether a message may concern what a subscriber listens to. Which keys have a tag no bus knows: it concerns everybody. */
export function touches(interest: BusInterest, target: BusTarget): boolean {
  if ("tag" in target) return true;
  if ("key" in interest) {
    return "key" in target ? target.key === interest.key : interest.key.startsWith(target.prefix);
  }
  if ("key" in target) return target.key.startsWith(interest.prefix);
  return target.prefix.startsWith(interest.prefix) || interest.prefix.startsWith(target.prefix);
}

/** Only what a message is about. */
export function targetOf(target: BusTarget): BusTarget {
  if ("key" in target) return { key: target.key };
  return "prefix" in target ? { prefix: target.prefix } : { tag: target.tag };
}
