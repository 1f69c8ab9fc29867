import { WarpError } from "../errors.ts";
import { checkOpId } from "../protocol/mutation.ts";
import type { Verdict } from "../protocol/operation.ts";
import { replayOf } from "../protocol/outcomes.ts";
import { isRefusal, type Refusal } from "../protocol/shard-api.ts";
import type { PublishReply, PublishRequest } from "../protocol/watch.ts";
import { checkPublication, publicationPrint } from "../protocol/watch-rules.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Admission } from "./admission.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Ledger } from "./ledger.ts";
import type { PublishedLog } from "./published-log.ts";
import { gone, refuse } from "./refusal.ts";
import type { Residence } from "./residence.ts";

/** What publications are made of. */
export interface PublishCallParts {
  readonly clock: Clock;
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly admission: Admission;
  readonly published: PublishedLog;
}

/** Bytes for those who watch: kept in the log at a revision of their own, or told once and forgotten. */
export class PublishCalls {
  readonly #parts: PublishCallParts;

  constructor(parts: PublishCallParts) {
    this.#parts = parts;
  }

  async publish(request: PublishRequest): Promise<PublishReply | Refusal> {
    const { admission, clock, residence, commit, published } = this.#parts;
    const admitted = await admission.admit(request, "write");
    if (admitted === undefined || isRefusal(admitted)) return admitted ?? gone();
    const wrong = refusalOf(request, clock.now());
    if (wrong !== undefined) return refuse(wrong);
    if (!request.retained) {
      // The ledger of this very stretch: the one that was admitted may be another by now.
      const ledger = residence.admit(request);
      if (isRefusal(ledger)) return ledger;
      published.tell({ target: request.target, payload: request.payload });
      return { ...ledger.stamp(), verdict: { outcome: "ok", revision: 0, version: 0, existed: false } };
    }
    return await commit.submit(() => {
      const ledger = residence.admit(request);
      if (isRefusal(ledger)) return ledger;
      const verdict = append(ledger, request, clock.now());
      return { ...ledger.stamp(), verdict };
    });
  }
}

/** Its log entry tells its verdict. */
function append(ledger: Ledger, { opId, target, payload }: PublishRequest, nowMs: number): Verdict {
  const print = publicationPrint({ target, payload });
  const known = ledger.verdicts.find(opId);
  if (known !== undefined) return replayOf<Verdict>(known, print);
  const isPrefix = "prefix" in target;
  const revision = ledger.log.append({
    kind: isPrefix ? "publishPrefix" : "publish",
    key: isPrefix ? target.prefix : target.key,
    version: 0,
    existed: false,
    atMs: nowMs,
    opId,
    fingerprint: print,
    payload,
  });
  return { outcome: "ok", revision, version: 0, existed: false };
}

function refusalOf(request: PublishRequest, nowMs: number): WarpError | undefined {
  try {
    checkPublication(request);
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
  return checkOpId(request.opId, nowMs);
}
