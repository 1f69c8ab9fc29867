import { setTimeout as sleep } from "node:timers/promises";
import type { Action, Operation, OperationKind, Step, Value } from "../../sim/check/history.ts";
import {
  type ChangeCall,
  type Ended,
  type Failure,
  isVerdict,
  type TwinNode,
  type TxnEnded,
  type TxnStep,
} from "./calls.ts";

/** How reads of a key are judged, by who reads. */
export type Promised = (node: TwinNode, key: string) => "strong" | { readonly boundMs: number };

/** Repeats of a change whose fate is not known, under its op id. */
const maxRepeats = 20;
const repeatAfterMs = 500;

type One<D extends ChangeCall["do"]> = Extract<ChangeCall, { do: D }>;

/**
 * Makes calls at nodes and writes down what they did, all times by one clock: this process's, from before the question is sent until after the
 * answer is there. That makes each call look longer than it was, never shorter.
 */
export class Recorder {
  readonly history: Operation[] = [];
  /** The newest value of each key that any answer told. */
  readonly known = new Map<string, Value>();
  /** How calls ended, by code. */
  readonly codes = new Map<string, number>();
  readonly caches = new Map<string, number>();
  readonly #promised: Promised;
  #marks = 0;

  constructor(promised: Promised) {
    this.#promised = promised;
  }

  /** Operations that were answered. */
  get answered(): number {
    return this.#answered;
  }
  #answered = 0;

  async get(node: TwinNode, keys: readonly string[], timeoutMs: number): Promise<boolean> {
    const ops = keys.map((key) => {
      const promised = this.#promised(node, key);
      return this.#begin("get", node, [key], {
        strong: promised === "strong",
        ...(promised === "strong" ? {} : { boundMs: promised.boundMs }),
      });
    });
    const [first = ""] = keys;
    const answer =
      keys.length === 1
        ? await node.call({ do: "get", key: first, timeoutMs })
        : await node.call({ do: "getMany", keys, timeoutMs });
    if (!answer.ok) {
      // A read without an answer has done nothing.
      for (const op of ops) this.#failed(op, answer.code);
      return false;
    }
    const seen = "seen" in answer && "key" in answer.seen ? [answer.seen] : (answer.seen as never[]);
    for (const [at, op] of ops.entries()) {
      const found = seen[at] as { key: string; value: Value; version: number; cache: string; stale: boolean };
      if (found?.key !== keys[at])
        throw new Error(`${node.name} answered about ${found?.key}, not ${keys[at]}`);
      const { key, value, version, cache, stale } = found;
      op.version = version;
      op.cache = cache;
      if (stale) op.stale = true;
      this.known.set(key, value);
      this.#served(node, op);
      this.#ok(op, action([{ do: "read", key, value }]));
    }
    return true;
  }

  /** What L1 gives at once of these keys: gets like any other, which can't fail. */
  async peek(node: TwinNode, keys: readonly string[]): Promise<void> {
    const call = ++this.#marks;
    const callMs = performance.now();
    const answer = await node.call({ do: "peek", keys });
    if (!answer.ok) return;
    for (const { key, value, cache } of answer.seen) {
      const promised = this.#promised(node, key);
      const op = this.#begin("get", node, [key], {
        strong: promised === "strong",
        ...(promised === "strong" ? {} : { boundMs: promised.boundMs }),
        call,
        callMs,
      });
      op.cache = cache;
      this.#served(node, op);
      this.#ok(op, action([{ do: "read", key, value }]));
    }
  }

  /** A change; repeated while its fate is not known. */
  async change(node: TwinNode, call: Exclude<ChangeCall, One<"batch">>, timeoutMs: number): Promise<boolean> {
    const intended = intendedBy(call);
    const keys =
      call.do === "txn"
        ? [...new Set([...call.compare, ...call.success, ...call.failure].map(({ key }) => key))]
        : call.do === "invalidate"
          ? []
          : [call.key];
    const op = this.#begin(kindOf(call), node, keys, {
      action: intended,
      ...(call.do === "set" && call.expiresInMs !== undefined ? { expiresInMs: call.expiresInMs } : {}),
    });
    let unknown = 0;
    for (let repeats = 0; ; repeats++) {
      const answer = await node.call({ ...call, timeoutMs });
      if (answer.ok) {
        if ("version" in answer) op.version = answer.version;
        if ("revision" in answer && answer.revision !== undefined) op.asOf = answer.revision;
        this.#ok(op, call.do === "invalidate" ? undefined : done(call, answer as Ended | TxnEnded, intended));
        this.#learn(op);
        return true;
      }
      if (isVerdict(answer, unknown)) {
        this.#refused(op, answer);
        return false;
      }
      if (answer.outcome === "unknown") unknown++;
      this.#count(`${answer.code} ${answer.outcome} of an attempt`);
      op.error = answer.code;
      if (repeats >= maxRepeats) return false;
      await sleep(repeatAfterMs);
    }
  }

  /** Sets of several keys in one call, each with its own verdict. */
  async batch(node: TwinNode, call: One<"batch">, timeoutMs: number): Promise<boolean> {
    const ops = call.sets.map(({ key, value }) =>
      this.#begin("set", node, [key], { action: action([{ do: "write", key, value }]) }),
    );
    const left = new Map(ops.map((op, at) => [op, call.sets[at]]));
    const unknown = new Set<Operation>();
    for (let repeats = 0; left.size > 0 && repeats <= maxRepeats; repeats++) {
      if (repeats > 0) await sleep(repeatAfterMs);
      const sets = [...left.values()].filter((set) => set !== undefined);
      const answer = await node.call({ ...call, sets, timeoutMs });
      for (const [at, [op, set]] of [...left].entries()) {
        const ended = answer.ok ? answer.ended[at] : answer;
        if (ended === undefined || set === undefined) throw new Error(`${node.name} answered too little`);
        const { key, value } = set;
        if (ended.ok) {
          op.version = ended.version;
          this.#ok(op, action([{ do: "write", key, value, existed: ended.existed }]));
          this.#learn(op);
          left.delete(op);
        } else if (isVerdict(ended, unknown.has(op) ? 1 : 0)) {
          this.#refused(op, ended);
          left.delete(op);
        } else {
          if (ended.outcome === "unknown") unknown.add(op);
          op.error = ended.code;
          this.#count(`${ended.code} ${ended.outcome} of an attempt`);
        }
      }
    }
    return left.size === 0;
  }

  /** Sets that `work` makes through a door of its own: true if all are done; false: it is not known, and `work` can be repeated. */
  async through(
    node: TwinNode,
    sets: readonly { readonly key: string; readonly value: number | null }[],
    work: () => Promise<boolean>,
  ): Promise<void> {
    const ops = sets.map(({ key, value }) =>
      this.#begin("set", node, [key], { action: action([{ do: "write", key, value }]) }),
    );
    for (let repeats = 0; repeats <= maxRepeats; repeats++) {
      if (repeats > 0) await sleep(repeatAfterMs);
      if (await work()) {
        for (const op of ops) this.#ok(op, op.action);
        return;
      }
      this.#count("import unknown of an attempt");
    }
  }

  #begin(
    kind: OperationKind,
    node: TwinNode,
    keys: readonly string[],
    more: Partial<Pick<Operation, "strong" | "boundMs" | "action" | "expiresInMs" | "call" | "callMs">>,
  ): Operation {
    const op: Operation = {
      id: this.history.length,
      kind,
      node: node.name,
      strong: true,
      keys,
      call: ++this.#marks,
      callMs: performance.now(),
      ret: Number.POSITIVE_INFINITY,
      retMs: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      action: undefined,
      ...more,
    };
    this.history.push(op);
    return op;
  }

  #served({ kind }: TwinNode, { strong, cache }: Operation): void {
    const served = `${kind} ${strong ? "strong" : "eventual"} ${cache}`;
    this.caches.set(served, (this.caches.get(served) ?? 0) + 1);
  }

  #ok(op: Operation, did: Action | undefined): void {
    this.#end(op, "ok");
    op.action = did;
    delete op.error;
    this.#answered++;
    this.#count(`${op.kind} ok`);
  }

  #failed(op: Operation, code: string): void {
    this.#end(op, "fail");
    op.error = code;
    this.#count(`${op.kind} ${code}`);
  }

  #refused(op: Operation, failure: Failure): void {
    this.#failed(op, failure.code);
    if (failure.code !== "precondition_failed") return;
    // That its comparison did not hold is told with certainty.
    if (op.kind === "cas" && op.action !== undefined) op.action = { ...op.action, took: false };
    this.#answered++;
  }

  #end(op: Operation, outcome: "ok" | "fail"): void {
    op.outcome = outcome;
    op.ret = ++this.#marks;
    op.retMs = performance.now();
  }

  #learn({ action: did }: Operation): void {
    if (did === undefined) return;
    for (const step of did.took === false ? did.failure : did.success) {
      if (step.do === "write") this.known.set(step.key, step.value);
    }
  }

  #count(code: string): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
  }
}

function action(success: readonly Step[]): Action {
  return { when: [], success, failure: [], took: undefined };
}

function kindOf(call: ChangeCall): OperationKind {
  if (call.do === "txn") return "transaction";
  return call.do === "batch" ? "set" : call.do;
}

/** What a change would do. Reads tell nothing before they are answered. */
function intendedBy(call: Exclude<ChangeCall, One<"batch">>): Action | undefined {
  switch (call.do) {
    case "set":
      return action([{ do: "write", key: call.key, value: call.value }]);
    case "delete":
      return action([{ do: "write", key: call.key, value: null }]);
    case "merge":
      return action([{ do: "add", key: call.key, amount: call.amount }]);
    case "cas": {
      const { key, expected, value } = call;
      return { ...action([{ do: "write", key, value }]), when: [{ key, is: expected }] };
    }
    case "txn":
      return {
        when: call.compare,
        success: call.success.flatMap((step) => stepOf(step)),
        failure: call.failure.flatMap((step) => stepOf(step)),
        took: undefined,
      };
    case "invalidate":
      return undefined;
  }
}

function stepOf(step: TxnStep, result?: TxnEnded["results"][number]): Step[] {
  const { key } = step;
  if (step.op === "merge") return [{ do: "add", key, amount: step.amount }];
  if (step.op === "set") return [{ do: "write", key, value: step.value, existed: result?.existed }];
  return result === undefined ? [] : [{ do: "read", key, value: result.value ?? null }];
}

/** What it did, by its answer. */
function done(
  call: Exclude<ChangeCall, One<"batch">>,
  answer: Ended | TxnEnded,
  intended: Action | undefined,
): Action | undefined {
  if (!answer.ok || intended === undefined) return intended;
  if ("succeeded" in answer) {
    if (call.do !== "txn") throw new Error("a transaction that nobody asked for");
    const took = answer.succeeded;
    const steps = (took ? call.success : call.failure).flatMap((step, at) =>
      stepOf(step, answer.results[at]),
    );
    const other = took ? intended.failure : intended.success;
    const branches = took ? { success: steps, failure: other } : { success: other, failure: steps };
    return { when: intended.when, ...branches, took: call.compare.length === 0 ? undefined : took };
  }
  const took = call.do === "cas" ? { took: true } : {};
  const { existed } = answer;
  const success = intended.success.map((step) => (step.do === "write" ? { ...step, existed } : step));
  return { ...intended, ...took, success };
}
