import { WarpError } from "../../errors.ts";
import type { Timers } from "../../runtime/clock.ts";
import type { OpenWait, OpenWaits } from "./open-waits.ts";

export interface PatientCall<Answer> {
  /** What was found at once; it is the answer where {@link isAnswer} says so, or where there is no time to wait. */
  readonly first: Answer;
  readonly isAnswer: () => boolean;
  readonly topic: string;
  readonly waits: OpenWaits<Answer>;
  readonly look: () => Answer | undefined;
  /** What is to be said when the time is over. */
  readonly last: () => Answer;
  readonly waitMs: number;
  readonly timers: Timers;
  /** Each of them ends the wait. */
  readonly signals: readonly AbortSignal[];
}

/** Answers at once, or as soon as there is something to say, or when the time is over. Fails with `aborted` when the caller gives up. */
export function patiently<Answer>(call: PatientCall<Answer>): Promise<Answer> {
  const { first, topic, waits, look, waitMs, timers, signals } = call;
  if (call.isAnswer() || waitMs === 0) return Promise.resolve(first);
  return new Promise((resolve, reject) => {
    const end = (): void => {
      waits.close(topic, wait);
      cancel();
      for (const signal of signals) signal.removeEventListener("abort", giveUp);
    };
    const wait: OpenWait<Answer> = {
      look,
      answer: (answer) => {
        end();
        resolve(answer);
      },
    };
    const giveUp = (): void => {
      end();
      const cause = signals.find(({ aborted }) => aborted)?.reason;
      reject(new WarpError("aborted", "the caller gave up", { cause }));
    };
    const cancel = timers.after(
      waitMs,
      () => {
        // Closed first: whoever is no longer waited for must not count as such in what follows.
        end();
        resolve(call.last());
      },
      { awaited: true },
    );
    waits.open(topic, wait);
    for (const signal of signals) signal.addEventListener("abort", giveUp);
  });
}
