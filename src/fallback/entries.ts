import { maxPageBytes } from "../runtime/fallback-limits.ts";
import type { PlacedProposal, Proposal, ProposalPage, StreamPlace } from "./fallback.ts";
import { comparePlaces, startPlace } from "./place.ts";

/**
 * What one append has left in a stream: proposals at places that follow each other. `before` is the newest place when it came: by it a reader sees that nothing is missing between two
 * entries.
 */
export interface StreamEntry {
  readonly before: StreamPlace;
  readonly first: StreamPlace;
  readonly last: StreamPlace;
  /** Of these only what was asked for may be here. */
  readonly items: readonly StreamItem[];
}

export interface StreamItem {
  readonly place: StreamPlace;
  readonly bytes: number;
  readonly proposal: Proposal;
}

/** What a storage knows of a stream beside its entries. */
export interface StreamMarks {
  readonly head?: StreamPlace;
  readonly applied?: StreamPlace;
}

/**
 * A page after a place, of the entries that end after it, in order. `isAll`: they are all there are; else there are more behind them.
 */
export function pageOf(
  entries: readonly StreamEntry[],
  isAll: boolean,
  { head, applied }: StreamMarks,
  after: StreamPlace | undefined,
  limit: number,
): ProposalPage {
  const proposals: PlacedProposal[] = [];
  let bytes = 0;
  let isCut = false;
  for (const entry of entries) {
    for (const item of entry.items) {
      if (after !== undefined && comparePlaces(item.place, after) <= 0) continue;
      bytes += item.bytes;
      isCut ||= proposals.length >= limit || (proposals.length > 0 && bytes > maxPageBytes);
      if (!isCut) proposals.push({ ...item.proposal, place: item.place });
    }
  }
  const marks = { ...(head !== undefined && { head }), ...(applied !== undefined && { applied }) };
  const isGap = hasGap(entries, isAll && !isCut, { ...marks }, after ?? startPlace);
  const isLost = after !== undefined && isUnknown(entries, { ...marks }, after);
  return { proposals, ...marks, ...(isGap && { gap: true }), ...(isLost && { lost: true }) };
}

/** Whether something is missing that the shard never said to have applied. */
function hasGap(
  entries: readonly StreamEntry[],
  isEnd: boolean,
  { head, applied = startPlace }: StreamMarks,
  after: StreamPlace,
): boolean {
  let known = comparePlaces(after, applied) < 0 ? applied : after;
  for (const entry of entries) {
    // An entry whose first part was read begins before.
    if (comparePlaces(entry.before, known) > 0) return true;
    known = entry.last;
  }
  return isEnd && head !== undefined && comparePlaces(head, known) > 0;
}

/** Whether a place was given that the stream has never heard of. */
function isUnknown(
  entries: readonly StreamEntry[],
  { head, applied = startPlace }: StreamMarks,
  after: StreamPlace,
): boolean {
  if (head === undefined || comparePlaces(head, after) < 0) return true;
  const [next] = entries;
  // What is applied is trimmed, and nothing tells any more which places there were.
  if (next === undefined || comparePlaces(after, applied) <= 0) return false;
  return comparePlaces(next.before, after) < 0 && comparePlaces(next.first, after) > 0;
}
