import { setTimeout as sleep } from "node:timers/promises";
import { newOpId, type SpaceHttp } from "../http-client.ts";
import type { Seeded } from "../seeded.ts";
import type { TwinNode, TxnStep, Value } from "./calls.ts";
import { type Family, type KeyGroups, keyOf, keysOf } from "./keys.ts";
import type { Recorder } from "./recorder.ts";

/** What a client of the twin works with. */
export interface ClientParts {
  readonly recorder: Recorder;
  readonly groups: KeyGroups;
  readonly random: Seeded;
  readonly node: TwinNode;
  /** The import door of an isolate. */
  readonly http?: () => SpaceHttp;
  /** A value that no other write of the run has. */
  readonly newValue: () => number;
  /** Share of changes among operations, in percent. */
  readonly changes: number;
  readonly isOver: () => boolean;
}

export const readTimeoutMs = 3_000;
export const writeTimeoutMs = 12_000;

/** Keys that are written whole by any client. */
const whole: readonly Family[] = ["s1", "s2", "e", "m"];
const counters: readonly Family[] = ["n", "c"];

/** One client of one node: one operation after the other, until it is over. */
export async function runClient(parts: ClientParts): Promise<void> {
  while (!parts.isOver()) {
    const group = parts.groups.pick();
    const isChange = parts.random.below(100) < parts.changes;
    const fine = isChange ? await change(parts, group) : await read(parts, group);
    // A node that can't do anything is asked again, but not all the time.
    if (!fine) await sleep(20 + parts.random.below(40));
  }
}

/** Reads what a node has in its L1 now, whatever becomes of its connection: it never waits for anybody. */
export async function runPeeker(
  parts: Pick<ClientParts, "recorder" | "groups" | "random" | "node" | "isOver">,
) {
  const { recorder, groups, random, node, isOver } = parts;
  while (!isOver()) {
    await recorder.peek(node, keysOf(random.pick(groups.present)));
    await sleep(10 + random.below(20));
  }
}

async function read({ recorder, random, node }: ClientParts, group: string): Promise<boolean> {
  const keys = keysOf(group);
  if (random.below(8) === 0) return await recorder.get(node, keys, readTimeoutMs);
  // The same key some more times: who has it in L1 answers at once.
  const key = random.pick(keys);
  for (let times = 1 + random.below(node.kind === "node" ? 16 : 4); times > 0; times--) {
    if (!(await recorder.get(node, [key], readTimeoutMs))) return false;
  }
  return true;
}

async function change(parts: ClientParts, group: string): Promise<boolean> {
  const { recorder, random, node, newValue, http } = parts;
  const key = keyOf(random.pick(whole), group);
  const opId = newOpId();
  const dice = random.below(100);
  const make = (call: Parameters<Recorder["change"]>[1]) => recorder.change(node, call, writeTimeoutMs);
  if (dice < 26) return await make({ do: "set", key, value: newValue(), opId });
  if (dice < 33) return await make({ do: "delete", key, opId });
  if (dice < 51)
    return await make({ do: "cas", key, expected: expected(parts, key), value: newValue(), opId });
  if (dice < 67) {
    const counter = keyOf(random.pick(counters), group);
    return await make({ do: "merge", key: counter, amount: 1 + random.below(9), opId });
  }
  if (dice < 83) return await make({ ...transaction(parts, group), opId });
  if (dice < 89) {
    const sets = whole.slice(random.below(3)).map((family) => ({
      key: keyOf(family, group),
      value: newValue(),
      opId: newOpId(),
    }));
    return await recorder.batch(node, { do: "batch", sets, opId }, writeTimeoutMs);
  }
  if (dice < 94) {
    const ending = keyOf("x", group);
    if (random.below(4) === 0) return await make({ do: "delete", key: ending, opId });
    return await make({
      do: "set",
      key: ending,
      value: newValue(),
      expiresInMs: 500 + random.below(2_500),
      opId,
    });
  }
  if (dice < 97 || http === undefined) {
    const keys = [key, keyOf("n", group)];
    const target = random.pick([{ keys }, { prefix: `${random.pick(whole)}:{g` }, { keys: [key] }]);
    return await make({ do: "invalidate", ...target, opId });
  }
  const sets = whole.map((family) => ({ key: keyOf(family, group), value: newValue() }));
  await recorder.through(node, sets, async () => {
    const lines = sets.map(({ key: of, value }) => `${JSON.stringify({ key: of, json: value })}\n`).join("");
    try {
      const report = await http().import(lines, opId);
      return (report.done as { imported?: number } | undefined)?.imported === sets.length;
    } catch {
      return false;
    }
  });
  return true;
}

/** What is likely to be there, or surely is not. */
function expected({ recorder, random }: ClientParts, key: string): Value {
  return random.below(6) === 0 ? null : (recorder.known.get(key) ?? null);
}

/** Keys that transactions join: few, so that their common history stays short enough to be judged. */
const joined = [
  { first: "s1", second: "e", counter: "n" },
  { first: "s2", second: "m", counter: "c" },
] as const;

function transaction(parts: ClientParts, group: string) {
  const { random, newValue } = parts;
  const { first, second, counter } = random.pick(joined);
  const both = [keyOf(first, group), keyOf(second, group)] as const;
  const [one, other] = both;
  const compare = random.pick([[], [one], [other], both]).map((key) => ({ key, is: expected(parts, key) }));
  const success: TxnStep[] = both.flatMap((key): TxnStep[] => {
    const dice = random.below(6);
    if (dice === 0) return [];
    if (dice === 1) return [{ op: "get", key }];
    return [{ op: "set", key, value: dice === 2 ? null : newValue() }];
  });
  const count = keyOf(counter, group);
  if (random.below(2) === 0) success.push({ op: "merge", key: count, amount: 1 });
  success.push({ op: "get", key: count }, { op: "get", key: one });
  const failure: TxnStep[] =
    compare.length > 0 && random.below(3) === 0
      ? [
          { op: "get", key: one },
          { op: "set", key: other, value: newValue() },
        ]
      : [];
  return { do: "txn", compare, success, failure } as const;
}
