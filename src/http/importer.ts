import type { Grant } from "../auth/grant.ts";
import { requireKey } from "../auth/grant.ts";
import type { BatchOperation, BatchResult } from "../core/types.ts";
import { type ErrorData, isWarpError, WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import {
  importBatchBytes,
  importBatchRecords,
  importChunksInFlight,
  importProgressMs,
  maxImportLineBytes,
  maxNamedImportErrors,
} from "../runtime/limits.ts";
import { readChunk } from "./body.ts";
import type { SpaceWarp } from "./deployment.ts";
import { LineSplitter } from "./lines.ts";
import { sendPatiently } from "./patient-batch.ts";
import { errorData } from "./problem.ts";
import { chargeOf, isObject, readExpiry, readKey, readValue, refuseOthers } from "./record.ts";
import { readTags } from "./tags.ts";

/** What an import works with. */
export interface ImportOptions {
  readonly warp: SpaceWarp;
  readonly clock: Clock;
  /** For waits where a shard has too much to do; undefined: there are none. */
  readonly timers: Timers | undefined;
  readonly grant: Grant;
  readonly maxValueBytes: number;
  readonly timeoutMs?: number;
  /** The op id of line `line`; the same for the same line of a repeated import. */
  readonly opIdOf: (line: number) => string;
  /** Takes one line of the report, without its newline. */
  readonly report: (line: object) => void;
  /** Takes what nobody expected; the report says `internal` and no more. */
  readonly onUnexpected: (error: unknown) => void;
}

/** Records on their way to the shards together. */
interface Chunk {
  readonly operations: BatchOperation[];
  readonly lines: number[];
  readonly keys: Set<string>;
  bytes: number;
}

type Imported = BatchOperation & { readonly op: "set" | "merge" };

type RecordMembers = "key" | "json" | "text" | "base64" | "contentType" | "expiresInMs" | "tags" | "merge";
const members: ReadonlySet<string> = new Set<RecordMembers>([
  "key",
  "json",
  "text",
  "base64",
  "contentType",
  "expiresInMs",
  "tags",
  "merge",
]);

/**
 * One import: lines in, chunks out, counts at the end. A line that can't be imported is named and counted, and the others go on; trouble with
 * the authority stops the import and says so, for it would strike every further line.
 */
export class Import {
  readonly #options: ImportOptions;
  readonly #splitter = new LineSplitter(maxImportLineBytes);
  readonly #inFlight: { readonly chunk: Chunk; readonly landed: Promise<void> }[] = [];
  #chunk: Chunk = newChunk();
  #lines = 0;
  #imported = 0;
  #failed = 0;
  #reportedAtMs: number;
  #stopped: ErrorData | undefined;
  #cancelled = false;

  constructor(options: ImportOptions) {
    this.#options = options;
    this.#reportedAtMs = options.clock.now();
  }

  /** Reads nothing more. What is on its way lands. */
  cancel(): void {
    this.#cancelled = true;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** Imports `body` to its end. Rejects only if the body itself breaks off. */
  async run(body: ReadableStream<Uint8Array> | null): Promise<void> {
    if (body !== null) await this.#read(body.getReader());
    await this.#send();
    while (this.#inFlight.length > 0) await this.#landOldest();
    const { report } = this.#options;
    const counts = { lines: this.#lines, imported: this.#imported, failed: this.#failed };
    report({ done: this.#stopped === undefined ? counts : { ...counts, stopped: this.#stopped } });
  }

  async #read(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    while (!this.#over) {
      const { done, value } = await readChunk(reader);
      if (done) break;
      for (const line of this.#splitter.push(value)) await this.#take(line);
    }
    if (this.#over) await reader.cancel().catch(() => undefined);
    else for (const line of this.#splitter.end()) await this.#take(line);
  }

  get #over(): boolean {
    return this.#cancelled || this.#stopped !== undefined;
  }

  async #take(line: string | { readonly code: ErrorData["code"]; readonly message: string }): Promise<void> {
    if (this.#over) return;
    this.#lines++;
    if (typeof line !== "string") {
      this.#fail(this.#lines, new WarpError(line.code, line.message).toData());
      return;
    }
    if (line === "" || line === "\r") return;
    let operation: Imported;
    try {
      operation = this.#parse(line);
    } catch (error) {
      this.#fail(this.#lines, this.#dataOf(error));
      return;
    }
    const bytes = chargeOf(operation.key, operation.op === "set" ? operation.payload : operation.operand);
    const chunk = this.#chunk;
    if (chunk.operations.length > 0 && chunk.bytes + bytes > importBatchBytes) await this.#send();
    this.#chunk.operations.push(operation);
    this.#chunk.lines.push(this.#lines);
    this.#chunk.keys.add(operation.key);
    this.#chunk.bytes += bytes;
    if (this.#chunk.operations.length >= importBatchRecords) await this.#send();
  }

  #parse(line: string): Imported {
    let record: unknown;
    try {
      record = JSON.parse(line);
    } catch (cause) {
      throw new WarpError("invalid_json", "the line is not JSON", { cause });
    }
    if (!isObject(record)) throw new WarpError("invalid_line", "the line is not a JSON object");
    refuseOthers(record, members);
    const key = readKey(record);
    checkKey(key);
    requireKey(this.#options.grant, key, "key");
    const payload = readValue(record, this.#options.maxValueBytes);
    const expiresInMs = readExpiry(record);
    const opId = this.#options.opIdOf(this.#lines);
    const tags = readTags(record);
    const { merge } = record;
    if (merge !== undefined && typeof merge !== "boolean") {
      throw new WarpError("invalid_argument", '"merge" must be true or false');
    }
    const written = { opId, ...tags, ...(expiresInMs === undefined ? {} : { expiresInMs }) };
    if (merge === true) return { op: "merge", key, operand: payload, ...written };
    // What an export wrote stands for itself: read back, it is no operand.
    return { op: "set", key, payload, replace: true, ...written };
  }

  #dataOf(error: unknown): ErrorData {
    if (!isWarpError(error)) this.#options.onUnexpected(error);
    return errorData(error);
  }

  #fail(line: number, error: ErrorData): void {
    this.#failed++;
    if (this.#failed > maxNamedImportErrors) return;
    const { code, message, outcome } = error;
    this.#options.report({ error: { line, code, message, outcome } });
  }

  /** Starts the present chunk on its way, once there is room and no chunk under way has one of its keys: the last line of a key wins. */
  async #send(): Promise<void> {
    const chunk = this.#chunk;
    if (chunk.operations.length === 0) return;
    this.#chunk = newChunk();
    while (this.#inFlight.length >= importChunksInFlight || this.#overlaps(chunk)) await this.#landOldest();
    if (this.#over) {
      this.#lines = (chunk.lines[0] ?? 1) - 1;
      return;
    }
    this.#inFlight.push({ chunk, landed: this.#carry(chunk) });
  }

  #overlaps(chunk: Chunk): boolean {
    for (const { chunk: other } of this.#inFlight) {
      for (const key of chunk.keys) if (other.keys.has(key)) return true;
    }
    return false;
  }

  async #landOldest(): Promise<void> {
    const oldest = this.#inFlight[0];
    if (oldest === undefined) return;
    await oldest.landed;
    this.#inFlight.shift();
    const now = this.#options.clock.now();
    if (now - this.#reportedAtMs < importProgressMs) return;
    this.#reportedAtMs = now;
    const progress = { lines: this.#lines, imported: this.#imported, failed: this.#failed };
    this.#options.report({ progress });
  }

  /** Carries a chunk out and counts it. Never rejects. */
  async #carry(chunk: Chunk): Promise<void> {
    let results: readonly BatchResult[];
    try {
      results = await sendPatiently(chunk.operations, {
        send: (operations) => this.#batch(operations),
        timers: this.#options.timers,
        isOver: () => this.#over,
      });
    } catch (error) {
      const data = this.#dataOf(error);
      for (const line of chunk.lines) this.#fail(line, data);
      this.#stopped ??= data;
      return;
    }
    for (const [index, result] of results.entries()) {
      if ("error" in result) this.#fail(chunk.lines[index] ?? 0, result.error);
      else this.#imported++;
    }
    const first = results[0];
    if (first !== undefined && "error" in first && results.every(isPassing)) {
      this.#stopped ??= first.error;
    }
  }

  /** One call, and a second one if its fate is unknown: its op ids make that safe. */
  async #batch(operations: readonly BatchOperation[]): Promise<readonly BatchResult[]> {
    const { warp, grant, timeoutMs } = this.#options;
    const options = { subject: grant.subject, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    try {
      return await warp.batch(operations, options);
    } catch (error) {
      if (!isWarpError(error, "unavailable", "deadline_exceeded")) throw error;
      return await warp.batch(operations, options);
    }
  }
}

/** Whether the authority may be the reason. A quorum is asked for by the registrations of some keys: other lines may do without. */
function isPassing(result: BatchResult): boolean {
  return "error" in result && result.error.retryable && result.error.code !== "quorum_failed";
}

function newChunk(): Chunk {
  return { operations: [], lines: [], keys: new Set(), bytes: 0 };
}

/**
 * The op id of a line: the import's own, its last 48 bits raised by the line's number. A UUIDv7 again, of the same age, and the same for the
 * same line.
 */
export function lineOpId(base: string, line: number): string {
  const low = (Number.parseInt(base.slice(24), 16) + line) % 2 ** 48;
  return base.slice(0, 24) + low.toString(16).padStart(12, "0");
}
