import { defaultLockTtlMs } from "../../../runtime/coordination-limits.ts";
import {
  acquireBody,
  campaignBody,
  observeQuery,
  proclaimBody,
  releaseQuery,
  renewBody,
  statusQuery,
} from "../../schemas/locks.ts";
import { wordsOf } from "../words.ts";

const wanted = {
  owner: "Who acquires, 1 to 128 characters. Made if absent; the answer has it.",
  ttlMs: `The grant ends then unless it is renewed. Default ${defaultLockTtlMs}.`,
  waitMs:
    "How long to stand in the queue, in all; with `ticket` how long this call waits. Default 0: not at all; with `ticket` 25,000.",
  holdMs: "How much of the wait this call may take; 0: the ticket at once. Default all that fits.",
  ticket: "Goes on waiting under it; only with `owner`, `waitMs` and `claim`.",
  claim:
    "With `ticket`: whether this call takes the lock when its turn comes. `false`: it is answered `lock_waiting` with `details.offered` then, and a call without it takes the lock. Default `true`.",
  delayMs: "After an end without a release nobody gets the name for so long. Default 0.",
};

/** Of bodies and queries about locks and elections. */
export const lockWords = [
  wordsOf(acquireBody, {
    ...wanted,
    kind: "All who hold or want a name at a time use one kind; `read` and `write` count as one. Default `mutex`.",
    permits: "Semaphore: how many there are, the same number for all.",
    take: "Semaphore: how many of them to take. Default 1.",
  }),
  wordsOf(campaignBody, wanted),
  wordsOf(observeQuery, {
    after: "The steps after the `cursor` of another answer.",
    waitMs: "If there is none yet, wait for one for so long. Only with `after`.",
  }),
  wordsOf(proclaimBody, { ttlMs: "Another time to live from now on." }),
  wordsOf(releaseQuery, {
    owner: "Whose grant, or whose place.",
    fence: "The grant's fence.",
    ticket: "Leaves the queue instead.",
    force: "Ends every grant of the name, or the one of `fence`, whosoever it is.",
  }),
  wordsOf(renewBody, { ttlMs: "Another time to live from now on." }),
  wordsOf(statusQuery, { owner: "Whose grant, or whose place.", fence: "The grant's fence." }),
];
