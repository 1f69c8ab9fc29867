import { Agent, request } from "node:http";
import type { FenceGuard } from "../../../src/protocol/operation.ts";
import {
  type AnswerOf,
  type Ended,
  type Failure,
  failed,
  type NodeCall,
  revisionOf,
  type Seen,
  type TwinNode,
  type TxnEnded,
  type TxnStep,
  type Value,
} from "./calls.ts";
import { IsolateLocks } from "./isolate-locks.ts";
import { isLeaseCall, isLockCall, type LeaseCall, type LockCall } from "./lock-calls.ts";

/** One request with a body in JSON; what is no success is a failure. */
export type Ask = <T extends object>(
  method: string,
  path: string,
  options?: {
    readonly body?: object;
    readonly headers?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
  },
) => Promise<T | Failure>;

interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: NodeJS.Dict<string | string[]>;
}

interface VerdictBody {
  readonly version: number;
  readonly revision?: string;
  readonly replayed: boolean;
  readonly created?: boolean;
  readonly existed?: boolean;
  readonly provisional?: boolean;
}

const json = { "Content-Type": "application/json" };

/** An isolate of the deployment, asked over HTTP. */
export class IsolateNode implements TwinNode {
  readonly kind = "isolate";
  readonly name: string;
  readonly #url: () => string;
  readonly #space: string;
  // As many as there are questions: those that wait for a lock stay open.
  readonly #agent = new Agent({ keepAlive: true });
  readonly #locks: IsolateLocks;

  constructor(name: string, url: () => string, space: string) {
    this.name = name;
    this.#url = url;
    this.#space = space;
    this.#locks = new IsolateLocks((method, path, options) => this.ask(method, path, options));
  }

  async call<C extends NodeCall>(call: C): Promise<AnswerOf<C>> {
    return (await this.#call(call)) as AnswerOf<C>;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Any request of the space; a failure of the connection is a failure with an unknown outcome. */
  async send(
    method: string,
    path: string,
    options: {
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    } = {},
  ): Promise<HttpAnswer | Failure> {
    const { body, headers = {}, timeoutMs = 10_000 } = options;
    return await new Promise((resolve) => {
      const fail = (error: Error): void =>
        resolve(failed("connection", `${method} ${path}: ${error.message}`, "unknown"));
      const out = request(
        `${this.#url()}/v1/${this.#space}${path}`,
        {
          agent: this.#agent,
          method,
          headers: { ...headers, "Warp-Timeout-Ms": String(timeoutMs) },
          // The server's own time-out tells more.
          signal: AbortSignal.timeout(timeoutMs + 2_000),
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", fail);
          answer.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers });
          });
          answer.on("close", () => {
            if (!answer.complete) fail(new Error("the answer broke off"));
          });
        },
      );
      out.on("error", fail);
      out.end(body);
    });
  }

  /** {@link send} with a body in JSON. */
  async ask<T extends object>(
    method: string,
    path: string,
    { body, headers = {}, ...timeout }: Parameters<Ask>[2] = {},
  ): Promise<T | Failure> {
    const sent =
      body === undefined ? { headers } : { headers: { ...json, ...headers }, body: JSON.stringify(body) };
    return bodyOf<T>(await this.send(method, path, { ...sent, ...timeout }));
  }

  async #call(call: NodeCall): Promise<object> {
    if (isLockCall(call))
      return call.do === "lock" ? await this.#locks.lock(call) : await this.#locks.change(call);
    if (isLeaseCall(call)) return await this.#locks.lease(call);
    const { timeoutMs } = call;
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    if (call.do === "get") {
      const answer = await this.send("GET", keyPath(call.key), timeout);
      return "ok" in answer ? answer : read(call.key, answer);
    }
    if (call.do === "getMany" || call.do === "peek") {
      const operations = call.keys.map((key) => ({ op: "get", key }));
      const answer = await this.send("POST", "/batch", {
        ...timeout,
        headers: json,
        body: JSON.stringify({ operations }),
      });
      const body = bodyOf<{ results: (Record<string, unknown> & { ok: boolean; error?: Problem })[] }>(
        answer,
      );
      if ("ok" in body) return body;
      const broken = body.results.find(({ ok }) => !ok);
      if (broken?.error !== undefined) return failureOf(broken.error);
      const seen = body.results.map(
        (result): Seen => ({
          key: String(result.key),
          value: result.found === true ? Number(result.json) : null,
          version: Number(result.version),
          cache: String(result.cache),
          stale: result.cache === "stale",
          ...(result.provisional === true ? { provisional: true } : {}),
        }),
      );
      // An isolate tells what came from its L1; the rest was loaded for this question.
      return { ok: true, seen: call.do === "peek" ? seen.filter(({ cache }) => cache === "hit") : seen };
    }
    if (call.do === "register") {
      const path = `/registrations/${encodeURIComponent(call.pattern)}`;
      const answer = await this.send("PUT", path, { headers: json, body: JSON.stringify(call.settings) });
      const body = bodyOf(answer);
      return "ok" in body ? body : { ok: true };
    }
    return await this.#change(call, timeout);
  }

  async #change(
    call: Exclude<NodeCall, LockCall | LeaseCall | { do: "get" | "getMany" | "peek" | "register" }>,
    timeout: object,
  ): Promise<object> {
    const headers = { ...json, "Warp-Op-Id": call.opId };
    if (call.do === "set" || call.do === "merge") {
      const ends =
        call.do === "set" && call.expiresInMs !== undefined ? [`expiresInMs=${call.expiresInMs}`] : [];
      const tags = call.do === "set" && call.tags !== undefined ? [`tags=${call.tags.join(",")}`] : [];
      const lease = call.do === "set" && call.lease !== undefined ? [`lease=${call.lease}`] : [];
      const query = [...ends, ...tags, ...lease].join("&");
      const guard = call.do === "set" ? fenceHeader(call.guard) : {};
      const path = `${keyPath(call.key)}${query === "" ? "" : `?${query}`}`;
      const body = String(call.do === "set" ? call.value : call.amount);
      const method = call.do === "set" ? "PUT" : "POST";
      return ended(await this.send(method, path, { ...timeout, headers: { ...headers, ...guard }, body }));
    }
    if (call.do === "delete") {
      return ended(await this.send("DELETE", keyPath(call.key), { ...timeout, headers }));
    }
    if (call.do === "invalidate") {
      const { keys, prefix, tag } = call;
      const body = JSON.stringify({ keys, prefix, ...(tag === undefined ? {} : { tags: [tag] }) });
      const answer = bodyOf(await this.send("POST", "/invalidate", { ...timeout, headers, body }));
      return "ok" in answer ? answer : { ok: true };
    }
    if (call.do === "batch") {
      const operations = call.sets.map(({ key, value, opId }) => ({ op: "set", key, json: value, opId }));
      const body = JSON.stringify({ operations });
      const answer = bodyOf<{ results: ({ ok: boolean; error?: Problem } & VerdictBody)[] }>(
        await this.send("POST", "/batch", { ...timeout, headers: json, body }),
      );
      if ("ok" in answer) return answer;
      const verdicts = answer.results.map(
        (result): Ended => (result.error === undefined ? verdictOf(result) : failureOf(result.error)),
      );
      return { ok: true, ended: verdicts };
    }
    const transaction =
      call.do === "txn"
        ? call
        : {
            held: undefined,
            compare: [{ key: call.key, is: call.expected }],
            success: [{ op: "set", key: call.key, value: call.value } as const],
            failure: [],
          };
    const { held } = transaction;
    const body = JSON.stringify({
      compare: [
        ...transaction.compare.map(({ key, is }) =>
          is === null ? { key, exists: false } : { key, json: is },
        ),
        ...(held === undefined ? [] : [{ key: held.lock, fence: held.fence }]),
      ],
      success: transaction.success.map(stepOf),
      failure: transaction.failure.map(stepOf),
    });
    const answer = bodyOf<TxnBody>(await this.send("POST", "/txn", { ...timeout, headers, body }));
    if ("ok" in answer) return answer;
    if (call.do === "txn") return txnEnded(answer);
    if (!answer.succeeded) return failed("precondition_failed", "the comparison did not hold", "fail");
    return {
      ok: true,
      version: answer.version,
      existed: answer.results[0]?.existed === true,
      replayed: answer.replayed,
    };
  }
}

interface TxnBody {
  readonly succeeded: boolean;
  readonly revision: string;
  readonly version: number;
  readonly replayed: boolean;
  readonly results: readonly {
    readonly op: string;
    readonly json?: unknown;
    readonly found?: boolean;
    readonly existed?: boolean;
  }[];
}

function txnEnded({ succeeded, version, replayed, revision, results }: TxnBody): TxnEnded {
  return {
    ok: true,
    succeeded,
    version,
    replayed,
    revision: revisionOf(revision),
    results: results.map(({ op, json: value, found, existed }) =>
      op === "get" ? { value: found === true ? Number(value) : null } : { existed: existed === true },
    ),
  };
}

function stepOf(step: TxnStep): object {
  if (step.op === "get") return step;
  if (step.op === "merge") return { op: "merge", key: step.key, json: step.amount };
  return step.value === null
    ? { op: "delete", key: step.key }
    : { op: "set", key: step.key, json: step.value };
}

interface Problem {
  readonly code: string;
  readonly outcome: Failure["outcome"];
  readonly detail?: string;
  readonly message?: string;
  readonly details?: Failure["details"];
}

function failureOf({ code, outcome, detail, message, details }: Problem): Failure {
  return failed(code, detail ?? message ?? "", outcome === "fail" ? "fail" : "unknown", details);
}

/** The problem of an answer that is no success; what has no code may have been done. */
function problemOf({ status, text }: HttpAnswer): Failure {
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.code === "string") return failureOf(problem);
  } catch {
    // Not of ours.
  }
  return failed("no_problem", `${status} ${text.slice(0, 200)}`, "unknown");
}

function bodyOf<T extends object = object>(answer: HttpAnswer | Failure): T | Failure {
  if ("ok" in answer) return answer;
  if (answer.status < 200 || answer.status > 299) return problemOf(answer);
  return JSON.parse(answer.text) as T;
}

function read(key: string, answer: HttpAnswer): AnswerOf<{ do: "get"; key: string }> {
  const { status, text, headers } = answer;
  const cache = String(headers["warp-cache"]);
  if (status !== 200) {
    const problem = problemOf(answer);
    if (problem.code !== "not_found") return problem;
  }
  const value: Value = status === 200 ? Number(text) : null;
  return {
    ok: true,
    seen: {
      ...{ key, value, version: Number(headers["warp-version"]), cache, stale: cache === "stale" },
      ...(headers["warp-provisional"] === "true" ? { provisional: true } : {}),
    },
  };
}

function ended(answer: HttpAnswer | Failure): Ended {
  const body = bodyOf<VerdictBody>(answer);
  return "ok" in body ? body : verdictOf(body);
}

function verdictOf({ version, replayed, created, existed, revision, provisional }: VerdictBody): Ended {
  const at = revision === undefined ? {} : { revision: revisionOf(revision) };
  const waits = provisional === true ? { provisional } : {};
  return {
    ok: true,
    version,
    replayed: replayed === true,
    existed: existed ?? created === false,
    ...at,
    ...waits,
  };
}

function fenceHeader(guard: FenceGuard | undefined): Readonly<Record<string, string>> {
  return guard === undefined ? {} : { "Warp-Fence": `${encodeURIComponent(guard.lock)}=${guard.fence}` };
}

function keyPath(key: string): string {
  return `/keys/${encodeURIComponent(key)}`;
}
