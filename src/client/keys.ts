import { type ErrorData, WarpError } from "../errors.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import type { Payload } from "../protocol/payload.ts";
import { parseCursor } from "../protocol/position.ts";
import { fenceHeader } from "./fence.ts";
import type { HttpAnswer, HttpClient } from "./http.ts";
import { hasDotSegment, queryText, resourcePath, spacePath } from "./path.ts";
import { payloadOf, recordOf, type ValueRecord } from "./record.ts";

/** A value and what is known about it. */
export interface FoundKey {
  readonly key: string;
  readonly payload: Payload;
  /** Absent where the answer has none: kept versions. */
  readonly version?: number;
  readonly etag?: string;
  readonly expiresInMs?: number;
  /** Which copy answered: `hit`, `miss`, `stale` …; absent for kept versions. */
  readonly cache?: string;
  /** The shard could not be reached: what its fallback knows. It has no version or tag. */
  readonly provisional?: true;
}

/** How a write or a delete ended. */
export interface KeyChange {
  readonly key: string;
  readonly version: number;
  readonly etag?: string;
  readonly revision: string;
  readonly opId: string;
  /** Whether this is the first verdict of an op id that was carried out before. */
  readonly replayed: boolean;
  /** Whether the key existed before. */
  readonly existed: boolean;
  /** The storage behind the shard had not confirmed it when the wait for that was over (`write: "through"`). It is committed. */
  readonly storage?: "pending";
  /** The shard could not be reached: the change waits in the space's fallback and is applied once. It has no version (0) or revision (empty) yet, nor is `existed` (false) known. */
  readonly provisional?: true;
}

/** What must hold for a write or delete to take place: a version, or that there is none yet. */
export type Only = { readonly ifVersion: number } | { readonly ifAbsent: true };

export interface ChangeOptions {
  /** Default: a fresh one. */
  readonly opId?: string;
  readonly only?: Only;
  /** Only under this lock; `stale_fence` else. */
  readonly guard?: FenceGuard;
}

/** How a value is stored. */
export interface SetOptions extends ChangeOptions {
  /** The value's life in ms; default: until it is deleted. */
  readonly expiresInMs?: number;
  /** By which its copies can be invalidated; up to 16. */
  readonly tags?: readonly string[];
  /** Attaches the key to this live lease; `lease_not_found` else. */
  readonly lease?: string;
  /** Store it as it stands, also where the key has a merge rule. */
  readonly replace?: boolean;
}

/** How an operand is merged. Life and tags that are not given stay. */
export type MergeOptions = Omit<SetOptions, "replace">;

/** Which of a key's kept versions; `at` is ISO 8601 or Unix ms. */
export type Kept = { readonly version: number } | { readonly at: string };

/** The present value of `key`, or a kept one. Throws `not_found` and all else that the server refuses. */
export async function getKey(client: HttpClient, space: string, key: string, kept?: Kept): Promise<FoundKey> {
  if (kept === undefined && hasDotSegment(key)) return await getByBatch(client, space, key);
  const query = kept === undefined ? "" : queryText({ ...kept });
  const answer = await client.call({ method: "GET", path: resourcePath(space, "keys", key) + query });
  const contentType = answer.header("Content-Type") ?? "application/octet-stream";
  const version = numberIn(answer, "Warp-Version");
  const expiresInMs = numberIn(answer, "Warp-Expires-In-Ms");
  const etag = answer.header("ETag")?.replaceAll('"', "");
  const cache = answer.header("Warp-Cache");
  return {
    key,
    payload: { bytes: answer.bytes, contentType },
    ...(version === undefined ? {} : { version }),
    ...(etag === undefined ? {} : { etag }),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(cache === null ? {} : { cache }),
    ...(answer.header("Warp-Provisional") === "true" && { provisional: true }),
  };
}

/** Stores a value. Throws `precondition_failed` and all else that the server refuses. */
export async function setKey(
  client: HttpClient,
  space: string,
  key: string,
  payload: Payload,
  options: SetOptions = {},
): Promise<KeyChange> {
  return await write(client, space, key, payload, "set", options);
}

/** Merges an operand by the key's rule. Throws `merge_rule_missing`, `merge_failed` and all else that the server refuses. */
export async function mergeKey(
  client: HttpClient,
  space: string,
  key: string,
  operand: Payload,
  options: MergeOptions = {},
): Promise<KeyChange> {
  return await write(client, space, key, operand, "merge", options);
}

async function write(
  client: HttpClient,
  space: string,
  key: string,
  payload: Payload,
  op: "set" | "merge",
  options: SetOptions,
): Promise<KeyChange> {
  const { expiresInMs, tags, lease, replace, guard } = options;
  const opId = options.opId ?? client.newOpId();
  const tag = await conditionOf(client, space, key, options.only);
  // A query separates tags by commas.
  if (hasDotSegment(key) || tags?.some((one) => one.includes(",")) === true) {
    const more = { ...recordOf(payload), expiresInMs, tags, lease, replace, guard, ...tag };
    return await inBatch(client, space, { op, key, opId, ...more });
  }
  const answer = await client.json<Omit<KeyChange, "existed"> & { readonly created: boolean }>({
    method: op === "set" ? "PUT" : "POST",
    path:
      resourcePath(space, "keys", key) + queryText({ expiresInMs, tags: tags?.join(","), lease, replace }),
    headers: { "Content-Type": payload.contentType, ...headersOf(tag), ...fenceHeader(guard) },
    body: new Uint8Array(payload.bytes),
    opId,
  });
  const { created, ...change } = answer;
  return whole({ ...change, existed: created === false });
}

/** Deletes a key; one that was absent is no error. Throws `precondition_failed` and all else that the server refuses. */
export async function deleteKey(
  client: HttpClient,
  space: string,
  key: string,
  options: ChangeOptions = {},
): Promise<KeyChange> {
  const { guard } = options;
  const opId = options.opId ?? client.newOpId();
  const tag = await conditionOf(client, space, key, options.only);
  if (hasDotSegment(key)) {
    return await inBatch(client, space, { op: "delete", key, opId, guard, ...tag });
  }
  return whole(
    await client.json<KeyChange>({
      method: "DELETE",
      path: resourcePath(space, "keys", key),
      headers: { ...headersOf(tag), ...fenceHeader(guard) },
      opId,
    }),
  );
}

/** A provisional answer leaves out what nobody knows yet. */
function whole(change: KeyChange): KeyChange {
  return change.provisional === true ? { ...change, revision: "", replayed: false, existed: false } : change;
}

interface Condition {
  readonly ifMatch?: readonly string[];
  readonly ifNoneMatch?: "*";
}

/**
 * The condition as the server wants it. A version alone says nothing after a shard lost its storage, so tags carry the epoch; it is asked for
 * first. The authority decides, so an old answer to that question can't let a wrong write through.
 */
async function conditionOf(
  client: HttpClient,
  space: string,
  key: string,
  only: Only | undefined,
): Promise<Condition> {
  if (only === undefined) return {};
  if ("ifAbsent" in only) return { ifNoneMatch: "*" };
  const revision = await revisionOf(client, space, key);
  return { ifMatch: [`${parseCursor(revision).epoch}.${only.ifVersion}`] };
}

/** The log position at which an answer about `key` was true: its epoch is the shard's. */
async function revisionOf(client: HttpClient, space: string, key: string): Promise<string> {
  const { results } = await client.json<BatchAnswer>({
    method: "POST",
    path: `${spacePath(space)}/batch`,
    json: { operations: [{ op: "get", key }] },
  });
  const verdict = onlyOf(results);
  if (!verdict.ok) throw WarpError.fromData(verdict.error);
  return verdict.revision;
}

function headersOf(condition: Condition): Record<string, string> {
  if (condition.ifNoneMatch !== undefined) return { "If-None-Match": condition.ifNoneMatch };
  if (condition.ifMatch === undefined) return {};
  return { "If-Match": condition.ifMatch.map((tag) => `"${tag}"`).join(", ") };
}

type Verdict =
  | { readonly ok: false; readonly error: ErrorData }
  | ({ readonly ok: true; readonly revision: string } & Readonly<Record<string, unknown>>);

interface BatchAnswer {
  readonly results: readonly Verdict[];
}

function onlyOf(results: readonly Verdict[]): Verdict {
  const [verdict] = results;
  if (verdict === undefined) throw new WarpError("decode_failed", "the server's answer has no verdict");
  return verdict;
}

async function inBatch(
  client: HttpClient,
  space: string,
  operation: { readonly opId: string } & Readonly<Record<string, unknown>>,
): Promise<KeyChange> {
  const { results } = await client.json<BatchAnswer>({
    method: "POST",
    path: `${spacePath(space)}/batch`,
    json: { operations: [operation] },
    opId: operation.opId,
  });
  const verdict = onlyOf(results);
  if (!verdict.ok) throw WarpError.fromData(verdict.error);
  const { op: _, ok: __, ...change } = verdict as Verdict & { readonly op: string };
  return whole(change as unknown as KeyChange);
}

async function getByBatch(client: HttpClient, space: string, key: string): Promise<FoundKey> {
  const { results } = await client.json<BatchAnswer>({
    method: "POST",
    path: `${spacePath(space)}/batch`,
    json: { operations: [{ op: "get", key }] },
  });
  const verdict = onlyOf(results);
  if (!verdict.ok) throw WarpError.fromData(verdict.error);
  const { found, version, etag, expiresInMs, cache, provisional } = verdict as Partial<FoundKey> & {
    found?: boolean;
  };
  const payload = found === true ? payloadOf(verdict as ValueRecord) : undefined;
  if (payload === undefined) throw new WarpError("not_found", "the key does not exist");
  return {
    key,
    payload,
    ...(version === undefined || provisional === true ? {} : { version }),
    ...(etag === undefined ? {} : { etag }),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(cache === undefined ? {} : { cache }),
    ...(provisional && { provisional }),
  };
}

function numberIn(answer: HttpAnswer, header: string): number | undefined {
  const text = answer.header(header);
  return text === null ? undefined : Number(text);
}
