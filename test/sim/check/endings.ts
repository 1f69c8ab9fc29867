import type { Operation } from "./history.ts";

/** How far the clocks of the hosts that run one shard may lie apart, with their rates (rules A1, A2). */
const apartMs = 1_000;
const rate = 0.01;

/**
 * Values that end by themselves are changes that no client made: one for each set with an end, not before it can be due and, where the set was
 * answered, not after it must be.
 */
export function endings(history: readonly Operation[]): readonly Operation[] {
  const marks = history
    .flatMap((op) => [
      { at: op.call, ms: op.callMs },
      { at: op.ret, ms: op.retMs },
    ])
    .filter(({ at }) => Number.isFinite(at))
    .sort((a, b) => a.at - b.at);
  // Between the last mark before a moment and the first one after it.
  const markOf = (ms: number): number => {
    let low = 0;
    let high = marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((marks[middle]?.ms ?? 0) <= ms) low = middle + 1;
      else high = middle;
    }
    return (marks[low - 1]?.at ?? 0) + 0.5;
  };
  let id = history.length;
  return history.flatMap((op) => {
    const { expiresInMs, outcome } = op;
    const [written] = op.action?.success ?? [];
    if (expiresInMs === undefined || outcome === "fail" || written?.do !== "write") return [];
    const fromMs = Math.max(op.callMs, op.callMs + expiresInMs * (1 - rate) - apartMs);
    const toMs = op.retMs + expiresInMs * (1 + rate) + apartMs;
    const isSure = Number.isFinite(toMs) && toMs < (marks.at(-1)?.ms ?? 0);
    const { key, value } = written;
    const ending: Operation = {
      id: id++,
      kind: "end",
      node: "shard",
      strong: true,
      keys: [key],
      call: Math.max(op.call + 0.5, markOf(fromMs)),
      callMs: fromMs,
      ret: isSure ? markOf(toMs) : Number.POSITIVE_INFINITY,
      retMs: isSure ? toMs : Number.POSITIVE_INFINITY,
      outcome: isSure ? "ok" : "unknown",
      action: {
        when: [{ key, is: value }],
        success: [{ do: "write", key, value: null }],
        failure: [],
        took: undefined,
      },
    };
    return [ending];
  });
}
