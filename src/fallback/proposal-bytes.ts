import { payloadOf, writes } from "../protocol/mutation.ts";
import { utf8Length } from "../runtime/bytes.ts";
import type { Proposal } from "./fallback.ts";

/** Bytes that a proposal is charged with, where the storage does not know better: its value and key, and something for the rest. */
export function proposalBytes({ mutation }: Proposal): number {
  const key = "key" in mutation ? utf8Length(mutation.key) : 0;
  return 200 + key + (writes(mutation) ? payloadOf(mutation).bytes.length : 0);
}
