import { describe, expect, test } from "vitest";
import { type Seeded, seeded } from "../support/seeded.ts";
import { checkEventual } from "./check/eventual.ts";
import type { Action, Operation, Step, Value } from "./check/history.ts";
import { checkInvalidations } from "./check/invalidations.ts";
import { type Candidate, linearizable, type State, step } from "./check/linearize.ts";
import { checkQuorum, type Dropped } from "./check/quorum.ts";
import { checkStrong, components } from "./check/strong.ts";

const keys = ["a", "b"];

/** Whether any order of the operations, with any of the unanswered ones left out, explains all answers: tried one by one. */
function bruteForce(candidates: readonly Candidate[]): boolean {
  const places = new Map(keys.map((key, at) => [key, at]));
  const from = (state: State, left: readonly Candidate[]): boolean => {
    if (left.every(({ ret }) => ret === Number.POSITIVE_INFINITY)) return true;
    // The next to happen was called before any of the others was answered.
    const firstAnswer = Math.min(...left.map(({ ret }) => ret));
    return left.some((one) => {
      if (one.call > firstAnswer) return false;
      const next = step(state, one.action, places);
      return (
        next !== undefined &&
        from(
          next,
          left.filter((other) => other !== one),
        )
      );
    });
  };
  return from(
    keys.map(() => null),
    candidates,
  );
}

function randomAction(random: Seeded, transactions: boolean): Action {
  const value = (): Value => random.pick([null, 1, 2, 3]);
  const key = (): string => (transactions ? random.pick(keys) : "a");
  const one = (): Step => {
    const kind = random.below(5);
    if (kind < 2) return { do: "read", key: key(), value: value() };
    if (kind < 4)
      return {
        do: "write",
        key: key(),
        value: value(),
        existed: random.pick([undefined, undefined, true, false]),
      };
    return { do: "add", key: key(), amount: 1 };
  };
  const several = (): Step[] => (transactions && random.below(2) === 0 ? [one(), one()] : [one()]);
  const compares = random.below(3) === 0;
  return {
    when: compares ? [{ key: key(), is: value() }] : [],
    success: several(),
    failure: compares && transactions ? several() : [],
    took: compares ? random.pick([undefined, true, false]) : undefined,
  };
}

function randomHistory(random: Seeded, transactions: boolean): Candidate[] {
  const count = 2 + random.below(5);
  const times = Array.from({ length: count * 2 }, (_, at) => at).sort(() => random.below(3) - 1);
  return Array.from({ length: count }, (_, at) => {
    const [call = 0, ret = 0] = [times[at * 2] ?? 0, times[at * 2 + 1] ?? 0].sort((a, b) => a - b);
    const unanswered = random.below(5) === 0;
    // Hints may be as wrong as they like.
    const hint = random.below(2) === 0 ? {} : { hint: random.below(10) };
    const action = randomAction(random, transactions);
    return { action, call, ret: unanswered ? Number.POSITIVE_INFINITY : ret, ...hint };
  });
}

describe("the judge of one order", () => {
  for (const transactions of [false, true]) {
    test(`ST1, TX1 agrees with trying all orders, on 20,000 small histories${transactions ? " with transactions" : ""}`, () => {
      const verdicts = { linearizable: 0, violation: 0, undecided: 0 };
      for (let seed = 0; seed < 20_000; seed++) {
        const history = randomHistory(seeded(seed * 2 + (transactions ? 1 : 0)), transactions);
        const judged = linearizable(history, keys);
        verdicts[judged]++;
        const expected = bruteForce(history) ? "linearizable" : "violation";
        if (judged !== expected)
          expect.fail(`seed ${seed}: ${judged}, not ${expected}: ${JSON.stringify(history)}`);
      }
      // Both must happen often, else this shows nothing.
      expect(verdicts.linearizable).toBeGreaterThan(2_000);
      expect(verdicts.violation).toBeGreaterThan(2_000);
      expect(verdicts.undecided).toBe(0);
    });
  }

  test("says when it gives up", () => {
    const history = Array.from({ length: 12 }, (_, at) => ({ ...write("a", at), call: 0, ret: 100 }));
    const wrong = { ...read("a", 99), call: 101, ret: 102 };
    expect(linearizable([...history, wrong], keys, 1_000)).toBe("undecided");
  });
});

let ids = 0;
function operation(part: Partial<Operation> & Pick<Operation, "call" | "ret">): Operation {
  const { call, ret } = part;
  const outcome = Number.isFinite(ret) ? "ok" : "unknown";
  const base = {
    id: ids++,
    kind: "get",
    node: "n",
    strong: true,
    keys: ["a"],
    outcome,
    action: undefined,
  } as const;
  return { ...base, callMs: call, retMs: ret, ...part };
}
const plainly = (one: Step): { action: Action } => ({
  action: { when: [], success: [one], failure: [], took: undefined },
});
const write = (key: string, value: Value) => plainly({ do: "write", key, value });
const read = (key: string, value: Value) => plainly({ do: "read", key, value });
const set = (value: Value, part: Partial<Operation> & Pick<Operation, "call" | "ret">) =>
  operation({ kind: "set", ...write("a", value), ...part });
const get = (value: Value, part: Partial<Operation> & Pick<Operation, "call" | "ret">) =>
  operation({ ...read("a", value), ...part });

describe("the judge of strong keys", () => {
  test("ST1 a get after the answer to a set that gives the value before it is a violation, with what shows it", () => {
    const history = [
      set(1, { call: 1, ret: 2 }),
      set(2, { call: 3, ret: 4 }),
      get(1, { call: 5, ret: 6 }),
      get(2, { call: 7, ret: 8 }),
    ];
    const { violations } = checkStrong(history);
    expect(violations.map(({ rule }) => rule)).toEqual(["ST1"]);
    expect(violations[0]?.operations.map(({ id }) => id)).toEqual(history.slice(0, 3).map(({ id }) => id));
  });

  test("OU1 a set of unknown fate may happen late or never, a failed one never does", () => {
    const lost = { call: 3, ret: Number.POSITIVE_INFINITY };
    const late = [
      set(1, { call: 1, ret: 2 }),
      set(2, lost),
      get(1, { call: 5, ret: 6 }),
      get(2, { call: 7, ret: 8 }),
    ];
    expect(checkStrong(late).violations).toEqual([]);
    const failed = late.map((op) => (op.ret === lost.ret ? { ...op, outcome: "fail" as const, ret: 4 } : op));
    expect(checkStrong(failed).violations).toHaveLength(1);
  });

  test("TX7 of two compare-and-sets with one expectation only one can have been done", () => {
    const cas = (value: number, took: boolean, call: number) =>
      operation({
        kind: "cas",
        call,
        ret: call + 5,
        outcome: took ? "ok" : "fail",
        action: {
          when: [{ key: "a", is: null }],
          success: [{ do: "write", key: "a", value }],
          failure: [],
          took,
        },
      });
    expect(checkStrong([cas(1, true, 1), cas(2, false, 2)]).violations).toEqual([]);
    expect(checkStrong([cas(1, true, 1), cas(2, true, 2)]).violations).toHaveLength(1);
    expect(checkStrong([cas(1, false, 1), cas(2, false, 2)]).violations).toHaveLength(1);
  });

  test("judges keys apart unless an operation joins them", () => {
    const over = (...names: string[]) => operation({ call: 1, ret: 2, keys: names });
    expect(components([over("a"), over("b"), over("c", "b")]).map((one) => one.keys)).toEqual([
      ["a"],
      ["b", "c"],
    ]);
  });
});

describe("the judge of eventual keys", () => {
  const exact = { rate: 0, stepMs: 0 };
  const lagging = (callMs: number, part: Partial<Operation> = {}) => [
    set(1, { call: 1, ret: 2, version: 1, callMs: 10, retMs: 20 }),
    set(2, { call: 3, ret: 4, version: 2, callMs: 30, retMs: 100 }),
    get(1, {
      call: 5,
      ret: 6,
      version: 1,
      strong: false,
      node: "other",
      boundMs: 50,
      callMs,
      retMs: callMs + 10,
      ...part,
    }),
  ];

  test("SB3 a get may lag by its bound and no more", () => {
    expect(checkEventual(lagging(150), exact)).toEqual([]);
    expect(checkEventual(lagging(151), exact).map(({ rule }) => rule)).toEqual(["SB3"]);
    expect(checkEventual(lagging(151, { stale: true }), exact)).toEqual([]);
  });

  test("CO4 a node's own change is seen at once", () => {
    expect(checkEventual(lagging(101, { node: "n" }), exact).map(({ rule }) => rule)).toEqual(["CO4"]);
  });

  test("OU1 a value that nobody wrote is a violation", () => {
    const [first, second] = lagging(101);
    const failed = { ...first, outcome: "fail" } as Operation;
    expect(checkEventual([failed, second as Operation, get(1, { call: 9, ret: 10 })], exact)).toHaveLength(1);
  });

  test("OU1 a set that was lost when the storage was set back, and is refused afterwards, may have been read before", () => {
    const restore = operation({ kind: "restore", ...write("a", null), call: 7, ret: 8, callMs: 7, retMs: 8 });
    const sealed = set(1, { call: 1, ret: 9, callMs: 1, retMs: 9, outcome: "fail" });
    const before = get(1, { call: 3, ret: 4, version: 5, strong: false });
    const after = get(1, { call: 10, ret: 11, version: 5, strong: false });
    expect(checkEventual([sealed, before, restore], exact)).toEqual([]);
    expect(checkEventual([sealed, after, restore], exact)).toHaveLength(1);
    const early = { ...sealed, ret: 2 };
    expect(checkEventual([early, before, restore], exact)).toHaveLength(1);
  });

  test("SB3 absence is a value, too", () => {
    const absent = (callMs: number, ...between: Operation[]) => [
      set(1, { call: 1, ret: 2, version: 1, callMs: 10, retMs: 20 }),
      ...between,
      get(null, {
        call: 9,
        ret: 10,
        version: 0,
        strong: false,
        node: "other",
        boundMs: 50,
        callMs,
        retMs: callMs,
      }),
    ];
    expect(checkEventual(absent(70), exact)).toEqual([]);
    expect(checkEventual(absent(71), exact)).toHaveLength(1);
    const removed = operation({
      kind: "delete",
      ...write("a", null),
      call: 3,
      ret: 4,
      callMs: 30,
      retMs: 40,
    });
    expect(checkEventual(absent(500, removed), exact)).toEqual([]);
  });
});

describe("the judge of quorums", () => {
  const drop = (node: string, zone: string, acknowledged: number | undefined): Dropped => ({
    node,
    zone,
    keys: ["a"],
    told: 2,
    acknowledged,
  });
  const judge = (dropped: readonly Dropped[], part: Partial<Operation> = {}) =>
    checkQuorum([set(1, { call: 1, ret: 10, version: 4, ...part })], {
      nodes: 2,
      zones: 2,
      dropped,
      wants: () => true,
      committed: () => 8,
      writer: ({ node }) => node,
    }).map(({ rule }) => rule);

  test("ST7 counts other nodes, each once, in their zones, that had dropped the key before it was stored", () => {
    expect(judge([drop("x", "z0", 3), drop("y", "z1", 4)])).toEqual([]);
    expect(judge([drop("x", "z0", 3), drop("x", "z1", 4)])).toEqual(["ST7"]);
    expect(judge([drop("x", "z0", 3), drop("y", "z0", 4)])).toEqual(["ST7"]);
    expect(judge([drop("x", "z0", 3), drop("n", "z1", 4)])).toEqual(["ST7"]);
    expect(judge([drop("x", "z0", 3), drop("y", "z1", 9)])).toEqual(["ST7"]);
    expect(judge([drop("x", "z0", 3), drop("y", "z1", undefined)])).toEqual(["ST7"]);
  });

  test("ST7 asks nothing of what failed, nor of the delete of an absent key", () => {
    expect(judge([], { outcome: "fail" })).toEqual([]);
    const absent = plainly({ do: "write", key: "a", value: null, existed: false });
    expect(judge([], { kind: "delete", ...absent })).toEqual([]);
  });
});

describe("the judge of invalidations", () => {
  const invalidation = operation({
    kind: "invalidate",
    keys: [],
    call: 3,
    ret: 4,
    asOf: 7,
    invalidates: ["a"],
  });
  const rules = (...others: Operation[]) =>
    checkInvalidations([invalidation, ...others]).map(({ rule }) => rule);
  const hit = (call: number, asOf: number) => get(1, { call, ret: call + 1, asOf, cache: "hit" });

  test("ST2 no strong copy from before one is served after its answer", () => {
    expect(rules(hit(5, 7))).toEqual(["ST2"]);
    expect(rules(hit(5, 8))).toEqual([]);
    expect(rules({ ...hit(3, 7), call: 3.5 })).toEqual([]);
    expect(rules({ ...hit(5, 7), cache: "bypass" })).toEqual([]);
  });

  test("ST2 leaves out what another change was taking from its holders at the same time", () => {
    expect(rules(set(2, { call: 2, ret: 5 }), hit(6, 7))).toEqual([]);
    expect(rules(set(2, { call: 1, ret: 2 }), hit(6, 7))).toEqual(["ST2"]);
  });
});
