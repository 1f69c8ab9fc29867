import { type ErrorData, WarpError } from "../errors.ts";
import type { HttpClient } from "./http.ts";
import { linesOf } from "./lines.ts";
import { spacePath } from "./path.ts";

/** Lines read, stored and failed so far. */
export interface ImportCounts {
  readonly lines: number;
  readonly imported: number;
  readonly failed: number;
}

/** How an import ended. With `stopped` the authority failed in the middle and reading ended there. */
export interface ImportResult extends ImportCounts {
  readonly stopped?: ErrorData;
}

/** A line that was not stored. */
export interface ImportFailure {
  /** From 1 on. */
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

/** What an import is told to and asks for. */
export interface ImportOptions {
  /** Repeats the import of this op id within 5 minutes without doing anything twice. */
  readonly opId?: string;
  readonly onProgress: (counts: ImportCounts) => void;
  /** The first 100 lines that fail. */
  readonly onFailure: (failure: ImportFailure) => void;
}

type ReportLine =
  | { readonly progress: ImportCounts }
  | { readonly error: ImportFailure }
  | { readonly done: ImportResult };

/**
 * Imports NDJSON, as it comes. Throws what the server refuses, and `unavailable` with outcome `unknown` where the report ends before it said
 * how the import ended.
 */
export async function importLines(
  client: HttpClient,
  space: string,
  source: AsyncIterable<Uint8Array>,
  silenceMs: number,
  options: ImportOptions,
): Promise<ImportResult> {
  const { opId } = options;
  const call = {
    method: "POST",
    path: `${spacePath(space)}/import`,
    headers: { "Content-Type": "application/x-ndjson" },
  } as const;
  // An import of nothing first: a server that refuses a call closes the connection under its body, and its reasons may be lost then.
  await client.call({ ...call, body: new Uint8Array(0) });
  const { chunks } = await client.stream(
    { ...call, body: source, mutation: true, ...(opId === undefined ? {} : { opId }) },
    silenceMs,
  );
  let done: ImportResult | undefined;
  try {
    for await (const text of linesOf(chunks)) {
      if (text === "") continue;
      const line = parse(text);
      if ("progress" in line) options.onProgress(line.progress);
      else if ("error" in line) options.onFailure(line.error);
      else if ("done" in line) done = line.done;
    }
  } catch (error) {
    // A server that stopped reading closes the connection under the rest of the body; by then it has said how it ended.
    if (done === undefined) throw error;
  }
  if (done === undefined) {
    throw new WarpError("unavailable", "the import's report broke off", { outcome: "unknown" });
  }
  return done;
}

function parse(text: string): ReportLine {
  try {
    return JSON.parse(text) as ReportLine;
  } catch (cause) {
    throw new WarpError("decode_failed", "the import's report is not NDJSON", { cause, outcome: "unknown" });
  }
}
