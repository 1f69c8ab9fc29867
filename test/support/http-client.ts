import { nodeClock, nodeRandom } from "../../src/platform/node.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";

/** A fresh op id. */
export function newOpId(): string {
  return uuidv7(nodeClock, nodeRandom);
}

/** What a mutation of one key answered. */
export interface Verdict {
  readonly version: number;
  readonly replayed: boolean;
  readonly existed: boolean;
}

/** An answer that is not a success, as its problem says. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly outcome: string;
  constructor(status: number, body: { code: string; outcome: string; detail?: string }) {
    super(`${status} ${body.code}: ${body.detail}`);
    this.status = status;
    this.code = body.code;
    this.outcome = body.outcome;
  }
}

/** A value read, or undefined for an absent key. */
export interface Read {
  readonly text: string | undefined;
  readonly version: number;
  readonly epoch: string;
  readonly cache: string | null;
}

/** One read of a batch. */
export interface BatchRead {
  readonly key: string;
  readonly found: boolean;
  readonly version: number;
  readonly cache: string;
  readonly json?: unknown;
}

/** One operation of a batch, as HTTP takes it. */
export interface BatchItem {
  readonly op: "set" | "delete" | "get";
  readonly key: string;
  readonly text?: string;
  readonly opId?: string;
}

/** The calls of one space over HTTP that the end-to-end suites make. Answers that are no successes throw {@link Problem}. */
export class SpaceHttp {
  readonly #base: string;

  constructor(url: string, space: string) {
    this.#base = `${url}/v1/${space}`;
  }

  async create(settings: object): Promise<void> {
    await this.#call("PUT", "", JSON.stringify(settings), { "Content-Type": "application/json" });
  }

  async put(key: string, text: string, opId = newOpId()): Promise<Verdict> {
    const headers = { "Warp-Op-Id": opId, "Content-Type": "text/plain; charset=utf-8" };
    const answer = await this.#call("PUT", `/keys/${encodeURIComponent(key)}`, text, headers);
    const body = (await answer.json()) as { version: number; replayed: boolean; created: boolean };
    return { version: body.version, replayed: body.replayed, existed: !body.created };
  }

  /** `revision`: the log's position after it. */
  async delete(key: string, opId = newOpId()): Promise<Verdict & { readonly revision: string }> {
    const headers = { "Warp-Op-Id": opId };
    const answer = await this.#call("DELETE", `/keys/${encodeURIComponent(key)}`, undefined, headers);
    return (await answer.json()) as Verdict & { readonly revision: string };
  }

  /** `query` is what follows the path, with its question mark: `?version=7`. */
  async get(key: string, query = ""): Promise<Read> {
    const answer = await fetch(`${this.#base}/keys/${encodeURIComponent(key)}${query}`);
    const text = await answer.text();
    if (answer.status !== 200 && answer.status !== 404) throw new Problem(answer.status, JSON.parse(text));
    const { headers } = answer;
    return {
      text: answer.status === 404 ? undefined : text,
      version: Number(headers.get("Warp-Version")),
      epoch: headers.get("Warp-Revision")?.split(".")[0] ?? "",
      cache: headers.get("Warp-Cache"),
    };
  }

  /** The verdicts in order; an operation that failed is a {@link Problem} there. */
  async batch(operations: readonly BatchItem[]): Promise<(Verdict | Problem)[]> {
    const answer = await this.#call("POST", "/batch", JSON.stringify({ operations }), {
      "Content-Type": "application/json",
    });
    const { results } = (await answer.json()) as {
      results: (({ ok: true } & Verdict) | { ok: false; error: { code: string; outcome: string } })[];
    };
    return results.map((result) => (result.ok ? result : new Problem(answer.status, result.error)));
  }

  /** Up to 1,000 keys in one call, each with where it came from. */
  async getMany(keys: readonly string[]): Promise<readonly BatchRead[]> {
    const operations = keys.map((key) => ({ op: "get", key }));
    const { results } = (await this.post("/batch", { operations })) as {
      results: (BatchRead & { ok: boolean })[];
    };
    const failed = results.find(({ ok }) => !ok);
    if (failed !== undefined) throw new Error(`a read of a batch failed: ${JSON.stringify(failed)}`);
    return results;
  }

  async post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<unknown> {
    const json = { "Content-Type": "application/json", ...headers };
    return await (await this.#call("POST", path, JSON.stringify(body), json)).json();
  }

  /** Imports NDJSON; gives the report's last line. */
  async import(records: string, opId?: string): Promise<Record<string, unknown>> {
    const headers = {
      "Content-Type": "application/x-ndjson",
      ...(opId === undefined ? {} : { "Warp-Op-Id": opId }),
    };
    const report = await (await this.#call("POST", "/import", records, headers)).text();
    return JSON.parse(report.trim().split("\n").at(-1) ?? "{}") as Record<string, unknown>;
  }

  async json(path: string): Promise<unknown> {
    return await (await this.#call("GET", path, undefined, {})).json();
  }

  async register(pattern: string, settings: object): Promise<void> {
    const path = `/registrations/${encodeURIComponent(pattern)}`;
    await this.#call("PUT", path, JSON.stringify(settings), { "Content-Type": "application/json" });
  }

  /** The lines of an NDJSON answer. */
  async lines(path: string): Promise<Record<string, unknown>[]> {
    const text = await (await this.#call("GET", path, undefined, {})).text();
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async #call(
    method: string,
    path: string,
    body: string | undefined,
    headers: Record<string, string>,
  ): Promise<Response> {
    const answer = await fetch(this.#base + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    if (!answer.ok)
      throw new Problem(answer.status, (await answer.json()) as { code: string; outcome: string });
    return answer;
  }
}
